#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes data/smollm2.safetensors: what transformers computes, in float64, with the weights of the GGUF file of
SmolLM2-135M-Instruct that tpx reads.

    python3 -m venv venv && venv/bin/pip install torch transformers gguf accelerate
    venv/bin/python tests/references/smollm2.py $(examples/fetch_model.sh smollm2)

Made with Python 3.11.7, torch 2.15.0, transformers 5.23.0, tokenizers 0.23.3, gguf 0.19.0, accelerate 1.15.0, numpy 2.4.6. The package
gguf dequantises, transformers loads what it gives; neither shares code with tpx.

The metadata has the text of each of the three prompts, "prompt.<n>", the second with the chat template applied. For
each

    tokens.<n>        i32 [sequence]       its tokens, by the package tokenizers
    logits.<n>        f32 [sequence,512]   at every position, of the tokens 0, 96, 192, ...
    log_sum_exp.<n>   f64 [sequence]       at every position, over all 49152 logits
    largest.<n>       f64 []               the largest magnitude of all logits
    greedy.<n>        i32 [64]             the most likely token 64 times, whether or not the text ends before

The most likely token is ahead of the next by at least 5e-4 of the largest logit each time, which is checked here: no
rounding to float32 makes it another.
"""
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file

from random_models import in_float64
from tokenizers_of import smollm2_tokenizer

DATA = pathlib.Path(__file__).parent / "data"
STRIDE, NEW_TOKENS = 96, 64


def chat(*messages):
    return "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in messages) + "<|im_start|>assistant\n"


SYSTEM = ("system", "You are a helpful AI assistant named SmolLM, trained by Hugging Face")
PROMPTS = [
    "The capital of France is",
    chat(SYSTEM, ("user", "What is gravity?")),
    "def fibonacci(n):\n    # na\u00efve \u2014 \u6771\u4eac \U0001f642\n    if n < 2:\n",
]


@torch.no_grad()
def run(model, tokens):
    """Logits of the prompt, the greedy tokens, and by how much each of these was ahead."""
    out = model(torch.tensor([tokens]), use_cache=True)
    prompt_logits = out.logits[0]
    greedy, ahead = [], []
    for step in range(NEW_TOKENS):
        best = out.logits[0, -1].topk(2)
        greedy.append(best.indices[0].item())
        ahead.append((best.values[0] - best.values[1]).item())
        if step + 1 < NEW_TOKENS:
            out = model(best.indices[None, :1], past_key_values=out.past_key_values, use_cache=True)
    return prompt_logits, greedy, ahead


def main(path):
    path = pathlib.Path(path)
    tokenizer = smollm2_tokenizer(path)

    def load():
        return transformers.AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="sdpa").double().eval()

    model = in_float64(load)
    assert model.dtype == torch.float64 and model.model.rotary_emb.inv_freq.dtype == torch.float64
    expected, metadata = {}, {}
    for n, text in enumerate(PROMPTS):
        tokens = tokenizer.encode(text).ids
        logits, greedy, ahead = in_float64(lambda: run(model, tokens))
        largest = logits.abs().max()
        print(f"{n}: {len(tokens)} tokens, largest logit {largest:.3f}, ahead by {min(ahead):.4f} at least, then "
              f"{tokenizer.decode(greedy, skip_special_tokens=False)!r}")
        assert min(ahead) > 5e-4 * largest, "an almost undecided token: take another prompt"
        metadata[f"prompt.{n}"] = text
        expected[f"tokens.{n}"] = torch.tensor(tokens, dtype=torch.int32)
        expected[f"logits.{n}"] = logits[:, ::STRIDE].float().contiguous()
        expected[f"log_sum_exp.{n}"] = logits.logsumexp(-1)
        expected[f"largest.{n}"] = largest
        expected[f"greedy.{n}"] = torch.tensor(greedy, dtype=torch.int32)
    save_file(expected, DATA / "smollm2.safetensors", metadata)
    (DATA / "smollm2.safetensors").chmod(0o644)


if __name__ == "__main__":
    main(sys.argv[1])
