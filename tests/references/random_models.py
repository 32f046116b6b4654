#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes data/<model>/: small models of random weights, and what transformers computes with them in float64.

    python3 -m venv venv && venv/bin/pip install torch transformers
    venv/bin/python tests/references/random_models.py

Made with Python 3.11.7, torch 2.15.0, transformers 5.23.0, numpy 2.4.6, safetensors 0.8.0.

Each folder is as transformers saves a model: config.json, and model.safetensors with weights in float32 under
their usual names, a tied one once. expected.safetensors has

    input_ids, targets   i32 [batch,sequence]; each target is the token after
    logits               f64 [batch,sequence,vocabulary]
    loss                 f64 []    mean over all positions of the cross-entropy of logits and targets
    grad.<name>          f64       of the loss with respect to the weight <name>; a tied one's is the sum of both uses

and for bert, which has no head in its file: logits are last_hidden_state times word_embeddings transposed, and

    attention_mask       i32 [batch,sequence]   1, then 0 for padding, which is no key but has targets as well
    token_type_ids       i32 [batch,sequence]
    last_hidden_state    f64 [batch,sequence,hidden]
    embedding            f64 [batch,hidden]     mean of last_hidden_state where the mask is 1, of length 1

All of it is the package's own code on float64. Where that code asks for float32 by name (norms, rotary angles), it
gets float64; that this changes no more than rounding is checked here.
"""
import json
import pathlib
import types

import torch
import transformers
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, normalize
from transformers.models.llama import modeling_llama
from transformers.models.qwen2 import modeling_qwen2

DATA = pathlib.Path(__file__).parent / "data"
VOCABULARY, SEQUENCE = 61, 12

# 9 query heads share 3 key/value heads; 27 is odd.
LLAMA = dict(
    vocab_size=VOCABULARY, hidden_size=36, intermediate_size=27, num_hidden_layers=2, num_attention_heads=9,
    num_key_value_heads=3, max_position_embeddings=32, rms_norm_eps=1e-5, use_cache=False,
    rope_parameters={"rope_type": "default", "rope_theta": 500.0}, bos_token_id=1, eos_token_id=2)
MODELS = {
    "llama": (transformers.LlamaForCausalLM, transformers.LlamaConfig(**LLAMA, tie_word_embeddings=True)),
    "llama_untied": (transformers.LlamaForCausalLM, transformers.LlamaConfig(**LLAMA, tie_word_embeddings=False)),
    # Biases on queries, keys and values.
    "qwen2": (transformers.Qwen2ForCausalLM, transformers.Qwen2Config(**LLAMA, tie_word_embeddings=True)),
    "gpt2": (transformers.GPT2LMHeadModel, transformers.GPT2Config(
        vocab_size=VOCABULARY, n_positions=24, n_embd=24, n_layer=2, n_head=6, n_inner=45, resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False, bos_token_id=1, eos_token_id=2)),
    "bert": (transformers.BertModel, transformers.BertConfig(
        vocab_size=VOCABULARY, hidden_size=24, num_hidden_layers=2, num_attention_heads=6, intermediate_size=45,
        hidden_act="gelu", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, max_position_embeddings=24,
        type_vocab_size=2, layer_norm_eps=1e-12)),
}


class Wide(types.ModuleType):
    """torch, in which float32 is float64."""

    float32 = float = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


def in_float64(build):
    """build() with every float32 that the package names being float64."""
    narrow, method = torch, torch.Tensor.float
    modeling_llama.torch = modeling_qwen2.torch = Wide("torch")
    torch.Tensor.float = torch.Tensor.double
    try:
        return build()
    finally:
        modeling_llama.torch = modeling_qwen2.torch = narrow
        torch.Tensor.float = method


def randomise(model, seed):
    """Weights far from their usual start, at which attention is even and norms do nothing."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        is_norm = "norm" in name.lower() or ".ln_" in name
        p.data = 1 + 0.1 * noise if is_norm and name.endswith("weight") else (0.3 if p.dim() > 1 else 0.1) * noise


def inputs(name, batch):
    generator = torch.Generator().manual_seed(7)
    tokens = torch.randint(0, VOCABULARY, (batch, SEQUENCE + 1), generator=generator)
    given = {"input_ids": tokens[:, :-1]}
    if name == "bert":
        position = torch.arange(SEQUENCE)
        given["attention_mask"] = (position < torch.tensor([[12], [7], [4]])).long()
        given["token_type_ids"] = (position >= torch.tensor([[5], [12], [2]])).long()
    return given, tokens[:, 1:]


def run(model, given, targets):
    """What is to be expected but the gradients, with the graph that they are computed on."""
    out = model(**given)
    if isinstance(model, transformers.BertModel):
        hidden = out.last_hidden_state
        mask = given["attention_mask"][..., None].to(hidden.dtype)
        found = {"last_hidden_state": hidden, "embedding": normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1),
                 "logits": hidden @ model.embeddings.word_embeddings.weight.T}
    else:
        found = {"logits": out.logits}
    return found | {"loss": cross_entropy(found["logits"].reshape(-1, VOCABULARY), targets.reshape(-1))}


def make(name, seed):
    kind, config = MODELS[name]
    config._attn_implementation = "sdpa"
    options = {"add_pooling_layer": False} if kind is transformers.BertModel else {}
    model = kind(config, **options).eval()
    randomise(model, seed)
    folder = DATA / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    settings = json.loads((folder / "config.json").read_text())

    given, targets = inputs(name, 3 if name == "bert" else 2)

    def wide():
        twin = kind(config, **options).double().eval()
        twin.load_state_dict({k: v.double() for k, v in model.state_dict().items()})
        return twin, run(twin, given, targets)

    twin, found = in_float64(wide)
    found["loss"].backward()
    for key, value in run(model, given, targets).items():
        error = (value - found[key]).abs().max() / found[key].abs().max()
        assert error < 1e-5, (name, key, error)

    expected = {k: v.detach().contiguous() for k, v in found.items()}
    expected |= {f"grad.{k}": p.grad.contiguous() for k, p in twin.named_parameters()}
    assert all(v.dtype == torch.float64 for v in expected.values())
    expected |= {k: v.int().contiguous() for k, v in (given | {"targets": targets}).items()}
    save_file(expected, folder / "expected.safetensors")
    print(f"{name}: {settings['architectures'][0]}, loss {found['loss'].item():.15f}")


if __name__ == "__main__":
    for seed, name in enumerate(MODELS):
        make(name, seed)
