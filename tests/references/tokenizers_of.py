# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tokenizers of the published models, by the package tokenizers."""
import gguf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers


def smollm2_tokenizer(path):
    """From the vocabulary and merges in the GGUF file, put together as the model's authors did."""
    fields = gguf.GGUFReader(path).fields
    tokens, kinds, merges = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "token_type", "merges"))
    unknown = fields["tokenizer.ggml.unknown_token_id"].contents()
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=[tuple(m.split(" ")) for m in merges], unk_token=tokens[unknown]))
    # Each digit by itself, and then what GPT-2 takes for a word.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    control = gguf.TokenType.CONTROL
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t, k in zip(tokens, kinds) if k == control])
    return tokenizer


def minilm_tokenizer(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
