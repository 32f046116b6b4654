// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <string>

#include <tpx/nn/gpt2.hpp>
#include <tpx/nn/model_file.hpp>

/// GPT-2 in the files it is published in.
namespace tpx {

namespace detail {

/// "h.0.attn.k.weight" is the second third of "h.0.attn.c_attn.weight".
inline StoredWeight fused_queries(const std::string& name) {
  StoredWeight stored{name};
  for (int part = 0; part < 3; ++part) {
    const std::string own = std::string(".attn.") + "qkv"[part] + ".";
    if (const std::size_t at = name.find(own); at != std::string::npos) {
      stored.name = std::string(name).replace(at, own.size(), ".attn.c_attn.");
      stored.part = part;
      stored.parts = 3;
    }
  }
  return stored;
}

}  // namespace detail

/// What a GGUF file of architecture gpt2 says of its model.
/// @throws tpx::Error naming the file and the key
inline Gpt2Config gpt2_config(const Gguf& file) {
  const detail::GgufSettings s(file);
  if (s.architecture() != "gpt2")
    fail("tpx::gpt2_config: '" + file.path() + "' is of architecture " + detail::quoted(s.architecture()) +
         "; expected 'gpt2'");
  Gpt2Config c;
  c.context = s.integer("context_length");
  c.layers = s.integer("block_count");
  c.hidden = s.integer("embedding_length");
  c.heads = s.integer("attention.head_count");
  c.ffn = s.integer("feed_forward_length");
  c.epsilon = s.real("attention.layer_norm_epsilon");
  const FileTensor& tokens = file.at("token_embd.weight");
  c.vocabulary = tokens.shape.ndim() > 0 ? tokens.shape[0] : 0;
  return c;
}

/// What the config.json beside safetensors says of its model.
/// @param settings  a ModelSettings
/// @throws tpx::Error naming the file and the setting
template <class Settings>
Gpt2Config gpt2_config(const Settings& settings) {
  const std::string type = settings.text("model_type"), gelu = settings.text("activation_function", "gelu_new");
  if (type != "gpt2" || gelu != "gelu_new")
    fail("tpx::gpt2_config: '" + settings.path() + "' is of model_type " + detail::quoted(type) + " with " +
         detail::quoted(gelu) + "; expected 'gpt2' with 'gelu_new'");
  Gpt2Config c;
  c.vocabulary = settings.integer("vocab_size");
  c.context = settings.integer("n_positions");
  c.layers = settings.integer("n_layer");
  c.hidden = settings.integer("n_embd");
  c.heads = settings.integer("n_head");
  c.ffn = settings.integer("n_inner", 4 * c.hidden);
  c.epsilon = settings.real("layer_norm_epsilon", 1e-5);
  return c;
}

/// The parameters in safetensors, whose linears are [in, out], with or without "transformer." before their
/// names.
inline FileWeights gpt2_weights(const TensorFile& file) {
  return FileWeights(file, [](const TensorFile& in, const std::string& name) {
    StoredWeight stored = detail::fused_queries(name);
    stored.name = detail::present(in, {stored.name, "transformer." + stored.name});
    stored.in_first = true;
    return stored;
  });
}

/// The parameters in a GGUF file.
inline FileWeights gpt2_weights(const Gguf& file) {
  return FileWeights(file, [](const TensorFile&, const std::string& name) {
    StoredWeight stored = detail::fused_queries(name);
    stored.name = detail::renamed(stored.name, {{"wte.", "token_embd."},
                                                {"wpe.", "position_embd."},
                                                {"ln_f.", "output_norm."},
                                                {"ln_1.", "attn_norm."},
                                                {"ln_2.", "ffn_norm."},
                                                {"attn.c_attn.", "attn_qkv."},
                                                {"attn.c_proj.", "attn_output."},
                                                {"mlp.c_fc.", "ffn_up."},
                                                {"mlp.c_proj.", "ffn_down."}});
    if (stored.name.rfind("h.", 0) == 0) stored.name.replace(0, 2, "blk.");
    return stored;
  });
}

}  // namespace tpx
