// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tpx/nn/kv_cache.hpp>
#include <tpx/ops/sample.hpp>
#include <tpx/tensor/factory.hpp>

namespace tpx {

/// Continues a batch of prompts, which may be of different lengths, token by token.
///
///   Generator generator(model, prompts.size(), capacity);
///   auto tokens = generator.start(prompts, options);      // one token of each
///   loop:  tokens = generator.next(tokens, options);
///
/// All ranks have all prompts and get all tokens; keys, values and logits are split as the model's plan says.
///
/// @tparam Model  Llama, Gpt2: has hidden(ids, positions, keys), project(x), config(), mesh()
template <class Model>
class Generator {
 public:
  using T = typename Model::element_type;
  using Mesh = typename Model::mesh_type;
  using Tokens = std::vector<std::int32_t>;

  /// @param capacity  positions that a sequence may have, prompt and answer
  /// @throws tpx::Error where these are more than the model's context
  Generator(const Model& model, std::int64_t batch, std::int64_t capacity)
      : model_(&model), cache_(model.mesh(), model.config().layers, batch, capacity), batch_(batch) {
    TPX_EXPECTS(batch >= 1, batch, "there is a prompt");
    if (capacity > model.config().context)
      fail("tpx::Generator: " + std::to_string(capacity) +
           " tokens, prompt and answer, are more than the context, which has " +
           std::to_string(model.config().context));
  }

  /// Reads the prompts, and gives the first token after each, in memory of the generator.
  /// @comm   the model's, once, and one of sample<over<axis>>
  /// @throws tpx::Error, on every rank, where a prompt is empty, does not fit or has a token outside the
  ///         vocabulary
  const Tokens& start(const std::vector<Tokens>& prompts, const SampleOptions& options) {
    TPX_EXPECTS(static_cast<std::int64_t>(prompts.size()) == batch_, prompts.size(), batch_);
    std::size_t longest = 0;
    filled_.clear();
    for (const Tokens& prompt : prompts) {
      check(prompt);
      longest = std::max(longest, prompt.size());
      filled_.push_back(static_cast<std::int32_t>(prompt.size()));
    }
    // Shorter ones are filled up: what a causal model says of a token does not depend on those after it.
    Tokens padded;
    for (const Tokens& prompt : prompts) {
      padded.insert(padded.end(), prompt.begin(), prompt.end());
      padded.resize(padded.size() + longest - prompt.size(), 0);
    }
    cache_.fill(Tokens(prompts.size(), 0), 0);
    step_ = options.step;
    const auto ids = on_mesh<2>({batch_, static_cast<std::int64_t>(longest)}, padded);
    const auto hidden = model_->hidden(ids, positions_of(ids), FirstKeys<Cache>{cache_});
    Tokens last = filled_;
    for (std::int32_t& n : last) --n;
    return choose(select_position(hidden, on_mesh<1>({batch_}, last)), options);
  }

  /// Adds one token to each sequence, and gives the next, in the same memory: a token allocates nothing.
  /// @comm   as start, for one position of each
  /// @throws tpx::Error where a sequence is full, or a token outside the vocabulary
  const Tokens& next(const Tokens& tokens, const SampleOptions& options) {
    TPX_EXPECTS(static_cast<std::int64_t>(tokens.size()) == batch_, tokens.size(), batch_);
    for (const std::int32_t n : filled_)
      if (n >= cache_.capacity())
        fail("tpx::Generator: the sequence has " + std::to_string(n) + " tokens, and room for no more");
    cache_.fill(filled_, 1);
    const auto ids = on_mesh<2>({batch_, 1}, tokens);
    const auto hidden = model_->hidden(ids, positions_of(ids, cache_.filled()), NextKeys<Cache>{cache_});
    for (std::int32_t& n : filled_) ++n;
    return choose(select_position(hidden, first_), options);
  }

  /// Forgets all but the first `positions` tokens of each sequence.
  void rewind(std::int32_t positions) {
    TPX_EXPECTS(positions >= 0, positions);
    for (std::int32_t& n : filled_) n = std::min(n, positions);
  }

  /// How many tokens each sequence has, but for the last that was given.
  const Tokens& filled() const { return filled_; }

 private:
  using Cache = KvCache<T, Mesh>;
  using axis = typename Model::plan_type::axis;

  void check(const Tokens& prompt) const {
    const auto size = static_cast<std::int64_t>(prompt.size());
    if (size == 0) fail("tpx::Generator: a prompt has no token");
    if (size > cache_.capacity())
      fail("tpx::Generator: a prompt of " + std::to_string(size) + " tokens is longer than the " +
           std::to_string(cache_.capacity()) + " there is room for");
    const std::int64_t vocabulary = model_->config().vocabulary;
    for (const std::int32_t id : prompt)
      if (id < 0 || id >= vocabulary)
        fail("tpx::Generator: token " + std::to_string(id) + " is not in the vocabulary, which has " +
             std::to_string(vocabulary));
  }

  template <int N>
  DTensor<std::int32_t, N, layout_t<>, Mesh> on_mesh(const Shape& shape, const Tokens& values) const {
    auto x = detail::make_tensor<std::int32_t, N, layout_t<>>(model_->mesh(), shape);
    if constexpr (Mesh::context_type::has_memory)
      detail::copy_from_host(model_->mesh(), values.data(), x.data(), x.local_count());
    return x;
  }

  template <class X>
  const Tokens& choose(const X& x, SampleOptions options) {
    const auto logits = model_->project(x);
    constexpr int place = detail::index_of<axis, typename Mesh::axes>;
    constexpr bool split = decltype(logits)::spec[place].kind == Kind::shard;
    options.step = step_++;
    const auto chosen = sample<std::conditional_t<split, over<axis>, over<>>>(logits, options);
    if constexpr (Mesh::context_type::has_memory)
      detail::copy_to_host(model_->mesh(), static_cast<const std::int32_t*>(chosen.data()), tokens_.data(),
                           batch_);
    return tokens_;
  }

  const Model* model_;
  Cache cache_;
  std::int64_t batch_;
  Tokens filled_, tokens_ = Tokens(static_cast<std::size_t>(batch_));
  std::uint64_t step_ = 0;
  DTensor<std::int32_t, 1, layout_t<>, Mesh> first_ = full<std::int32_t>(model_->mesh(), layout<>, {batch_}, 0);
};

}  // namespace tpx
