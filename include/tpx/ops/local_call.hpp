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
///   forward(exec, x..., y...)              x the operands' shards, const Views;  y the results', to be filled
///   backward(exec, x..., dy..., dx...)     dy of the results' shapes;  dx of the operands', to be added to
///
/// Views are dense, row-major and unmanaged, in the memory of the execution space; `exec` is the instance to
/// run on. Of several results one that the loss does not depend on has zeros for its dy. In place of the dx or
/// the dy of integers, which have no gradient, stands NoGradient. `forward` may be the call operator. Who gives
/// no backward gives a kernel for values alone.
namespace tpx {

/// Stands for the gradient of an operand, or a result, that has none.
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

/// The View of a gradient of X's shard.
template <class X, class Exec, class T>
auto gradient_view(T* data, const Shape& local) {
  return local_view<T, X::ndim, Exec>(data, local);
}
template <class X, class Exec, class T>
auto gradient_view(const Sink<T>& to, const Shape& local) {
  return local_view<T, X::ndim, Exec>(to.data, local);
}
template <class X, class Exec>
NoGradient gradient_view(NoGradient, const Shape&) {
  return {};
}

/// What the backward of a user's kernel needs beside its operands' shards.
template <class Fn, int Operands, int Results>
struct LocalCall {
  Fn fn;
  Shape operand[static_cast<std::size_t>(Operands)];
  Shape result[static_cast<std::size_t>(Results)];
  unsigned
      equal[static_cast<std::size_t>(Operands)];  ///< axes on which the ranks' gradients are to be the same
};

template <bool fits, class... Facts>
constexpr void a_kernel_is_called_with_views() {
  static_assert(
      fits,
      "tpx: a user's kernel is forward(exec, x..., y...) const: an execution-space instance, const Views of "
      "the operands' shards, and the Views of the results' to fill (see op)");
}
template <bool fits, class... Facts>
constexpr void a_kernel_on_a_tape_has_a_backward() {
  static_assert(
      fits,
      "tpx: a user's kernel whose operands are on a tape has backward(exec, x..., dy..., dx...) const, which "
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
  static void equal(const Mesh&, unsigned, const T*, std::int64_t, const char*, int) {}
};

/// dX += what the user's backward says; saved the operands and, last, the LocalCall.
///
/// @tparam Ys  std::tuple of the results' ShardOf
template <class Compare, class Fn, class Mesh, class Ys, class... Xs>
void local_call_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::local_bwd");
  constexpr int operands = sizeof...(Xs);
  constexpr int results = static_cast<int>(std::tuple_size_v<Ys>);
  const auto& call = *r.saved[operands].template as<LocalCall<Fn, operands, results>>();
  const Mesh& mesh = tape.mesh();
  Buffer unwanted[static_cast<std::size_t>(operands)];
  const auto source = [&]<class Y>(Y, std::size_t k) {
    using T = typename Y::element_type;
    if constexpr (is_floating_v<T>) {
      return tape.template gradient_or_zeros<T>(r.out + static_cast<int>(k));
    } else {
      return NoGradient{};
    }
  };
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
  [&]<std::size_t... I, std::size_t... K>(std::index_sequence<I...>, std::index_sequence<K...>) {
    const auto sources = std::tuple(source(std::tuple_element_t<K, Ys>{}, K)...);
    const auto sinks = std::tuple(sink(Xs{}, I)...);
    std::int64_t bytes = 0;
    ((bytes += call.operand[I].count() * std::int64_t{sizeof(typename Xs::element_type)}), ...);
    mesh.context().launch({0, 2 * bytes}, [&](const auto& exec) {
      using Exec = std::decay_t<decltype(exec)>;
      call_backward(call.fn, exec,
                    local_view<const typename Xs::element_type, Xs::ndim, Exec>(
                        r.saved[I].template as<typename Xs::element_type>(), call.operand[I])...,
                    gradient_view<std::tuple_element_t<K, Ys>, Exec>(std::get<K>(sources), call.result[K])...,
                    gradient_view<Xs, Exec>(std::get<I>(sinks), call.operand[I])...);
    });
    const auto compare = [&](const auto& to, std::size_t i) {
      if constexpr (!std::is_same_v<std::decay_t<decltype(to)>, NoGradient>)
        if (to.wanted)
          Compare::equal(mesh, call.equal[i], to.data, call.operand[i].count(), "the gradient of operand",
                         static_cast<int>(i));
    };
    (compare(std::get<I>(sinks), I), ...);
  }
  (std::make_index_sequence<sizeof...(Xs)>{}, std::make_index_sequence<std::tuple_size_v<Ys>>{});
}

/// Axes, a bit for each, on which the ranks hold the same value.
constexpr unsigned axes_of_equal_values(Spec spec) {
  unsigned mask = 0;
  for (int a = 0; a < max_axes; ++a)
    if (spec[a].kind == Kind::invariant || spec[a].kind == Kind::replicate) mask |= 1u << a;
  return mask;
}

/// Fills the results by the user's kernel and records its backward.
template <class Compare, class Fn, class... Ys, class... Xs>
std::tuple<Ys...> local_call(const Fn& fn, std::tuple<Ys...> ys, const Xs&... xs) {
  using Mesh = mesh_of<Xs...>;
  constexpr int operands = sizeof...(Xs), results = sizeof...(Ys);
  static_assert(operands <= Record<Mesh>::max_operands, "tpx: a user's kernel has at most eight operands");
  const Mesh& mesh = std::get<0>(ys).mesh();
  int number = 0;
  (Compare::equal(mesh, axes_of_equal_values(Xs::spec), xs.data(), xs.local_count(), "operand", number++), ...);
  std::apply(
      [&](const Ys&... y) {
        std::int64_t bytes = 0;
        ((bytes += y.local_count() * std::int64_t{sizeof(typename Ys::element_type)}), ...);
        ((bytes += xs.local_count() * std::int64_t{sizeof(typename Xs::element_type)}), ...);
        mesh.context().launch({0, bytes}, [&](const auto& exec) {
          using Exec = std::decay_t<decltype(exec)>;
          call_forward(
              fn, exec,
              local_view<const typename Xs::element_type, Xs::ndim, Exec>(xs.data(), xs.local_shape())...,
              local_view<typename Ys::element_type, Ys::ndim, Exec>(y.data(), y.local_shape())...);
        });
        number = 0;
        (Compare::equal(mesh, axes_of_equal_values(Ys::spec), y.data(), y.local_count(), "result", number++),
         ...);
      },
      ys);
  if constexpr (recorded<Xs...>) {
    using Call = LocalCall<Fn, operands, results>;
    return std::apply(
        [&](Ys&... y) {
          const auto save = [&](auto& r) {
            auto call = std::make_shared<Call>(Call{
                fn, {xs.local_shape()...}, {y.local_shape()...}, {axes_of_equal_values(dual(Xs::spec))...}});
            std::size_t i = 0;
            ((r.saved[i++] = xs.shard()), ...);
            r.saved[i] = Buffer::borrow(call.get(), sizeof(*call), call);
            // The nodes of further results follow that of the first.
            for (r.outs = 1; r.outs < results; ++r.outs) tape_of(xs...).add_node(call->result[r.outs].count());
          };
          OnTape<Mesh> at =
              record(std::get<0>(ys),
                     &local_call_backward<Compare, Fn, Mesh, std::tuple<shard_of<Ys>...>, shard_of<Xs>...>,
                     save, xs...)
                  .track();
          const bool carried = at.node >= 0;
          const auto tracked = [&](auto& result) {
            auto with = std::move(result).with_track(at);
            if (carried) ++at.node;
            return with;
          };
          return std::tuple<Ys...>{tracked(y)...};
        },
        ys);
  } else {
    return ys;
  }
}

}  // namespace detail
}  // namespace tpx
