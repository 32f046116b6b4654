#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes data/minilm.safetensors: sentence embeddings that transformers computes, in float64, with all-MiniLM-L6-v2.

    python3 -m venv venv && venv/bin/pip install torch transformers
    venv/bin/python tests/references/minilm.py $(examples/fetch_model.sh minilm)

Made with Python 3.11.7, torch 2.15.0, transformers 5.23.0, tokenizers 0.23.3, numpy 2.4.6.

The metadata has the sentences, "sentence.<n>". For each

    tokens.<n>         i32 [sequence]   its tokens by the package tokenizers, [CLS] and [SEP] around them

and for all of them

    embedding          f64 [n,384]      the mean of the last hidden states of its tokens, of length 1
"""
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from torch.nn.functional import normalize

from tokenizers_of import minilm_tokenizer

DATA = pathlib.Path(__file__).parent / "data"
SENTENCES = [
    "A man is playing a guitar.",
    "Someone plays an instrument.",
    "The stock market fell sharply on Tuesday.",
    "Der Himmel \u00fcber Z\u00fcrich ist blau.",
    "\u6771\u4eac is the capital of Japan; its population is 13,960,236.",
    "Tensor parallelism splits each weight matrix over several processors, so that every one of them holds a part "
    "of the columns or of the rows, computes with it, and joins the others in a sum where that is needed; a model "
    "that is too large for one memory fits into many.",
    "?",
]


@torch.no_grad()
def main(folder):
    tokenizer = minilm_tokenizer(pathlib.Path(folder))
    model = transformers.BertModel.from_pretrained(folder, attn_implementation="sdpa").double().eval()
    tokens = [torch.tensor(tokenizer.encode(s).ids) for s in SENTENCES]
    embedding = torch.cat([normalize(model(t[None]).last_hidden_state.mean(1), dim=-1) for t in tokens])
    # All of them at once, padded, is how they are used.
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(t) for t in tokens], batch_first=True)
    padded = torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True)
    hidden = model(padded, attention_mask=mask).last_hidden_state
    together = normalize((hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True), dim=-1)
    assert (together - embedding).abs().max() < 1e-12
    for n, sentence in enumerate(SENTENCES):
        print(f"{len(tokens[n])} tokens, {embedding[n] @ embedding[0]:.4f} like the first: {sentence}")
    expected = {f"tokens.{n}": t.int() for n, t in enumerate(tokens)} | {"embedding": embedding}
    save_file(expected, DATA / "minilm.safetensors", {f"sentence.{n}": s for n, s in enumerate(SENTENCES)})
    (DATA / "minilm.safetensors").chmod(0o644)


if __name__ == "__main__":
    main(sys.argv[1])
