// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tpx/autodiff/parameter.hpp>
#include <tpx/layout/layout.hpp>
#include <tpx/tensor/factory.hpp>

namespace tpx {

namespace detail {

template <class List, class... Axes>
struct data_axes;
template <class... Data>
struct data_axes<AxisList<>, Data...> {
  using type = layout_t<Replicate<Data...>>;
};
template <>
struct data_axes<AxisList<>> {
  using type = layout_t<>;
};
template <class Axis, class... Rest, class... Data>
struct data_axes<AxisList<Axis, Rest...>, Data...>
    : std::conditional_t<is_data_axis_v<Axis>, data_axes<AxisList<Rest...>, Data..., Axis>,
                         data_axes<AxisList<Rest...>, Data...>> {};

/// The stream of a parameter's random numbers: its name alone decides (FNV-1a), not the order in which
/// parameters are made.
constexpr std::uint64_t stream_of(std::string_view name) {
  std::uint64_t hash = 14695981039346656037ull;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

}  // namespace detail

/// Layout of a parameter: Replicate on the mesh's data axes (its gradient is Partial there, reduced once a
/// step) and what the placements say on the others.
template <class Mesh, class... Placements>
using parameter_layout_t = with_t<typename detail::data_axes<typename Mesh::axes>::type, Placements...>;

/// A weight with normal numbers, the same whole weight for every mesh; weight decay applies to it.
template <class T, class... Placements, class Mesh, std::size_t N>
auto make_weight(const Mesh& mesh, const std::string& name, const std::int64_t (&shape)[N], std::uint64_t seed,
                 double deviation) {
  return make_parameter(name, normal<T>(mesh, parameter_layout_t<Mesh, Placements...>{}, shape,
                                        RandomKey{seed, detail::stream_of(name)}, 0, deviation));
}

/// A parameter of one value, a bias or a gain; weight decay does not apply to it.
template <class T, class... Placements, class Mesh, std::size_t N>
auto make_constant(const Mesh& mesh, const std::string& name, const std::int64_t (&shape)[N], T value) {
  return make_parameter(name, full<T>(mesh, parameter_layout_t<Mesh, Placements...>{}, shape, value), false);
}

}  // namespace tpx
