// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <tpx/autodiff/backward.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/redistribute.hpp>

#include "support/distributed.hpp"

namespace tpx::test {

template <class T>
inline constexpr double tolerance = std::is_same_v<T, float> ? 1e-5 : 1e-12;

constexpr Spec replicate_to_invariant(Spec spec) {
  for (int a = 0; a < detail::max_axes; ++a)
    if (spec[a].kind == Kind::replicate) spec = spec.with(a, {});
  return spec;
}

/// The sum of y times given weights. These have the dual layout of y: where y is Replicate, every rank
/// weighs it differently, as ranks do that use a value for different work.
template <class Y>
auto weighted_sum(const Y& y, const Values& weights) {
  if constexpr (Y::ndim == 0) {
    // A Replicate loss is refused; to Invariant is free.
    using L = layout_from_spec<typename Y::mesh_type::axes, replicate_to_invariant(Y::spec).bits>;
    return redistribute<L>(scale(y, weights[0]));
  } else {
    using T = typename Y::element_type;
    const auto w = put(y.mesh(), Given<T, Y::ndim, dual_t<typename Y::layout_type>>{y.shape(), weights});
    return matmul<Y::ndim>(y, w);
  }
}

template <class Mesh, class X>
auto leaf(Tape<Mesh>& tape, const X& x) {
  if constexpr (X::carries_gradient)
    return tape.watch(x);
  else
    return tape.input(x);
}

inline double inner(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

template <class T>
Values as_double(const std::vector<T>& x) {
  return Values(x.begin(), x.end());
}

/// The whole of y, in double.
template <class Y>
Values whole(const Y& y) {
  return as_double(gather(y));
}

template <class G>
inline constexpr bool has_gradient = false;
template <class T, int N, class L>
inline constexpr bool has_gradient<Given<T, N, L>> = std::is_floating_point_v<T>;

/// An op on given operands against plain loops: the gathered result, the gathered gradients of all operands
/// when the result's gradient is `dy`, the same bits without a tape, and the gradients against central
/// differences along one direction (in double).
///
/// @param  sent  the calls that the op makes by itself, forward
template <class T, class Mesh, class Op, class... G>
void check_op(const World& world, const Mesh& mesh, Op op, const Values& y, const Values& dy,
              const std::array<Values, sizeof...(G)>& gradients, std::int64_t sent, const G&... g) {
  comm::CommLog& log = world.log();
  const std::int64_t before = calls(log);
  Tape<Mesh> tape(mesh);
  const auto leaves = std::tuple(leaf(tape, put(mesh, g))...);
  const auto result = std::apply(op, leaves);
  CHECK(calls(log) - before == sent);
  CAPTURE(result.describe());
  CHECK(off(gather(result), y) <= tolerance<T>);
  const auto plain = op(put(mesh, g)...);
  static_assert(std::is_same_v<typename decltype(plain)::track_type, NoTape>);
  CHECK(local_values(plain) == local_values(result));

  const auto loss = weighted_sum(result, dy);
  const std::int64_t forward = calls(log);
  backward(loss);
  CHECK(calls(log) == forward);
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto compare = [&]<std::size_t i>(std::integral_constant<std::size_t, i>) {
      if constexpr (std::tuple_element_t<
                        i, std::tuple<std::decay_t<decltype(std::get<I>(leaves))>...>>::carries_gradient) {
        CAPTURE(i);
        CHECK(off(gather(tape.gradient(std::get<i>(leaves))), gradients[i]) <= tolerance<T>);
      }
    };
    (compare(std::integral_constant<std::size_t, I>()), ...);
  }
  (std::index_sequence_for<G...>());

  if constexpr (std::is_same_v<T, double>) {
    const double h = 1e-5;
    double slope = 0, size = 0;
    unsigned seed = 77;
    const auto direction = [](const auto& x, unsigned s) {
      return random_values(static_cast<std::int64_t>(x.values.size()), s);
    };
    std::size_t i = 0;
    ((has_gradient<G> ? void((slope += inner(gradients[i], direction(g, seed + static_cast<unsigned>(i))),
                              size += std::sqrt(inner(gradients[i], gradients[i]))))
                      : void(),
      ++i),
     ...);
    const auto moved = [&](auto x, std::size_t number, double by) {
      if constexpr (has_gradient<decltype(x)>) {
        const Values d = direction(x, seed + static_cast<unsigned>(number));
        for (std::size_t e = 0; e < d.size(); ++e) x.values[e] += by * d[e];
      }
      return put(mesh, x);
    };
    const auto at = [&](double by) {
      return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return inner(whole(op(moved(g, I, by)...)), dy);
      }
      (std::index_sequence_for<G...>());
    };
    CHECK(std::fabs((at(h) - at(-h)) / (2 * h) - slope) <= 1e-7 * (1.0 + size));
  }
}

}  // namespace tpx::test
