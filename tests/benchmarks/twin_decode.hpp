// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "twin_parts.hpp"

/// One token of a Llama split over ranks, as one writes it by hand in C++ with MPI and the BLAS.
namespace tpx::benchmark {

/// The whole model's extents, and this rank's part of them.
struct DecodeExtents {
  int layers, hidden, head_dim, queries_per_group, groups, ffn, vocabulary, first_token, capacity;
  float epsilon, rope_base;
};

/// Rank r has some groups of query heads with their key head, some features of each MLP and some rows of the
/// table. Sums over ranks: the token's embedding, and two a layer.
///
/// @tparam Gemm  who multiplies
template <class Gemm>
class TwinDecode {
 public:
  using Weights = std::map<std::string, std::vector<float>>;

  /// This rank's parts of the weights, [in, out] each, by their names in files.
  TwinDecode(MPI_Comm world, const DecodeExtents& extents, const Weights& weights)
      : world_(world),
        n_(extents),
        table_(weights.at("model.embed_tokens.weight")),
        norm_(weights.at("model.norm.weight")) {
    for (int i = 0; i < n_.layers; ++i) {
      const std::string name = "model.layers." + std::to_string(i) + ".";
      const auto of = [&](const char* what) -> const std::vector<float>& {
        return weights.at(name + what + ".weight");
      };
      layers_.push_back({Floats(of("input_layernorm")), Floats(of("self_attn.q_proj")),
                         Floats(of("self_attn.k_proj")), Floats(of("self_attn.v_proj")),
                         Floats(of("self_attn.o_proj")), Floats(of("post_attention_layernorm")),
                         Floats(of("mlp.gate_proj")), Floats(of("mlp.up_proj")), Floats(of("mlp.down_proj")),
                         Floats(count(n_.capacity, n_.groups * n_.head_dim)),
                         Floats(count(n_.capacity, n_.groups * n_.head_dim))});
    }
    int ranks = 0;
    check_mpi(MPI_Comm_size(world, &ranks), "MPI_Comm_size");
    found_.resize(2 * static_cast<std::size_t>(ranks));
  }

  /// The token after `token`, which is at `position`.
  int step(int token, int position) {
    const int row = token - n_.first_token;
    if (row >= 0 && row < n_.vocabulary) {
      std::copy_n(table_.data() + count(row, n_.hidden), n_.hidden, terms_.data());
    } else {
      std::fill_n(terms_.data(), n_.hidden, 0.0F);
    }
    sum_over_ranks(world_, terms_.data(), x_.data(), x_.size());
    find_angles(position);
    for (Layer& layer : layers_) {
      attention(layer, position);
      mlp(layer);
    }
    norm(norm_.data());
    Gemm::multiply(CblasNoTrans, CblasTrans, 1, n_.vocabulary, n_.hidden, y_.data(), table_.data(),
                   logits_.data());
    return largest_of_ranks();
  }

 private:
  struct Layer {
    Floats norm1, wq, wk, wv, wo, norm2, gate, up, down, keys, values;
  };

  void attention(Layer& layer, int position) {
    const int d = n_.head_dim, heads = n_.groups * n_.queries_per_group, width = n_.groups * d;
    norm(layer.norm1.data());
    float* const key = layer.keys.data() + count(position, width);
    float* const value = layer.values.data() + count(position, width);
    Gemm::multiply(CblasNoTrans, CblasNoTrans, 1, heads * d, n_.hidden, y_.data(), layer.wq.data(), q_.data());
    Gemm::multiply(CblasNoTrans, CblasNoTrans, 1, width, n_.hidden, y_.data(), layer.wk.data(), key);
    Gemm::multiply(CblasNoTrans, CblasNoTrans, 1, width, n_.hidden, y_.data(), layer.wv.data(), value);
    turn(q_.data(), heads);
    turn(key, n_.groups);
    const float scale = 1.0F / std::sqrt(static_cast<float>(d));
    for (int h = 0; h < heads; ++h) {
      const int g = h / n_.queries_per_group;
      const float* query = q_.data() + h * d;
      float largest = -std::numeric_limits<float>::infinity(), sum = 0;
      for (int j = 0; j <= position; ++j) {
        scores_.data()[j] = scale * dot(query, layer.keys.data() + count(j, width) + g * d, d);
        largest = std::max(largest, scores_.data()[j]);
      }
      for (int j = 0; j <= position; ++j) scores_.data()[j] = math::exp(scores_.data()[j] - largest);
      for (int j = 0; j <= position; ++j) sum += scores_.data()[j];
      float* out = o_.data() + h * d;
      std::fill_n(out, d, 0.0F);
      for (int j = 0; j <= position; ++j) {
        const float p = scores_.data()[j] / sum;
        const float* v = layer.values.data() + count(j, width) + g * d;
        for (int c = 0; c < d; ++c) out[c] += p * v[c];
      }
    }
    Gemm::multiply(CblasNoTrans, CblasNoTrans, 1, n_.hidden, heads * d, o_.data(), layer.wo.data(),
                   terms_.data());
    add_over_ranks();
  }

