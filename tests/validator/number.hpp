// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

/// Numbers that remember what they were computed from, so that an op is written down once, as loops, and its
/// gradient is no second text that could be wrong in the same way.
namespace validator {

/// What all numbers since clear() were computed from: each from two others at most.
class Trace {
 public:
  struct Node {
    int left = -1, right = -1;
    double by_left = 0, by_right = 0;
  };

  int add(int left, double by_left, int right = -1, double by_right = 0) {
    nodes_.push_back({left, right, by_left, by_right});
    return static_cast<int>(nodes_.size()) - 1;
  }
  void clear() { nodes_.clear(); }

  /// Derivatives of the sum of seed[i] times number i, with respect to all numbers.
  std::vector<double> backward(std::vector<double> seed) const {
    seed.resize(nodes_.size());
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      const Node& n = nodes_[i];
      if (n.left >= 0) seed[static_cast<std::size_t>(n.left)] += seed[i] * n.by_left;
      if (n.right >= 0) seed[static_cast<std::size_t>(n.right)] += seed[i] * n.by_right;
    }
    return seed;
  }
  std::size_t size() const { return nodes_.size(); }

 private:
  std::vector<Node> nodes_;
};

inline Trace& trace() {
  static Trace one;
  return one;
}

/// A constant (node -1), or a number on the trace.
struct Number {
  double value = 0;
  int node = -1;

  Number() = default;
  Number(double constant) : value(constant) {}
  Number(double v, int n) : value(v), node(n) {}
};

inline Number leaf(double value) { return {value, trace().add(-1, 0)}; }

inline Number combine(double value, Number a, double by_a, Number b = {}, double by_b = 0) {
  if (a.node < 0 && b.node < 0) return {value};
  return {value, trace().add(a.node, by_a, b.node, by_b)};
}

inline Number operator+(Number a, Number b) { return combine(a.value + b.value, a, 1, b, 1); }
inline Number operator-(Number a, Number b) { return combine(a.value - b.value, a, 1, b, -1); }
inline Number operator*(Number a, Number b) { return combine(a.value * b.value, a, b.value, b, a.value); }
inline Number operator/(Number a, Number b) {
  const double q = a.value / b.value;
  return combine(q, a, 1 / b.value, b, -q / b.value);
}
inline Number exp(Number a) { return combine(std::exp(a.value), a, std::exp(a.value)); }
inline Number log(Number a) { return combine(std::log(a.value), a, 1 / a.value); }
inline Number sin(Number a) { return combine(std::sin(a.value), a, std::cos(a.value)); }
/// The first of two where they are equal.
inline Number larger(Number a, Number b) { return a.value >= b.value ? a : b; }
inline Number smaller(Number a, Number b) { return a.value <= b.value ? a : b; }
inline Number sqrt(Number a) { return combine(std::sqrt(a.value), a, 0.5 / std::sqrt(a.value)); }

}  // namespace validator
