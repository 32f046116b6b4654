// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string>

#include <tpx/nn/llama.hpp>
#include <tpx/nn/model_file.hpp>

/// Llama, SmolLM2, Mistral and Qwen2 in the files they are published in.
namespace tpx {

/// What a GGUF file of architecture llama or qwen2 says of its model.
/// @throws tpx::Error naming the file and the key
inline LlamaConfig llama_config(const Gguf& file) {
  const detail::GgufSettings s(file);
  if (s.architecture() != "llama" && s.architecture() != "qwen2")
    fail("tpx::llama_config: '" + file.path() + "' is of architecture " + detail::quoted(s.architecture()) +
         "; expected 'llama' or 'qwen2'");
  LlamaConfig c;
  c.context = s.integer("context_length");
  c.layers = s.integer("block_count");
  c.hidden = s.integer("embedding_length");
  c.heads = s.integer("attention.head_count");
  c.kv_heads = s.integer("attention.head_count_kv", c.heads);
  if (c.heads < 1) fail("tpx::llama_config: '" + file.path() + "' is of " + std::to_string(c.heads) + " heads");
  c.head_dim = s.integer("attention.key_length", c.hidden / c.heads);
  c.ffn = s.integer("feed_forward_length");
  c.epsilon = s.real("attention.layer_norm_rms_epsilon");
  c.rope_base = s.real("rope.freq_base", 10000.0);
  const FileTensor& tokens = file.at("token_embd.weight");
  c.vocabulary = tokens.shape.ndim() > 0 ? tokens.shape[0] : 0;
  c.attention_bias = file.find("blk.0.attn_q.bias") != nullptr;
  c.tied = file.find("output.weight") == nullptr;
  return c;
}

/// What the config.json beside safetensors says of its model: llama, mistral or qwen2.
/// @param settings  a ModelSettings
/// @throws tpx::Error naming the file and the setting
template <class Settings>
LlamaConfig llama_config(const Settings& settings) {
  const std::string type = settings.text("model_type");
  const auto refuse = [&](const std::string& what) {
    fail("tpx::llama_config: '" + settings.path() + "' " + what);
  };
  if (type != "llama" && type != "mistral" && type != "qwen2")
    refuse("is of model_type " + detail::quoted(type) + "; expected 'llama', 'mistral' or 'qwen2'");
  const auto plain = [&](const char* key) { return settings.text(key, "default") == "default"; };
  if (settings.has("rope_scaling") || !plain("rope_parameters.rope_type"))
    refuse("scales its rotary positions, which tpx does not");
  if (settings.truth("mlp_bias", false)) refuse("has biases in its MLPs, which tpx::Llama has not");
  LlamaConfig c;
  c.vocabulary = settings.integer("vocab_size");
  c.context = settings.integer("max_position_embeddings");
  c.layers = settings.integer("num_hidden_layers");
  c.hidden = settings.integer("hidden_size");
  c.heads = settings.integer("num_attention_heads");
  if (c.heads < 1) refuse("is of " + std::to_string(c.heads) + " heads");
  c.kv_heads = settings.integer("num_key_value_heads", c.heads);
  c.head_dim = settings.integer("head_dim", c.hidden / c.heads);
  c.ffn = settings.integer("intermediate_size");
  c.epsilon = settings.real("rms_norm_eps", 1e-6);
  c.rope_base = settings.real("rope_parameters.rope_theta", settings.real("rope_theta", 10000.0));
  c.attention_bias = settings.truth("attention_bias", type == "qwen2");
  c.tied = settings.truth("tie_word_embeddings", false);
  return c;
}

/// The parameters in safetensors: as they are called there.
inline FileWeights llama_weights(const TensorFile& file) {
  return FileWeights(file, [](const TensorFile&, const std::string& name) { return StoredWeight{name}; });
}

/// The parameters in a GGUF file. Architecture llama has the pairs of a head that rotary positions turn side by
/// side; here, and in safetensors, they are half a head apart.
inline FileWeights llama_weights(const Gguf& file) {
  const bool neighbours = detail::GgufSettings(file).architecture() == "llama";
  return FileWeights(file, [neighbours](const TensorFile&, const std::string& name) {
    StoredWeight stored{detail::renamed(name, {{"model.embed_tokens.", "token_embd."},
                                               {"model.norm.", "output_norm."},
                                               {"lm_head.", "output."},
                                               {"model.layers.", "blk."},
                                               {"input_layernorm.", "attn_norm."},
                                               {"post_attention_layernorm.", "ffn_norm."},
                                               {"self_attn.q_proj.", "attn_q."},
                                               {"self_attn.k_proj.", "attn_k."},
                                               {"self_attn.v_proj.", "attn_v."},
                                               {"self_attn.o_proj.", "attn_output."},
                                               {"mlp.gate_proj.", "ffn_gate."},
                                               {"mlp.up_proj.", "ffn_up."},
                                               {"mlp.down_proj.", "ffn_down."}})};
    const bool turned =
        stored.name.find(".attn_q.") != std::string::npos || stored.name.find(".attn_k.") != std::string::npos;
    stored.neighbours = neighbours && turned;
    return stored;
  });
}

}  // namespace tpx