  void mlp(Layer& layer) {
    norm(layer.norm2.data());
    Gemm::multiply(CblasNoTrans, CblasNoTrans, 1, n_.ffn, n_.hidden, y_.data(), layer.gate.data(),
                   gate_.data());
    Gemm::multiply(CblasNoTrans, CblasNoTrans, 1, n_.ffn, n_.hidden, y_.data(), layer.up.data(), up_.data());
    float *gate = gate_.data(), *up = up_.data();
    for (int c = 0; c < n_.ffn; ++c) gate[c] = gate[c] / (1.0F + math::exp(-gate[c])) * up[c];
    Gemm::multiply(CblasNoTrans, CblasNoTrans, 1, n_.hidden, n_.ffn, gate, layer.down.data(), terms_.data());
    add_over_ranks();
  }

  static float dot(const float* a, const float* b, int n) {
    constexpr int ways = 16;
    float part[ways] = {}, sum = 0;
    int c = 0;
    for (; c + ways <= n; c += ways) {
      for (int w = 0; w < ways; ++w) part[w] += a[c + w] * b[c + w];
    }
    for (; c < n; ++c) sum += a[c] * b[c];
    for (int w = 0; w < ways; ++w) sum += part[w];
    return sum;
  }

  /// y = gain x / sqrt(mean of x^2 + epsilon)
  void norm(const float* gain) {
    const float scale =
        1.0F / std::sqrt(dot(x_.data(), x_.data(), n_.hidden) / static_cast<float>(n_.hidden) + n_.epsilon);
    for (int c = 0; c < n_.hidden; ++c) y_.data()[c] = x_.data()[c] * scale * gain[c];
  }

  void find_angles(int position) {
    const int half = n_.head_dim / 2;
    for (int c = 0; c < half; ++c) {
      const double angle = position * std::pow(static_cast<double>(n_.rope_base), -2.0 * c / n_.head_dim);
      cosine_.data()[c] = static_cast<float>(std::cos(angle));
      sine_.data()[c] = static_cast<float>(std::sin(angle));
    }
  }
  void turn(float* x, int heads) const {
    const int half = n_.head_dim / 2;
    const float *cosine = cosine_.data(), *sine = sine_.data();
    for (int h = 0; h < heads; ++h, x += n_.head_dim) {
      for (int c = 0; c < half; ++c) {
        const float first = x[c], second = x[half + c];
        x[c] = first * cosine[c] - second * sine[c];
        x[half + c] = second * cosine[c] + first * sine[c];
      }
    }
  }

  void add_over_ranks() {
    sum_over_ranks(world_, terms_.data(), y_.data(), y_.size());
    for (int c = 0; c < n_.hidden; ++c) x_.data()[c] += y_.data()[c];
  }

  int largest_of_ranks() {
    const float* best = std::max_element(logits_.data(), logits_.data() + n_.vocabulary);
    const double mine[2] = {static_cast<double>(*best),
                            static_cast<double>(n_.first_token + (best - logits_.data()))};
    check_mpi(MPI_Allgather(mine, 2, MPI_DOUBLE, found_.data(), 2, MPI_DOUBLE, world_), "MPI_Allgather");
    std::size_t at = 0;
    for (std::size_t r = 2; r < found_.size(); r += 2)
      if (found_[r] > found_[at]) at = r;
    return static_cast<int>(found_[at + 1]);
  }

  MPI_Comm world_;
  DecodeExtents n_;
  Floats table_, norm_;
  std::vector<Layer> layers_;
  std::vector<double> found_;
  Floats x_{count(1, n_.hidden)}, y_{count(1, n_.hidden)}, terms_{count(1, n_.hidden)};
  Floats q_{count(n_.groups * n_.queries_per_group, n_.head_dim)}, o_{q_.size()};
  Floats gate_{count(1, n_.ffn)}, up_{count(1, n_.ffn)}, logits_{count(1, n_.vocabulary)};
  Floats scores_{count(1, n_.capacity)}, cosine_{count(1, n_.head_dim)}, sine_{count(1, n_.head_dim)};
};

}  // namespace tpx::benchmark
