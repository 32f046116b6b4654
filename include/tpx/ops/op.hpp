// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tuple>
#include <type_traits>
#include <utility>

#include <tpx/autodiff/tape.hpp>
#include <tpx/core/bfloat16.hpp>
#include <tpx/core/element.hpp>
#include <tpx/layout/ragged.hpp>
#include <tpx/layout/refusal.hpp>

/// What every op has in common. An op states its rule (`struct ops::NAME { static constexpr OpRule rule; }`),
/// asks `admits` whether its operands' layouts fit, computes on local shards, and records a backward that
/// does the same. The result's layout, the refusals and the gradient's layouts follow from the rule. Besides it
/// may say `static constexpr bool takes_bfloat16 = true`, and computes_fractions where it is no op on integers.
namespace tpx {
namespace detail {

template <bool fits, class... Facts>
constexpr void one_mesh() {
  static_assert(fits, "tpx: the operands of an op are on one mesh (see op, meshes)");
}
template <class... Meshes>
struct meshes;
template <bool fits, class... Facts>
constexpr void one_element() {
  static_assert(
      fits,
      "tpx: the operands of an op have one element type, but for ids, lengths and masks (see op, elements)");
}
template <class... Ts>
struct elements_of;
template <bool fits, class... Facts>
constexpr void an_op_computes_in_float() {
  static_assert(
      fits,
      "tpx: bfloat16 is for storing and sending: ops compute in float or double, cast<float>(x) first "
      "(see op, elements)");
}
template <bool fits, class... Facts>
constexpr void an_op_on_integers() {
  static_assert(fits,
                "tpx: the op computes with fractions, so integers are no operands of it: make the tensor of "
                "float or double (see op, elements)");
}
template <bool fits, class... Facts>
constexpr void an_op_takes_tensors() {
  static_assert(fits, "tpx: ops take tensors: wrap(mesh, layout, view) makes one of a View (see operands)");
}
template <class... Xs>
struct operands;
template <bool fits, class... Facts>
constexpr void on_the_tape_or_detached() {
  static_assert(
      fits,
      "tpx: an operand was computed from parameters off the tape, which would hide their gradients: put "
      "what it was computed from on the tape by tape.input(x), or detach it (see op)");
}

template <class First, class...>
struct first_of {
  using type = First;
};
template <class... Xs>
using mesh_of = typename first_of<typename Xs::mesh_type...>::type;

template <class... Xs>
inline constexpr bool same_mesh = (std::is_same_v<typename Xs::mesh_type, mesh_of<Xs...>> && ...);

/// Whether the operands have the same element; those with a bit in Apart may have another.
template <unsigned Apart, class... Xs>
inline constexpr bool same_element = [] {
  const Element all[] = {element_v<typename Xs::element_type>...};
  int first = -1;
  for (int i = 0; i < static_cast<int>(sizeof...(Xs)); ++i) {
    if ((Apart >> i & 1u) != 0) continue;
    if (first < 0) first = i;
    if (all[i] != all[first]) return false;
  }
  return true;
}();

/// Whether Op is for these elements: one that is for bfloat16 too says so, takes_bfloat16.
template <class Op, class... Xs>
inline constexpr bool fit_elements = [] {
  if constexpr (requires { requires Op::takes_bfloat16; }) {
    return true;
  } else {
    return !(std::is_same_v<typename Xs::element_type, bfloat16> || ...);
  }
}();

template <class... Xs>
inline constexpr unsigned no_gradient_mask = [] {
  unsigned mask = 0;
  unsigned bit = 1;
  ((mask |= Xs::carries_gradient ? 0u : bit, bit <<= 1), ...);
  return mask;
}();

/// Whether an op or a functor makes no sense of integers, which it says.
template <class Op>
inline constexpr bool computes_fractions = requires {
  requires Op::computes_fractions;
};

/// Whether Op takes what is integers among the operands, ids and masks aside.
template <class Op, class... Xs>
inline constexpr bool fit_integers =
    !computes_fractions<Op> || (no_gradient_mask<Xs...> & ~Op::rule.values) == 0;

/// Whether an operand is what an op returned that was refused, or turns into it and says why.
template <class X>
inline constexpr bool is_refused = std::is_convertible_v<const X&, refused>;

template <class... Xs>
refused refused_again(const Xs&... xs) {
  an_op_takes_tensors<(is_refused<Xs> || ...), operands<Xs...>>();
  const auto convert = []<class X>(const X& x) {
    if constexpr (is_refused<X>) (void)static_cast<refused>(x);
  };
  (convert(xs), ...);
  return {};
}

// ---- tapes ------------------------------------------------------------------------------------

template <class X>
inline constexpr bool is_on_tape = std::is_same_v<typename X::track_type, OnTape<typename X::mesh_type>>;

/// Whether the op is recorded: one of the operands is on a tape.
template <class... Xs>
inline constexpr bool recorded = (is_on_tape<Xs> || ...);

/// Whether one of the operands was computed from parameters off the tape.
template <class... Xs>
inline constexpr bool is_off_tape = (std::is_same_v<typename Xs::track_type, OffTape> || ...);

template <class... Xs>
inline constexpr bool from_parameters = is_off_tape<Xs...> ||
                                        (std::is_same_v<typename Xs::track_type, Trainable> || ...);

/// How the result is recorded: on the tape if one of the operands is.
template <class... Xs>
using track_of = std::conditional_t<recorded<Xs...>, OnTape<mesh_of<Xs...>>,
                                    std::conditional_t<from_parameters<Xs...>, OffTape, NoTape>>;

/// As admits, where operands with a bit in Apart may have an element of their own.
template <unsigned Apart, class Op, class Over, class... Xs>
constexpr bool admits_with() {
  constexpr bool mesh = same_mesh<Xs...>;
  constexpr bool real = mesh && fit_elements<Op, Xs...>;
  constexpr bool element = real && same_element<Apart, Xs...>;
  constexpr bool number = element && fit_integers<Op, Xs...>;
  constexpr bool taped = number && !(recorded<Xs...> && is_off_tape<Xs...>);
  using Elements = elements_of<typename Xs::element_type...>;
  one_mesh<mesh, op<Op>, meshes<typename Xs::mesh_type...>>();
  an_op_computes_in_float<real || !mesh, op<Op>, Elements>();
  one_element<element || !real, op<Op>, Elements>();
  an_op_on_integers<number || !element, op<Op>, Elements>();
  on_the_tape_or_detached<taped || !number, op<Op>>();
  if constexpr (taped) {
    using List = typename mesh_of<Xs...>::axes;
    if constexpr (check_over<Over, List>())
      return admit<Op, List, mask_of<Over, List>, no_gradient_mask<Xs...>, typename Xs::layout_type...>();
    else
      return false;
  } else {
    return false;
  }
}

/// Whether Op takes these operands, communicating over `Over` itself; where not, the error that says why.
template <class Op, class Over, class... Xs>
constexpr bool admits() {
  return admits_with<Op::rule.values, Op, Over, Xs...>();
}

template <class Op, class Over, class... Xs>
using result_layout_of =
    result_layout<Op, typename mesh_of<Xs...>::axes, mask_of<Over, typename mesh_of<Xs...>::axes>,
                  no_gradient_mask<Xs...>, typename Xs::layout_type...>;

/// The tape that the operands are on.
/// @pre recorded<Xs...>
template <class... Xs>
Tape<mesh_of<Xs...>>& tape_of(const Xs&... xs) {
  Tape<mesh_of<Xs...>>* tape = nullptr;
  const auto look = [&]<class X>(const X& x) {
    if constexpr (is_on_tape<X>) {
      TPX_EXPECTS(tape == nullptr || tape == x.track().tape, "the operands of an op are on one tape");
      tape = x.track().tape;
    }
  };
  (look(xs), ...);
  return *tape;
}

/// The operand's node, -1 where no gradient is wanted.
template <class X>
int node_on(Tape<typename X::mesh_type>& tape, const X& x) {
  if constexpr (is_on_tape<X>) {
    return tape.node_here(x.track());
  } else if constexpr (std::is_same_v<typename X::track_type, Trainable>) {
    return tape.template node_of<typename X::element_type>(x.track().state, x.local_count());
  } else {
    return -1;
  }
}

/// The memory of an operand that goes with this op, where nobody else holds it: a result of as many elements
/// may lie there, and what was just written is written again without having left the cache. Empty where there
/// is none.
template <class X>
Buffer memory_of_temporary(X&& x) {
  if constexpr (std::is_lvalue_reference_v<X> || std::is_const_v<std::remove_reference_t<X>>) {
    return {};
  } else {
    return x.shard().unique() ? std::move(x).take_shard() : Buffer();
  }
}

/// The result of an op before it is recorded, in `memory` where that is not empty.
template <class Op, class T, int N, class Over, class... Xs>
auto make_result_in(Buffer memory, const Shape& global, const Xs&... xs) {
  using Mesh = mesh_of<Xs...>;
  using L = result_layout_of<Op, Over, Xs...>;
  const Mesh& mesh = std::get<0>(std::tie(xs...)).mesh();
  TPX_EXPECTS((mesh.is(xs.mesh()) && ...), mesh.coordinate_text(),
              "the operands of an op are on one and the same mesh");
  (xs.shard().fetch(), ...);
  if constexpr ((is_ragged(Xs::spec) || ...)) {
    const std::pair<const Shape*, Spec> operands[] = {{&xs.shape(), Xs::spec}...};
    const Shape cut = with_operands_pieces(global, Op::rule, spec_v<L, typename Mesh::axes>, operands);
    if (!memory) memory = allocate_shard<T, L>(mesh, cut);
    return DTensor<T, N, L, Mesh, track_of<Xs...>>(mesh, cut, std::move(memory));
  } else {
    if (!memory) memory = allocate_shard<T, L>(mesh, global);
    return DTensor<T, N, L, Mesh, track_of<Xs...>>(mesh, global, std::move(memory));
  }
}
template <class Op, class T, int N, class Over, class... Xs>
auto make_result(const Shape& global, const Xs&... xs) {
  return make_result_in<Op, T, N, Over>(Buffer(), global, xs...);
}

/// Puts a result on the tape: `fill(record)` saves what the backward needs. Nothing where no operand wants a
/// gradient.
template <class Y, class Backward, class Fill, class... Xs>
Y record(Y y, Backward backward, Fill&& fill, const Xs&... xs) {
  if constexpr (recorded<Xs...>) {
    using Mesh = mesh_of<Xs...>;
    Tape<Mesh>& tape = tape_of(xs...);
    if (!tape.records()) return std::move(y).with_track({&tape, -1, tape.step()});
    const int in[] = {node_on(tape, xs)...};
    bool wanted = false;
    for (const int node : in) wanted = wanted || node >= 0;
    if (!wanted) return std::move(y).with_track({&tape, -1, tape.step()});
    const int out = tape.add_node(y.local_count());
    Record<Mesh>& r = tape.record(backward);
    for (std::size_t i = 0; i < sizeof...(Xs); ++i) r.in[i] = in[i];
    r.out = out;
    fill(r);
    return std::move(y).with_track({&tape, out, tape.step()});
  } else {
    (void)backward;
    (void)fill;
    return y;
  }
}

}  // namespace detail
}  // namespace tpx
