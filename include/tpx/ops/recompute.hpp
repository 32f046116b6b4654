// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <type_traits>
#include <utility>

#include <tpx/ops/op.hpp>

namespace tpx {

namespace detail {

template <bool fits, class... Facts>
constexpr void a_tensor_is_recomputed() {
  static_assert(fits,
                "tpx::recompute: the function is called with the tensors that follow it, and returns a tensor "
                "(see op, operands)");
}
template <class Fn, class... Xs>
inline constexpr bool computes_a_tensor = [] {
  if constexpr (!std::is_invocable_v<Fn&, const Xs&...>) {
    return false;
  } else {
    using Y = std::invoke_result_t<Fn&, const Xs&...>;
    if constexpr (std::is_void_v<Y>)
      return false;
    else
      return Tensor<std::remove_cvref_t<Y>> || is_refused<Y>;
  }
}();

}  // namespace detail

/// fn(x...), of which the tape keeps the operands alone: backward calls fn again for what it needs in between.
///
///   y = fn(x...)
///
/// Memory against time: the values inside are there while fn runs and while backward walks through it, and not
/// in the time between. Gradients are bit for bit those of fn(x...). Parts may be nested; off the tape, and on
/// it after backward, it is fn(x...).
///
/// @param  fn  computes a tensor from tensors by ops. It is copied; what it refers to lives until backward.
/// @pre    fn does the same when it is called again: random numbers are keyed. It watches no tensors, and of
///         what it computes only the result is used outside
/// @comm   forward: fn's.  backward: fn's once more, then that of its backward
/// @throws tpx::Error where fn does something else when it is called again, in backward
/// @see    arXiv:1604.06174
template <class Fn, Tensor... Xs>
auto recompute(Fn fn, const Xs&... xs) {
  constexpr bool tensor = detail::computes_a_tensor<Fn, Xs...>;
  detail::a_tensor_is_recomputed<tensor, detail::op<Fn>, detail::operands<Xs...>>();
  if constexpr (!tensor) {
    return refused{};
  } else if constexpr (!detail::recorded<Xs...> || detail::is_refused<decltype(fn(xs...))>) {
    return fn(xs...);
  } else if constexpr (!detail::is_on_tape<decltype(fn(xs...))>) {  // no gradient goes through it
    return fn(xs...);
  } else {
    using Y = decltype(fn(xs...));
    auto& tape = detail::tape_of(xs...);
    if (!tape.records()) return fn(xs...);
    const auto before = tape.here();
    Y y = fn(xs...);
    tape.fold(before, y.track(), [fn, xs...] {
      const detail::Region region("tpx::recompute");
      return fn(xs...).track();
    });
    return y;
  }
}

template <class Fn, class... Xs>
requires(detail::is_refused<Xs> || ...) refused recompute(const Fn&, const Xs&... xs) {
  return detail::refused_again(xs...);
}

}  // namespace tpx
