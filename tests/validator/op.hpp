// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tpx/layout/op_rule.hpp>
#include <tpx/layout/rule.hpp>
#include <tpx/layout/shape.hpp>

#include "validator/number.hpp"

namespace validator {

using tpx::OpRule;
using tpx::Shape;

using Index = std::array<std::int64_t, tpx::Spec::max_dims>;

/// Calls f(index) for each element of a shape, in order.
template <class F>
void for_each_index(const Shape& shape, F&& f) {
  Index i{};
  for (std::int64_t left = shape.count(); left > 0; --left) {
    f(static_cast<const Index&>(i));
    for (int d = shape.ndim() - 1; d >= 0 && ++i[static_cast<std::size_t>(d)] == shape[d]; --d)
      i[static_cast<std::size_t>(d)] = 0;
  }
}

/// A dense tensor of numbers; `first` is where it starts in the whole one, `whole` the extents of that.
struct Field {
  Shape shape;
  Shape whole;
  Index first{};
  std::vector<Number> data;

  Field() = default;
  explicit Field(const Shape& s) : shape(s), whole(s), data(static_cast<std::size_t>(s.count())) {}

  Number& operator[](const Index& i) { return data[place(i)]; }
  Number operator[](const Index& i) const { return data[place(i)]; }
  template <class... I>
  Number operator()(I... i) const {
    return (*this)[Index{static_cast<std::int64_t>(i)...}];
  }
  template <class... I>
  Number& operator()(I... i) {
    return (*this)[Index{static_cast<std::int64_t>(i)...}];
  }

 private:
  std::size_t place(const Index& i) const {
    std::int64_t at = 0;
    for (int d = 0; d < shape.ndim(); ++d) at = at * shape[d] + i[static_cast<std::size_t>(d)];
    return static_cast<std::size_t>(at);
  }
};

using Fields = std::vector<Field>;

/// An op of the library: its rule, which is the library's, and what it computes, written down as loops that
/// serve the whole tensors and each rank's shards alike.
struct Op {
  std::string name;
  OpRule rule;
  /// y, with its extents set, from the operands.
  std::function<void(const Fields& x, Field& y)> compute;
  unsigned without_gradient = 0;  ///< a bit for each operand that carries none
  bool over = false;              ///< can communicate over the axes that split what it needs whole
  /// Value of an operand that is not just any: ids, a mask.
  std::function<double(std::size_t operand, double uniform, const std::vector<Shape>&)> value{};
  /// Extents of the result where they are not those of the factors.
  std::function<Shape(const std::vector<Shape>&)> result{};
  /// Where the one rule does not judge the op: the layout of its result, none where it is refused.
  std::function<std::optional<tpx::Spec>(tpx::Spec)> layout{};
  /// What extents and pieces are multiples of, by factor; 1 for those behind the last.
  std::vector<std::int64_t> multiples{};
};

/// The library's verdict on an op.
inline tpx::Verdict judge(const Op& op, const tpx::Operand* operands, int axes, unsigned over = 0) {
  if (!op.layout) return tpx::apply(op.rule, operands, axes, over);
  tpx::Verdict verdict;
  if (const std::optional<tpx::Spec> result = op.layout(operands[0].spec))
    verdict.result = *result;
  else
    verdict.why = tpx::Why::whole_factor_sharded;
  return verdict;
}

/// Extents of the result that the operands' give.
inline Shape result_shape(const Op& op, const std::vector<Shape>& x) {
  if (op.result) return op.result(x);
  Shape y;
  for (int d = 0; d < op.rule.result_ndim; ++d) {
    for (int i = 0; i < op.rule.operands; ++i) {
      const int dim = op.rule.dim_of(i, op.rule.result[d]);
      if (dim < 0) continue;
      y.push_back(x[static_cast<std::size_t>(i)][dim]);
      break;
    }
  }
  return y;
}

}  // namespace validator
