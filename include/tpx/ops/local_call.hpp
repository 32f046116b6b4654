// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include <tpx/kernel/copy.hpp>
#include <tpx/ops/op.hpp>

/// A user's own kernel on the ranks' shards, as the ops that take one call it: the protocol of user_op and
/// local_region.
///
///   forward(exec, x..., y)             x the operands' shards, const Views;  y the result's, to be filled
///   backward(exec, x..., dy, dx...)    dy of y's shape;  dx of the operands' shapes, to be added to
///
/// Views are dense, row-major and unmanaged, in the memory of the execution space; `exec` is the instance to
/// run on. In place of the dx of an operand of integers, which has no gradient, stands NoGradient. `forward`
/// may be the call operator. Who gives no backward gives a kernel for values alone.
namespace tpx {

/// Stands for the gradient of an operand that has none.
struct NoGradient {};

namespace detail {

/// A shard as a View; of const elements for operands.
template <class T, int N, class Exec>
LocalView<T, N, Exec> local_view(T* data, const Shape& local) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return LocalView<T, N, Exec>(data, static_cast<std::size_t>(local[static_cast<int>(I)])...);
  }
  (std::make_index_sequence<static_cast<std::size_t>(N)>{});
}

/// Element and number of dims of a shard: what a kernel sees of a tensor's type.
template <class T, int N>
struct ShardOf {
  using element_type = T;
  static constexpr int ndim = N;
};
template <class X>
using shard_of = ShardOf<typename X::element_type, X::ndim>;

/// What the backward of a user's kernel needs beside its operands' shards.
template <class Fn, int Operands>
struct LocalCall {
  Fn fn;
  Shape operand[static_cast<std::size_t>(Operands)];
  Shape result;
  unsigned
      equal[static_cast<std::size_t>(Operands)];  ///< axes on which the ranks' gradients are to be the same
};

template <bool fits, class... Facts>
constexpr void a_kernel_is_called_with_views() {
  static_assert(
      fits,
      "tpx: a user's kernel is forward(exec, x..., y) const: an execution-space instance, const Views of "
      "the operands' shards, and the View of the result's to fill (see op)");
}
template <bool fits, class... Facts>
constexpr void a_kernel_on_a_tape_has_a_backward() {
  static_assert(
      fits,
      "tpx: a user's kernel whose operands are on a tape has backward(exec, x..., dy, dx...) const, which "
      "adds to the Views dx; without one its operands are detached (see op)");
}

template <class Fn, class... Views>
void call_forward(const Fn& fn, const Views&... views) {
  constexpr bool named = requires { fn.forward(views...); };
  constexpr bool called = std::is_invocable_v<const Fn&, const Views&...>;
  a_kernel_is_called_with_views<named || called, op<Fn>>();
  if constexpr (named) {
    fn.forward(views...);
  } else if constexpr (called) {
    fn(views...);
  }
}

template <class Fn, class... Views>
void call_backward(const Fn& fn, const Views&... views) {
  constexpr bool fits = requires { fn.backward(views...); };
  a_kernel_on_a_tape_has_a_backward<fits, op<Fn>>();
  if constexpr (fits) fn.backward(views...);
}

/// Nothing is compared unless the op says so (local_region in the checking build).
struct CompareNothing {
  template <class Mesh, class T>
  static void equal(const Mesh&, unsigned, const T*, std::int64_t, const char*) {}
};

