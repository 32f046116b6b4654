// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "support/reference.hpp"

/// The layers on one rank, in double, composed of the plain loops in support/reference.hpp. A layer keeps
/// what its backward needs; gradients of parameters add up, by name.
namespace model {

using reference::Array;
using reference::Index;

/// The parameters of a model by name, and their gradients.
struct Parameters {
  std::map<std::string, Array> value, gradient;

  const Array& operator[](const std::string& name) const { return value.at(name); }
  void add(const std::string& name, const Array& more) {
    Array& sum = gradient[name];
    sum.resize(more.size());
    for (std::size_t i = 0; i < more.size(); ++i) sum[i] += more[i];
  }
};

inline Array sum(Array a, const Array& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

/// y (rows, out) = x (rows, in) W + b
struct Linear {
  Parameters& p;
  std::string name;
  Index in, out;
  Array x{};

  Index rows() const { return static_cast<Index>(x.size()) / in; }
  Array forward(const Array& from) {
    x = from;
    return reference::bias_add(reference::matmul(x, p[name + ".weight"], rows(), out, in), p[name + ".bias"],
                               rows(), out);
  }
  Array backward(const Array& dy) {
    p.add(name + ".bias", reference::bias_gradient(dy, rows(), out));
    auto g = reference::matmul_backward(x, p[name + ".weight"], dy, rows(), out, in);
    p.add(name + ".weight", g.db);
    return g.da;
  }
};

struct Norm {
  Parameters& p;
  std::string name;
  Index features;
  Array x{};

  static constexpr double epsilon = 1e-5;
  Index rows() const { return static_cast<Index>(x.size()) / features; }
  Array forward(const Array& from) {
    x = from;
    return reference::layer_norm(x, p[name + ".weight"], p[name + ".bias"], rows(), features, epsilon).y;
  }
  Array backward(const Array& dy) {
    auto g = reference::layer_norm_backward(x, p[name + ".weight"], dy, rows(), features, epsilon);
    p.add(name + ".weight", g.dgamma);
    p.add(name + ".bias", g.dbeta);
    return g.dx;
  }
};

struct Mlp {
  Mlp(Parameters& p, const std::string& name, Index features, Index hidden)
      : in{p, name + ".in", features, hidden}, out{p, name + ".out", hidden, features} {}

  Linear in, out;
  Array inner{};

  Array forward(const Array& x) {
    inner = in.forward(x);
    return out.forward(reference::gelu_tanh(inner));
  }
  Array backward(const Array& dy) {
    return in.backward(reference::gelu_tanh_backward(inner, out.backward(dy)));
  }
};

/// Causal, of a batch of b sequences.
struct Attention {
  Attention(Parameters& p, const std::string& name, Index b, Index s, Index features, Index heads)
      : query{p, name + ".query", features, features},
        key{p, name + ".key", features, features},
        value{p, name + ".value", features, features},
        out{p, name + ".out", features, features},
        n{b, s, s, heads, heads, features / heads, true, 1 / std::sqrt(static_cast<double>(features / heads))} {
  }

  Linear query, key, value, out;
  reference::AttentionShape n;
  Array q{}, k{}, v{};

  Array forward(const Array& x) {
    q = query.forward(x);
    k = key.forward(x);
    v = value.forward(x);
    return out.forward(reference::attention(q, k, v, n).o);
  }
  Array backward(const Array& dy) {
    const auto g = reference::attention_backward(q, k, v, out.backward(dy), n);
    return sum(sum(query.backward(g.dq), key.backward(g.dk)), value.backward(g.dv));
  }
};

/// a = x + attention(norm(x)),   y = a + mlp(norm(a))
struct Block {
  Block(Parameters& p, const std::string& name, Index b, Index s, Index features, Index heads, Index hidden)
      : norm1{p, name + ".norm1", features},
        attention(p, name + ".attention", b, s, features, heads),
        norm2{p, name + ".norm2", features},
        mlp(p, name + ".mlp", features, hidden) {}

  Norm norm1;
  Attention attention;
  Norm norm2;
  Mlp mlp;

  Array forward(const Array& x) {
    const Array a = sum(x, attention.forward(norm1.forward(x)));
    return sum(a, mlp.forward(norm2.forward(a)));
  }
  Array backward(const Array& dy) {
    const Array da = sum(dy, norm2.backward(mlp.backward(dy)));
    return sum(da, norm1.backward(attention.backward(da)));
  }
};

/// The mean loss of a GPT whose output layer is its token table; fills in all gradients.
inline double gpt_loss(Parameters& p, const std::vector<std::int32_t>& ids,
                       const std::vector<std::int32_t>& targets, Index b, Index context, Index layers,
                       Index features, Index heads, Index hidden, Index vocabulary, Index classes) {
  const Index rows = b * context;
  std::vector<Block> blocks;
  for (Index i = 0; i < layers; ++i)
    blocks.emplace_back(p, "block" + std::to_string(i), b, context, features, heads, hidden);
  Norm norm{p, "norm", features};

  Array x = reference::embedding(ids, p["tokens"], vocabulary, features);
  x = reference::bias_add(x, p["positions"], b, context * features);
  for (Block& block : blocks) x = block.forward(x);
  const Array last = norm.forward(x);
  const Array logits = reference::matmul(last, p["tokens"], rows, vocabulary, features, false, true);
  auto entropy = reference::cross_entropy(logits, targets, rows, vocabulary, classes);

  for (double& d : entropy.dlogits) d /= static_cast<double>(rows);
  p.add("tokens", reference::matmul(entropy.dlogits, last, vocabulary, features, rows, true, false));
  Array dx = norm.backward(reference::matmul(entropy.dlogits, p["tokens"], rows, features, vocabulary));
  for (std::size_t i = blocks.size(); i-- > 0;) dx = blocks[i].backward(dx);
  p.add("positions", reference::bias_gradient(dx, b, context * features));
  p.add("tokens", reference::embedding_backward(ids, dx, vocabulary, features));
  return entropy.loss / static_cast<double>(rows);
}

}  // namespace model
