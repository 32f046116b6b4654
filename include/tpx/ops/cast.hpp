// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include <tpx/core/bfloat16.hpp>
#include <tpx/core/element.hpp>
#include <tpx/kernel/copy.hpp>
#include <tpx/ops/op.hpp>

namespace tpx {

namespace ops {

/// Linear where To has every value that From has: bfloat16, float and double each have those of the smaller.
template <class From, class To, int N>
struct cast {
  static constexpr bool takes_bfloat16 = true;
  static constexpr OpRule rule =
      op_rule("... -> ...", sizeof(From) < sizeof(To) ? Linearity::product : Linearity::nonlinear, {N});
};

}  // namespace ops

namespace detail {

template <bool fits, class... Facts>
constexpr void a_cast_is_between_real_numbers() {
  static_assert(fits, "tpx::cast: float, double and bfloat16 are cast to one another (see elements)");
}

/// dX (+)= dY in the element of X;  extent n
template <class From, class To, class Mesh>
void cast_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::cast_bwd");
  const std::int64_t n = r.extent[0];
  const To* dy = tape.template gradient_of<To>(r.out);
  const Sink<From> dx = tape.template sink<From>(r.in[0]);
  tape.mesh().context().launch({0, n * std::int64_t{sizeof(From) + sizeof(To)}}, [&](const auto& exec) {
    if (dx.accumulate) {
      kernel::accumulate(exec, dy, dx.data, n);
    } else {
      kernel::convert(exec, dy, dx.data, n);
    }
  });
}

}  // namespace detail

/// The same tensor of another element, each number rounded to the nearest one: float, double, bfloat16. To the
/// element that it has it stays as it is.
///
///   y = To(x)      dx = From(dy)
///
///   x  f32[b@dp,h]           cast<bfloat16>(x)  bf16[b@dp,h]
///
/// Numbers are sent as bfloat16 between two casts, in half the bytes of float, forward and backward:
///
///   cast<float>(redistribute<Replicate<tp>>(cast<bfloat16>(x)))
///
/// The gradient of a Replicate tensor is Partial: behind a cast from bfloat16 each rank's term of it is
/// rounded, and then their sum.
///
/// @pre    x is not Partial where numbers are rounded, because the sum of rounded terms is not the rounded sum
/// @comm   none, forward or backward
template <class To, Tensor X>
auto cast(const X& x) {
  using From = typename X::element_type;
  using Op = ops::cast<From, To, X::ndim>;
  constexpr bool real = detail::is_floating_v<From> && detail::is_floating_v<To>;
  detail::a_cast_is_between_real_numbers<real, detail::elements_of<From, To>>();
  if constexpr (!real) {
    return refused{};
  } else if constexpr (std::is_same_v<From, To>) {
    return x;
  } else if constexpr (!detail::admits<Op, over<>, X>()) {
    return refused{};
  } else {
    const detail::Region region("tpx::cast");
    const std::int64_t n = x.local_count();
    auto y = detail::make_result<Op, To, X::ndim, over<>>(x.shape(), x);
    const From* in = x.data();
    x.mesh().context().launch({0, n * std::int64_t{sizeof(From) + sizeof(To)}},
                              [&](const auto& exec) { kernel::convert(exec, in, y.data(), n); });
    return detail::record(
        std::move(y), &detail::cast_backward<From, To, typename X::mesh_type>,
        [&](auto& r) { r.extent[0] = n; }, x);
  }
}

template <class To>
refused cast(refused) {
  return {};
}

}  // namespace tpx
