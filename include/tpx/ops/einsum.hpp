// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include <tpx/kernel/contract.hpp>
#include <tpx/ops/matmul.hpp>

namespace tpx {

namespace detail {

/// What is wrong with the text of a product of two operands.
enum class EinsumText : unsigned char { fits, none, dims, factors };

/// @pre none: nothing is thrown, so that the sentence is ours
constexpr EinsumText check_einsum(std::string_view text, int x_ndim, int w_ndim) {
  constexpr int arrays = 3;
  FactorNames names;
  int seen[48]{};  // a bit for each array
  int ndim[arrays]{}, at = 0;
  bool twice = false;
  Words words{text};
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
    if (word == "," || word == "->") {
      if (++at == arrays || (word == "->") != (at == 2)) return EinsumText::dims;
      continue;
    }
    if (word == "..." || names.count == 47) return EinsumText::dims;
    int& in = seen[names.of(word)];
    twice = twice || (in >> at & 1) != 0;
    in |= 1 << at;
    ++ndim[at];
  }
  if (at != 2 || ndim[0] != x_ndim || ndim[1] != w_ndim) return EinsumText::dims;
  // In two of the three arrays at least: a kept factor is an operand's, a summed one is both operands'.
  for (int f = 0; f < names.count; ++f) twice = twice || seen[f] == 1 || seen[f] == 2 || seen[f] == 4;
  return twice ? EinsumText::factors : EinsumText::fits;
}

template <class Text>
concept HasText = requires {
  typename std::integral_constant<std::size_t, std::string_view(Text::text).size()>;
};

template <bool fits, class... Facts>
constexpr void an_einsum_is_given_by_a_struct() {
  static_assert(fits,
                "tpx::einsum: it is given by a struct that says static constexpr auto text = "
                "\"b s k, k n -> b s n\" (see op)");
}
template <bool fits, class... Facts>
constexpr void an_einsum_names_its_dims() {
  static_assert(
      fits,
      "tpx::einsum: the text is two operands and a result, as in \"b s k, k n -> b s n\", with a name for "
      "each dim that the operands have (see op)");
}
template <bool fits, class... Facts>
constexpr void an_einsum_shares_its_factors() {
  static_assert(
      fits,
      "tpx::einsum: a name stands once in an operand, and in two of operands and result: what is summed "
      "over is a dim of both operands, a sum over a dim of one is taken before by sum<dim>(x) (see op)");
}

}  // namespace detail

namespace ops {

template <class Text, int XDims, int WDims>
struct einsum {
  static constexpr OpRule rule = op_rule(Text::text, Linearity::product, {XDims, WDims});
};

}  // namespace ops

namespace detail {

inline kernel::Labelled labelled(const OpRule& rule, int operand, const Shape& local) {
  kernel::Labelled x;
  for (int d = 0; d < local.ndim(); ++d)
    x.push_back(operand < rule.operands ? rule.factor[operand][d] : rule.result[d], local[d]);
  return x;
}

/// The result's labels and extents, from those of the operands.
inline kernel::Labelled labelled_result(const OpRule& rule, const kernel::Labelled& x,
                                        const kernel::Labelled& w) {
  kernel::Labelled y;
  for (int d = 0; d < rule.result_ndim; ++d) {
    const int l = rule.result[d], in_x = x.find(l);
    y.push_back(l, in_x >= 0 ? x.extent[in_x] : w.extent[w.find(l)]);
  }
  return y;
}

/// c (+)= a b, with memory of the mesh for what has to be copied.
template <class T, class Mesh>
void contract(const Mesh& mesh, const kernel::Labelled& of_a, const kernel::Labelled& of_b,
              const kernel::Labelled& of_c, const T* a, const T* b, T* c, bool accumulate) {
  const kernel::Contraction plan(of_a, of_b, of_c);
  const Buffer scratch = plan.scratch() > 0 ? allocate<T>(mesh, plan.scratch()) : Buffer();
  mesh.context().launch(
      {plan.flops(), (plan.elements() + 2 * plan.scratch()) * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
        kernel::contract<gemm_of<Mesh>>(exec, plan, a, b, c, scratch.template as<T>(), accumulate);
      });
}

/// dX (+)= dY W,  dW (+)= dY X, each over what is not its own;  shape that of the shard of x, extents w's.
template <class Op, class T, class Mesh>
void einsum_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::einsum_bwd");
  Shape of_w;
  for (int d = 0; d < Op::rule.ndim[1]; ++d) of_w.push_back(r.extent[d]);
  const kernel::Labelled x = labelled(Op::rule, 0, r.shape), w = labelled(Op::rule, 1, of_w);
  const kernel::Labelled y = labelled_result(Op::rule, x, w);
  const T* dy = tape.template gradient_of<T>(r.out);
  if (const Sink<T> dx = tape.template sink<T>(r.in[0]))
    contract<T>(tape.mesh(), y, w, x, dy, r.saved[1].template as<T>(), dx.data, dx.accumulate);
  if (const Sink<T> dw = tape.template sink<T>(r.in[1]))
    contract<T>(tape.mesh(), y, x, w, dy, r.saved[0].template as<T>(), dw.data, dw.accumulate);
}

}  // namespace detail

