// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tpx/comm/agree.hpp>
#include <tpx/io/read_shard.hpp>
#include <tpx/io/tensor_file.hpp>
#include <tpx/tensor/factory.hpp>

/// From a file to tensors.
namespace tpx {

namespace detail {

/// Runs f on every rank; throws on all of them where it does on one.
template <class Mesh, class F>
void together(const Mesh& mesh, F&& f) {
  if (mesh.size() == 1) return f();
  std::string error;
  try {
    f();
  } catch (const std::exception& e) {
    error = e.what();
  }
  comm::throw_together(mesh.communicator((1u << Mesh::axes::size) - 1), error);
}

template <class T, int N, class L, class Mesh>
auto load(const Mesh& mesh, const TensorFile& file, std::string_view name, const Shape* expected) {
  if constexpr (!makes<Extents<N>, L, Mesh>()) {
    return refused{};
  } else {
    Shape shape;
    std::vector<T> values;
    together(mesh, [&] {
      const FileTensor& tensor = file.at(name);
      shape = tensor.shape;
      if (shape.ndim() != N || (expected != nullptr && !(shape == *expected))) {
        fail("tpx::load: tensor " + quoted(name) + " of '" + file.path() + "' is " + tensor.describe() +
             "; expected " +
             (expected != nullptr ? "the shape " + print("", *expected, {}, {}) : std::to_string(N) + " dims"));
      }
      const Distribution d(shape, spec_v<L, typename Mesh::axes>, mesh.grid());
      d.check(tpx::name(element_v<T>), Mesh::names());
      if constexpr (Mesh::context_type::has_memory) values = read_shard<T>(tensor, d);
    });
    auto x = make_tensor<T, N, L>(mesh, shape);
    if constexpr (Mesh::context_type::has_memory)
      copy_from_host(mesh, values.data(), x.data(), x.local_count());
    return x;
  }
}

}  // namespace detail

/// Makes a tensor of one that lies in a file, each rank reading its own part of it:
/// load<float, 2>(mesh, layout<Shard<0, tp>>, file, "lm_head.weight").
///
/// @tparam T  float, double or bfloat16 where the file has real numbers, else an integer that holds all the
///            file's
/// @pre    the same file on every rank
/// @comm   over all axes, an all-reduce (min) of one i32, by which the ranks agree that all could read
/// @throws tpx::Error, on every rank, with the nearest names where there is no such tensor, or what it is
///         where that is not what is asked for
template <class T, int N, class Mesh, class... Placements>
auto load(const Mesh& mesh, Layout<Placements...>, const TensorFile& file, std::string_view name) {
  return detail::load<T, N, layout_t<Placements...>>(mesh, file, name, nullptr);
}

/// The same, of a shape that the caller knows: load<float>(mesh, layout<Shard<0, tp>>, file, "w", {576, 192}).
template <class T, std::size_t N, class Mesh, class... Placements>
auto load(const Mesh& mesh, Layout<Placements...>, const TensorFile& file, std::string_view name,
          const std::int64_t (&shape)[N]) {
  constexpr int n = static_cast<int>(N);
  const Shape expected = extents(shape).shape();
  return detail::load<T, n, layout_t<Placements...>>(mesh, file, name, &expected);
}

}  // namespace tpx
