// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include <tpx/ops/flatten.hpp>
#include <tpx/tpx.hpp>

#include "validator/indexed.hpp"
#include "validator/loops.hpp"

/// The ops of the library as loops.
namespace validator {

// Functors by what they are called: the rule asks for no more.
struct linear {
  static constexpr tpx::Linearity linearity = tpx::Linearity::product;
};
struct sums {
  static constexpr tpx::Linearity linearity = tpx::Linearity::sum;
};
struct bends {};

struct Scores {
  static constexpr auto text = "b s d, b t d -> b s t";
};

/// flatten<0, 1>, as the library judges it.
inline Op flatten() {
  Op op = reread("flatten", 2);
  op.rule.result[1] = 2;
  op.result = [](const std::vector<Shape>& x) {
    const Shape y{x[0][0] * x[0][1], x[0][2]};
    return with_pieces_of(with_pieces_of(y, x[0], 0, 0, x[0][1], 1), x[0], 2, 1, 1, 1);
  };
  op.layout = [](tpx::Spec x) -> std::optional<tpx::Spec> {
    if (!tpx::detail::splits_none(x, 1, 1) || tpx::detail::partition_of(x, 0) == tpx::Partition::balanced)
      return {};
    return tpx::detail::flattened(x, 0, 1);
  };
  return op;
}

/// unflatten<1>(x, {n, 2}), as the library judges it.
inline Op unflatten() {
  Op op = reread("unflatten", 4);
  op.rule.result[3] = 2;
  op.multiples = {1, 2};
  op.result = [](const std::vector<Shape>& x) {
    const Shape y{x[0][0], x[0][1] / 2, 2, x[0][2]};
    return with_pieces_of(with_pieces_of(with_pieces_of(y, x[0], 0, 0, 1, 1), x[0], 1, 1, 1, 2), x[0], 2, 3, 1,
                          1);
  };
  op.layout = [](tpx::Spec x) -> std::optional<tpx::Spec> {
    if (tpx::detail::partition_of(x, 1) == tpx::Partition::balanced) return {};
    return tpx::detail::unflattened(x, 1, 2);
  };
  return op;
}

inline std::vector<Op> all_ops() {
  using namespace tpx::ops;
  const auto two = [](std::size_t last) {
    return [last](const std::vector<Number>& v) { return v[0] * sin(v[last]); };
  };
  const auto total = [](const std::vector<Number>& v) {
    Number sum = v[0];
    for (std::size_t i = 1; i < v.size(); ++i) sum = sum + v[i];
    return sum;
  };
  const auto curved = [](const std::vector<Number>& v) {
    Number sum = v[0];
    for (std::size_t i = 1; i < v.size(); ++i) sum = sin(sum) * v[i] + v[i];
    return sum;
  };
  const auto same = [](const std::vector<Number>& v) { return v[0]; };
  const auto as_float = [](const std::vector<Number>& v) {
    return combine(static_cast<double>(static_cast<float>(v[0].value)), v[0], 1);
  };
  const auto thirds = [](std::int64_t place) { return place % 3 == 0 ? 0.0 : 1.5; };
  std::vector<Op> ops{
      product("matmul", matmul<2, 2, 1>::rule),
      product("matmul of three dims", matmul<3, 2, 1>::rule),
      product("matmul<2>", matmul<3, 3, 2>::rule),
      product("matmul_transposed", matmul_transposed<2>::rule),
      product("scale", elementwise<linear, 2>::rule),
      product("multiply", elementwise_of_two<linear, 2, 2>::rule),
      product("multiply by a row", elementwise_of_two<linear, 2, 1>::rule),
      product("multiply three", elementwise_of_many<linear, 2, 1, 2>::rule),
      product("multiply four", elementwise_of_many<linear, 2, 2, 1, 1>::rule),
      pointwise("subtract", elementwise_of_two<sums, 2, 2>::rule,
                [](const std::vector<Number>& v) { return v[0] - v[1]; }),
      pointwise("add", add<2, 2>::rule, total),
      pointwise("add a bias", add<3, 1>::rule, total),
      pointwise("add three", elementwise_of_many<sums, 2, 2, 1>::rule, total),
      pointwise("add four", elementwise_of_many<sums, 2, 2, 2, 1>::rule, total),
      pointwise("elementwise", elementwise<bends, 2>::rule,
                [](const std::vector<Number>& v) { return sin(v[0]) + v[0] * v[0]; }),
      pointwise("elementwise of two", elementwise_of_two<bends, 2, 2>::rule, two(1)),
      pointwise("elementwise of three", elementwise_of_many<bends, 2, 2, 1>::rule, curved),
      pointwise("elementwise of four", elementwise_of_many<bends, 2, 1, 2, 2>::rule, curved),
      pointwise("elementwise of five", elementwise_of_many<bends, 2, 1, 1, 1, 1>::rule, curved),
      pointwise("cast to double", cast<float, double, 2>::rule, same),
      pointwise("cast to float", cast<double, float, 2>::rule, as_float),
      product("sum of all", sum<2>::rule),
      product("sum of the first dim", sum<2, 0>::rule),
      product("sum of two dims", sum<3, 0, 2>::rule),
      average("mean of all", sum<2>::rule, same),
      average("mean of two dims", sum<3, 0, 2>::rule, same),
      average("mean_squared_error", mean_squared_error<2>::rule,
              [](const std::vector<Number>& v) { return (v[0] - v[1]) * (v[0] - v[1]); }),
      product("transpose", transpose<1, 0>::rule),
      product("transpose of three dims", transpose<2, 0, 1>::rule),
      flatten(),
      unflatten(),
      softmax("softmax", tpx::ops::softmax<2, 1>::rule, 1, false),
      softmax("softmax of the first dim", tpx::ops::softmax<2, 0>::rule, 0, false),
      softmax("log_sum_exp", log_sum_exp<2, 1>::rule, 1, true),
      norm("layer_norm", layer_norm<2>::rule, true),
      norm("rms_norm", rms_norm<2>::rule, false),
      cross_entropy<2>("cross_entropy"),
      cross_entropy<3>("cross_entropy of three dims"),
      embedding(),
      dropout(tpx::ops::dropout<2>::rule, thirds),
      masked("where", where<2, 2>::rule, 0, false),
      masked("where, mask of a row", where<2, 1>::rule, 0, false),
      masked("masked_fill", masked_fill<2, 1>::rule, 1, true),
      slice(tpx::ops::slice<2, 1>::rule),
      concatenate(tpx::ops::concatenate<2, 1, 2>::rule),
      product("einsum", einsum<Scores, 3, 3>::rule),
      extreme("max", max<2, 1>::rule, true),
      extreme("max of two dims", max<3, 0, 2>::rule, true),
      extreme("min", min<2, 1>::rule, false),
      extreme("min of all", min<2>::rule, false),
      euclidean_norm("norm", tpx::ops::norm<2, 1>::rule),
      euclidean_norm("norm of two dims", tpx::ops::norm<3, 0, 2>::rule),
      index_select(),
      index_add(),
      rotary(),
      mean_pool(),
      select_position(),
      store_positions(),
      sample(),
      attention("attention", tpx::ops::attention<>::rule),
      attention("attention of lengths", tpx::ops::attention<true>::rule),
      grouped_attention("grouped_attention", tpx::ops::grouped_attention<>::rule),
      grouped_attention("grouped_attention of lengths", tpx::ops::grouped_attention<true>::rule),
      shared_attention("shared_attention", tpx::ops::shared_attention<>::rule),
      shared_attention("shared_attention of lengths", tpx::ops::shared_attention<true>::rule)};
  // Of integers altogether, where nothing tells an index from what it indexes by its gradient.
  for (Op op : {embedding(), index_select(), index_add(), select_position()}) {
    op.name += " of integers";
    op.without_gradient = ~0u;
    ops.push_back(std::move(op));
  }
  return ops;
}

}  // namespace validator