/// A product of two tensors whose dims are named: what is named in both operands and not in the result is
/// summed over. `Text` is a struct with the text, which messages name:
///
///   struct Scores { static constexpr auto text = "b s h d, b t h d -> b h s t"; };
///   auto a = einsum<Scores>(q, k);
///
///   q  [b@dp,s,h@tp,d]    k  [b@dp,t,h@tp,d]    a  [b@dp,h@tp,s,t]
///   q  [b,s,h,d@tp]       k  [b,t,h,d@tp]       a  [b,h,s,t]{P:tp}      a summed dim that is split: terms
///   q  [b,s@tp,h,d]       k  [b,t,h,d]{R:tp}    a  [b,h,s@tp,t]
///
/// One GEMM for each index of the dims that all three have; the others are folded into its rows, columns and
/// transposes where strides can say where they lie, else the array is copied once into another order.
///
/// @pre    a name stands once in an operand, and in two of operands and result; equal names have equal extents
/// @post   the gathered result is the one-rank product, to rounding
/// @comm   none, forward or backward: the redistributes around it pay
/// @throws tpx::Error naming both operands where extents differ
template <class Text, Tensor X, Tensor W>
auto einsum(const X& x, const W& w) {
  constexpr detail::EinsumText fits = [] {
    if constexpr (detail::HasText<Text>) return detail::check_einsum(Text::text, X::ndim, W::ndim);
    return detail::EinsumText::none;
  }();
  detail::an_einsum_is_given_by_a_struct<fits != detail::EinsumText::none, detail::op<Text>>();
  detail::an_einsum_names_its_dims<fits != detail::EinsumText::dims, detail::op<Text>>();
  detail::an_einsum_shares_its_factors<fits != detail::EinsumText::factors, detail::op<Text>>();
  static_assert(X::ndim <= 8 && W::ndim <= 8, "tpx::einsum: an operand has at most eight dims");
  if constexpr (fits != detail::EinsumText::fits) {
    return refused{};
  } else {
    using Op = ops::einsum<Text, X::ndim, W::ndim>;
    if constexpr (!detail::admits<Op, over<>, X, W>()) {
      return refused{};
    } else {
      using T = typename X::element_type;
      constexpr const OpRule& rule = Op::rule;
      const detail::Region region("tpx::einsum");
      for (int d = 0; d < W::ndim; ++d) {
        const int in_x = rule.dim_of(0, rule.factor[1][d]);
        TPX_EXPECTS(in_x < 0 || x.extent(in_x) == w.extent(d), x.describe(), w.describe(), Text::text);
      }
      Shape global;
      for (int d = 0; d < rule.result_ndim; ++d) {
        const int in_x = rule.dim_of(0, rule.result[d]);
        global.push_back(in_x >= 0 ? x.extent(in_x) : w.extent(rule.dim_of(1, rule.result[d])));
      }
      const Shape of_x = x.local_shape(), of_w = w.local_shape();
      auto y = detail::make_result<Op, T, rule.result_ndim, over<>>(global, x, w);
      detail::contract<T>(x.mesh(), detail::labelled(rule, 0, of_x), detail::labelled(rule, 1, of_w),
                          detail::labelled(rule, 2, y.local_shape()), x.data(), w.data(), y.data(), false);
      return detail::record(
          std::move(y), &detail::einsum_backward<Op, T, typename X::mesh_type>,
          [&](auto& r) {
            r.saved[0] = x.shard();
            r.saved[1] = w.shard();
            r.shape = of_x;
            for (int d = 0; d < W::ndim; ++d) r.extent[d] = of_w[d];
          },
          x, w);
    }
  }
}

template <class Text, class W>
refused einsum(refused, const W&) {
  return {};
}
template <class Text, Tensor X>
refused einsum(const X&, refused) {
  return {};
}

}  // namespace tpx