/// dX += what the user's backward says; saved the operands and, last, the LocalCall.
template <class Compare, class Fn, class Mesh, class Y, class... Xs>
void local_call_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::local_bwd");
  constexpr int operands = sizeof...(Xs);
  const auto& call = *r.saved[operands].template as<LocalCall<Fn, operands>>();
  const Mesh& mesh = tape.mesh();
  using T = typename Y::element_type;
  const T* dy = tape.template gradient_of<T>(r.out);
  Buffer unwanted[static_cast<std::size_t>(operands)];
  const auto sink = [&]<class X>(X, std::size_t i) {
    using Element = typename X::element_type;
    if constexpr (!is_floating_v<Element>) {
      return NoGradient{};
    } else {
      Sink<Element> to = tape.template sink<Element>(r.in[i]);
      const std::int64_t n = call.operand[i].count();
      if (!to) {
        unwanted[i] = allocate<Element>(mesh, n);
        to.data = unwanted[i].template as<Element>();
      }
      if (!to.accumulate)
        mesh.context().launch({0, n * std::int64_t{sizeof(Element)}},
                              [&](const auto& exec) { kernel::fill(exec, to.data, n, Element(0)); });
      return to;
    }
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto sinks = std::tuple(sink(Xs{}, I)...);
    std::int64_t bytes = 0;
    ((bytes += call.operand[I].count() * std::int64_t{sizeof(typename Xs::element_type)}), ...);
    mesh.context().launch({0, 2 * bytes}, [&](const auto& exec) {
      using Exec = std::decay_t<decltype(exec)>;
      const auto gradient = [&]<class X>(X, const auto& to, const Shape& local) {
        if constexpr (std::is_same_v<std::decay_t<decltype(to)>, NoGradient>) {
          return to;
        } else {
          return local_view<typename X::element_type, X::ndim, Exec>(to.data, local);
        }
      };
      call_backward(call.fn, exec,
                    local_view<const typename Xs::element_type, Xs::ndim, Exec>(
                        r.saved[I].template as<typename Xs::element_type>(), call.operand[I])...,
                    local_view<const T, Y::ndim, Exec>(dy, call.result),
                    gradient(Xs{}, std::get<I>(sinks), call.operand[I])...);
    });
    const auto compare = [&](const auto& to, std::size_t i) {
      if constexpr (!std::is_same_v<std::decay_t<decltype(to)>, NoGradient>)
        if (to.wanted)
          Compare::equal(mesh, call.equal[i], to.data, call.operand[i].count(), "an operand's gradient");
    };
    (compare(std::get<I>(sinks), I), ...);
  }
  (std::make_index_sequence<sizeof...(Xs)>{});
}

/// Axes, a bit for each, on which the ranks hold the same value.
constexpr unsigned axes_of_equal_values(Spec spec) {
  unsigned mask = 0;
  for (int a = 0; a < max_axes; ++a)
    if (spec[a].kind == Kind::invariant || spec[a].kind == Kind::replicate) mask |= 1u << a;
  return mask;
}

/// Fills y by the user's kernel and records its backward.
template <class Compare, class Fn, class Y, class... Xs>
Y local_call(const Fn& fn, Y y, const Xs&... xs) {
  using Mesh = typename Y::mesh_type;
  using T = typename Y::element_type;
  static_assert(sizeof...(Xs) >= 1 && sizeof...(Xs) <= 4, "tpx: a user's kernel has one to four operands");
  const Mesh& mesh = y.mesh();
  std::int64_t bytes = y.local_count() * std::int64_t{sizeof(T)};
  ((bytes += xs.local_count() * std::int64_t{sizeof(typename Xs::element_type)}), ...);
  mesh.context().launch({0, bytes}, [&](const auto& exec) {
    using Exec = std::decay_t<decltype(exec)>;
    call_forward(fn, exec,
                 local_view<const typename Xs::element_type, Xs::ndim, Exec>(xs.data(), xs.local_shape())...,
                 local_view<T, Y::ndim, Exec>(y.data(), y.local_shape()));
  });
  Compare::equal(mesh, axes_of_equal_values(Y::spec), y.data(), y.local_count(), "the result");
  if constexpr (recorded<Xs...>) {
    const Shape local = y.local_shape();
    return record(
        std::move(y), &local_call_backward<Compare, Fn, Mesh, shard_of<Y>, shard_of<Xs>...>,
        [&](auto& r) {
          constexpr int operands = sizeof...(Xs);
          std::size_t i = 0;
          ((r.saved[i++] = xs.shard()), ...);
          auto call = std::make_shared<LocalCall<Fn, operands>>(LocalCall<Fn, operands>{
              fn, {xs.local_shape()...}, local, {axes_of_equal_values(dual(Xs::spec))...}});
          r.saved[i] = Buffer::borrow(call.get(), sizeof(*call), call);
        },
        xs...);
  } else {
    return y;
  }
}

}  // namespace detail
}  // namespace tpx
