// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <initializer_list>
#include <string_view>
#include <type_traits>

#include <tpx/core/error.hpp>
#include <tpx/layout/spec.hpp>

namespace tpx {

/// In which way an op depends on its operands: what it may do with a Partial one follows from it.
enum class Linearity : unsigned char {
  product,   ///< linear in each operand by itself: matmul, scale by a constant
  sum,       ///< linear in all of them together: add
  nonlinear  ///< none of that: gelu, softmax
};

/// What the layout rule knows of an op: the factors that index its operands and its result, which of them
/// it needs whole, and how it depends on its operands. A factor that no result dim has is contracted.
struct OpRule {
  static constexpr int max_operands = 8;
  static constexpr int max_ndim = Spec::max_dims;

  Linearity linearity = Linearity::product;
  Reduction reduction = Reduction::sum;  ///< by which the terms of a contracted factor become one
  int operands = 0;
  int ndim[max_operands]{};
  signed char factor[max_operands][max_ndim]{};
  int result_ndim = 0;
  signed char result[max_ndim]{};
  unsigned long long whole = 0;  ///< bit set of factors
  unsigned values = 0;           ///< bit set of operands: indices, lengths, masks, which are no terms of sums
  bool fits = true;              ///< whether the text that it was read from is one

  constexpr int dim_of(int operand, int f) const {
    for (int d = 0; d < ndim[operand]; ++d)
      if (factor[operand][d] == f) return d;
    return -1;
  }
  constexpr int result_dim_of(int f) const {
    for (int d = 0; d < result_ndim; ++d)
      if (result[d] == f) return d;
    return -1;
  }
};

namespace detail {

/// Splits an op's text into words; ',' and '->' are words by themselves.
struct Words {
  std::string_view rest;

  constexpr std::string_view next() {
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    if (rest.empty()) return {};
    std::size_t n = 0;
    if (rest.front() == ',') {
      n = 1;
    } else if (rest.substr(0, 2) == "->") {
      n = 2;
    } else {
      while (n < rest.size() && rest[n] != ' ' && rest[n] != ',' && rest.substr(n, 2) != "->") ++n;
    }
    const std::string_view word = rest.substr(0, n);
    rest.remove_prefix(n);
    return word;
  }
};

/// Number of a factor's name, in order of first appearance.
struct FactorNames {
  std::string_view name[48]{};
  int count = 0;

  constexpr int of(std::string_view word) {
    for (int i = 0; i < count; ++i)
      if (name[i] == word) return i;
    name[count] = word;
    return count++;
  }
};

}  // namespace detail

/// Reads an op's rule from its text, as in `op_rule("b s k, k n -> b s n", Linearity::product)`.
///
/// `...` stands for the dims that are left when the named ones of its operand have been counted; it means
/// the same dims wherever it stands. `whole` names the factors that the op needs unsplit, `values` has a bit
/// for each operand that is an index, a length or a mask.
/// @pre ndim[i] is the number of dims of operand i, as many as the text gives it; whole is made of factors of
///      the text. Otherwise the rule does not fit, and where it is read while a program runs tpx::Error.
constexpr OpRule op_rule(std::string_view text, Linearity linearity, std::initializer_list<int> ndim,
                         std::string_view whole = {}, unsigned values = 0) {
  OpRule rule;
  // Nothing is thrown while compiling: the op's sentence is to be the only error.
  const auto faulty = [](const char* why) {
    if (!std::is_constant_evaluated()) throw Error(why);
    OpRule none;
    none.fits = false;
    return none;
  };
  rule.linearity = linearity;
  rule.values = values;
  rule.operands = static_cast<int>(ndim.size());
  if (rule.operands > OpRule::max_operands) return faulty("tpx::op_rule: an op has at most eight operands");
  detail::FactorNames names;
  constexpr int ellipsis = 48;  // the factors behind `...` are 48, 49, ...
  int ellipsis_ndim = 0;

  // Pass 1 finds how many dims `...` stands for, pass 2 fills in the factors.
  for (int pass = 0; pass < 2; ++pass) {
    detail::Words words{text};
    int operand = 0;
    int named = 0;
    bool open = false;
    int d = 0;
    bool in_result = false;
    for (;;) {
      const std::string_view word = words.next();
      const bool ends = word.empty() || word == "," || word == "->";
      if (!ends && word == "...") {
        open = true;
        for (int i = 0; pass == 1 && i < ellipsis_ndim; ++i)
          (in_result ? rule.result[d++] : rule.factor[operand][d++]) = static_cast<signed char>(ellipsis + i);
      } else if (!ends) {
        ++named;
        const int f = names.of(word);
        if (pass == 1) (in_result ? rule.result[d++] : rule.factor[operand][d++]) = static_cast<signed char>(f);
      } else {
        if (!in_result) {
          if (operand == rule.operands)
            return faulty("tpx::op_rule: the text has more operands than ndim has numbers");
          const int have = *(ndim.begin() + operand);
          if (pass == 0 && open) ellipsis_ndim = have - named;
          if (pass == 1 && d != have)
            return faulty("tpx::op_rule: an operand has another number of dims than the text");
          if (pass == 1) rule.ndim[operand] = d;
          ++operand;
        } else if (pass == 1) {
          rule.result_ndim = d;
        }
        named = 0;
        d = 0;
        open = false;
        if (word == "->") in_result = true;
        if (word.empty()) break;
      }
    }
    if (!in_result || operand != rule.operands)
      return faulty(
          "tpx::op_rule: the text is operands, as many as ndim has numbers, then '->' and the result");
  }
  detail::Words words{whole};
  const int known = names.count;
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
    const int f = names.of(word);
    if (f >= known) return faulty("tpx::op_rule: a factor that is needed whole is one of the operands'");
    rule.whole |= 1ull << f;
  }
  return rule;
}

}  // namespace tpx
