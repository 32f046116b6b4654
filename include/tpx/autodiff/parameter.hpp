// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <tpx/tensor/dtensor.hpp>

namespace tpx {

namespace detail {

template <bool fits, class... Facts>
constexpr void a_gradient_was_asked_for() {
  static_assert(fits,
                "tpx: a parameter's gradient is gradient(p), and that of x = tape.watch(x0) is "
                "tape.gradient(x): other tensors have none (see asked)");
}
template <class X>
struct asked;
template <bool fits, class... Facts>
constexpr void a_parameter_is_made_of_a_value() {
  static_assert(fits,
                "tpx::make_parameter: a parameter is made of a plain tensor: value(p) is another parameter's, "
                "detach(x) is one off the tape (see made_of)");
}
template <class X>
struct made_of;

}  // namespace detail

/// What a parameter has beside its value. Its gradient adds up over all its uses and all micro-batches until
/// it is reset.
struct ParameterState {
  std::string name;
  bool decays = true;      ///< whether weight decay applies to it
  bool counts = true;      ///< in a norm over all ranks: of its copies on several pipeline ranks one does
  Buffer gradient{};       ///< of the dual layout; memory of the first use on a tape, kept
  bool filled = false;     ///< whether the gradient holds one since it was reset
  bool reduced = false;    ///< whether it has been summed over the ranks: no longer of the dual layout
  bool gathered = false;   ///< whether it lies in a Gradients' memory
  std::int64_t step = -1;  ///< of the tape that it was last used on, and its node there
  int node = -1;
};

/// Marks a tensor as a parameter: whatever tape its other operands are on records its use.
struct Trainable {
  std::shared_ptr<ParameterState> state;
};

/// A tensor that is trained: ops take it like any other. Beside tensors on a tape its use is recorded and
/// its gradient, of layout dual_t<L>, is kept with it; elsewhere it is an ordinary value.
template <class T, int N, class L, class Mesh>
using Parameter = DTensor<T, N, L, Mesh, Trainable>;

/// Makes a value a parameter; it shares the value's memory, which optimizers overwrite.
template <class T, int N, class L, class Mesh>
Parameter<T, N, L, Mesh> make_parameter(std::string name, const DTensor<T, N, L, Mesh>& value,
                                        bool decays = true) {
  static_assert(std::is_floating_point_v<T>, "tpx::make_parameter: a parameter is of float or double");
  auto state = std::make_shared<ParameterState>();
  state->name = std::move(name);
  state->decays = decays;
  return {value.mesh(), value.shape(), value.shard(), {std::move(state)}};
}

/// The parameter's value as an ordinary tensor, sharing its memory.
template <class T, int N, class L, class Mesh>
DTensor<T, N, L, Mesh> value(const Parameter<T, N, L, Mesh>& p) {
  return {p.mesh(), p.shape(), p.shard()};
}

/// The parameter's gradient, sharing its memory.
/// @pre a backward reached the parameter since its gradient was reset, and it was not reduced since
template <class T, int N, class L, class Mesh>
DTensor<T, N, dual_t<L>, Mesh> gradient(const Parameter<T, N, L, Mesh>& p) {
  TPX_EXPECTS(p.track().state->filled, p.track().state->name,
              "backward reaches the parameter before its gradient is read");
  TPX_EXPECTS(
      !p.track().state->reduced, p.track().state->name,
      "after Gradients::reduce a gradient is of another layout: read it by reduced.gradient(parameter)");
  return {p.mesh(), p.shape(), p.track().state->gradient};
}
template <Tensor X>
refused gradient(const X&) {
  detail::a_gradient_was_asked_for<false, detail::asked<X>>();
  return {};
}

template <Tensor X>
refused make_parameter(const std::string&, const X&, bool = true) {
  detail::a_parameter_is_made_of_a_value<false, detail::made_of<X>>();
  return {};
}
inline refused make_parameter(const std::string&, refused, bool = true) { return {}; }
inline refused value(refused) { return {}; }
inline refused gradient(refused) { return {}; }

}  // namespace tpx
