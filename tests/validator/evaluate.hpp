// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "layout/simulate.hpp"
#include "validator/op.hpp"

namespace validator {

using simulate::Tensor;

struct Answer {
  Tensor value{Shape{}};
  std::vector<Tensor> gradients;
};

/// The op on these operands, parts of whole ones, and the gradients when that of the result is given.
inline Answer evaluate(const Op& op, const std::vector<Tensor>& x, const std::vector<Index>& first,
                       const std::vector<Shape>& whole, const std::function<Tensor(const Shape&)>& gradient) {
  trace().clear();
  Fields fields;
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < x.size(); ++i) {
    Field f(x[i].shape);
    f.first = first[i];
    f.whole = whole[i];
    for (std::size_t e = 0; e < f.data.size(); ++e)
      f.data[e] = op.without_gradient >> i & 1u ? Number(x[i].data[e]) : leaf(x[i].data[e]);
    fields.push_back(std::move(f));
    shapes.push_back(x[i].shape);
  }
  Field y(result_shape(op, shapes));
  op.compute(fields, y);
  Answer answer{Tensor(y.shape), {}};
  for (std::size_t e = 0; e < y.data.size(); ++e) answer.value.data[e] = y.data[e].value;
  if (!gradient) return answer;
  const Tensor dy = gradient(y.shape);
  std::vector<double> seed(trace().size());
  for (std::size_t e = 0; e < y.data.size(); ++e)
    if (y.data[e].node >= 0) seed[static_cast<std::size_t>(y.data[e].node)] += dy.data[e];
  const std::vector<double> derivative = trace().backward(std::move(seed));
  for (const Field& f : fields) {
    Tensor dx(f.shape);
    for (std::size_t e = 0; e < f.data.size(); ++e)
      if (f.data[e].node >= 0) dx.data[e] = derivative[static_cast<std::size_t>(f.data[e].node)];
    answer.gradients.push_back(std::move(dx));
  }
  return answer;
}

/// The op on one rank, which has everything.
inline Answer evaluate(const Op& op, const std::vector<Tensor>& x, const Tensor& gradient) {
  std::vector<Shape> whole;
  for (const Tensor& t : x) whole.push_back(t.shape);
  return evaluate(op, x, std::vector<Index>(x.size()), whole, [&](const Shape&) { return gradient; });
}

}  // namespace validator
