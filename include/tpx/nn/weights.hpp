// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string>

#include <tpx/nn/init.hpp>

/// Where the parameters of a model come from. A model asks for each of them by name; what answers is
///
///   weights.template linear<T, Placement>(mesh, name, in, out)   a Parameter [in..., out...]
///   weights.template table<T, Placement>(mesh, name, shape)
///   weights.template vector<T, Placement>(mesh, name, shape, value)   a bias or a gain; `value` where it is
///   new
///
/// RandomWeights here, FileWeights in file_weights.hpp.
namespace tpx {

namespace detail {

/// in and then out.
template <int N>
Shape joined(const Shape& in, const Shape& out) {
  Shape s = in;
  for (int d = 0; d < out.ndim(); ++d) s.push_back(out[d]);
  TPX_EXPECTS(s.ndim() == N, s.ndim());
  return s;
}

}  // namespace detail

/// A new model: normal numbers, the same whole weights for every plan and mesh, keyed by the parameter's name.
class RandomWeights {
 public:
  explicit RandomWeights(std::uint64_t seed, double deviation = 0.02) : seed_(seed), deviation_(deviation) {}

  template <class T, int N, class Placement, class Mesh>
  auto linear(const Mesh& mesh, const std::string& name, const Shape& in, const Shape& out) const {
    return random<T, N, Placement>(mesh, name, detail::joined<N>(in, out));
  }
  template <class T, class Placement, class Mesh>
  auto table(const Mesh& mesh, const std::string& name, const Shape& shape) const {
    return random<T, 2, Placement>(mesh, name, shape);
  }
  template <class T, int N, class Placement, class Mesh>
  auto vector(const Mesh& mesh, const std::string& name, const Shape& shape, T value) const {
    std::int64_t extents[N];
    for (int d = 0; d < N; ++d) extents[d] = shape[d];
    return make_constant<T, Placement>(mesh, name, extents, value);
  }

 private:
  template <class T, int N, class Placement, class Mesh>
  auto random(const Mesh& mesh, const std::string& name, const Shape& shape) const {
    std::int64_t extents[N];
    for (int d = 0; d < N; ++d) extents[d] = shape[d];
    return make_weight<T, Placement>(mesh, name, extents, seed_, deviation_);
  }

  std::uint64_t seed_;
  double deviation_;
};

}  // namespace tpx
