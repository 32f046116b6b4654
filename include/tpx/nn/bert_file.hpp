// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <string>

#include <tpx/nn/bert.hpp>
#include <tpx/nn/model_file.hpp>

/// BERT and MiniLM in the files they are published in.
namespace tpx {

/// What the config.json beside safetensors says of its model.
/// @param settings  a ModelSettings
/// @throws tpx::Error naming the file and the setting
template <class Settings>
BertConfig bert_config(const Settings& settings) {
  const std::string type = settings.text("model_type"), gelu = settings.text("hidden_act", "gelu");
  const std::string positions = settings.text("position_embedding_type", "absolute");
  if (type != "bert" || gelu != "gelu" || positions != "absolute")
    fail("tpx::bert_config: '" + settings.path() + "' is of model_type " + detail::quoted(type) + " with " +
         detail::quoted(gelu) + " and " + detail::quoted(positions) +
         " positions; expected 'bert' with 'gelu' and 'absolute' positions");
  BertConfig c;
  c.vocabulary = settings.integer("vocab_size");
  c.context = settings.integer("max_position_embeddings");
  c.types = settings.integer("type_vocab_size", 2);
  c.layers = settings.integer("num_hidden_layers");
  c.hidden = settings.integer("hidden_size");
  c.heads = settings.integer("num_attention_heads");
  c.ffn = settings.integer("intermediate_size");
  c.epsilon = settings.real("layer_norm_eps", 1e-12);
  return c;
}

/// The parameters in safetensors, with or without "bert." before their names.
inline FileWeights bert_weights(const TensorFile& file) {
  return FileWeights(file, [](const TensorFile& in, const std::string& name) {
    return StoredWeight{detail::present(in, {name, "bert." + name})};
  });
}

}  // namespace tpx
