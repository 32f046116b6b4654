#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes data/tokenizers/: texts, what the package tokenizers makes of them, and two small vocabularies.

    python3 -m venv venv && venv/bin/pip install tokenizers gguf numpy
    venv/bin/python tests/references/tokenizer_cases.py $(examples/fetch_model.sh smollm2) $(examples/fetch_model.sh minilm)

Made with Python 3.11.7, tokenizers 0.23.3, gguf 0.19.0, numpy 2.4.6.

    texts.json        the texts, several hundred
    smollm2.json      for each its tokens with the vocabulary of SmolLM2, special tokens parsed
    minilm.json       and with that of MiniLM, [CLS] and [SEP] around them
    bpe/              a byte-level vocabulary trained on the texts: tokenizer.json, the same as tokenizer.gguf, and
                      the tokens of the texts with it, tokens.json, and with other ways to cut a text into words,
                      tokens_<name>.json
    wordpiece/        a WordPiece vocabulary of their words and parts of words: tokenizer.json and tokens.json

No text has a character newer than Unicode 10: packages differ in what they know of the others.
"""
import collections
import json
import pathlib
import random
import sys
import unicodedata

import gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tokenizers_of import minilm_tokenizer, smollm2_tokenizer

DATA = pathlib.Path(__file__).parent / "data" / "tokenizers"
# What other published vocabularies take for a word, by the names that GGUF has for them.
END = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {
    "gpt-2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama-bpe": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + END,
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + END,
}
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

SENTENCES = """
The quick brown fox jumps over the lazy dog.
I'll say it's what they've done; we'd do it, you're right, he can't, I'm SURE, SHE'LL, WE'VE, IT'S.
It costs $1,234.56 (that's 20% off!) at 9:30am on 2024-02-29, or 3.14159e-10.
0123456789 1 22 333 4444 55555 1/2 x2 v1.2.3 0xDEADBEEF 1_000_000
Tensor parallelism splits the weights; pipeline parallelism the layers.
e-mail: someone@example.org, https://example.org/a?b=c&d=e#f
foo_bar fooBar FooBar FOO_BAR foo-bar foo.bar foo::bar foo->bar
Victor jagt zw\u00f6lf Boxk\u00e4mpfer quer \u00fcber den gro\u00dfen Sylter Deich. GRO\u1e9e
Portez ce vieux whisky au juge blond qui fume\u00a0: l\u2019\u0153uvre d\u2019No\u00ebl, \u00e7a co\u00fbte 5\u202f\u20ac.
El ping\u00fcino Wenceslao hizo kil\u00f3metros bajo exhaustiva lluvia. \u00bfQu\u00e9? \u00a1S\u00ed!
Pchn\u0105\u0107 w t\u0119 \u0142\u00f3d\u017a je\u017ca lub o\u015bm skrzy\u0144 fig.
P\u0159\u00edli\u0161 \u017elu\u0165ou\u010dk\u00fd k\u016f\u0148 \u00fap\u011bl \u010f\u00e1belsk\u00e9 \u00f3dy.
K\u00e6mi n\u00fd \u00f6xi h\u00e9r, ykist \u00fej\u00f3fum n\u00fa b\u00e6\u00f0i v\u00edl og \u00e1drepa.
Pijamal\u0131 hasta ya\u011f\u0131z \u015fof\u00f6re \u00e7abucak g\u00fcvendi. \u0130STANBUL I\u011eDIR
T\u00f4i c\u00f3 th\u1ec3 \u0103n th\u1ee7y tinh m\u00e0 kh\u00f4ng h\u1ea1i g\u00ec. \u0110\u1ea1i h\u1ecdc Vi\u1ec7t Nam
\u039e\u03b5\u03c3\u03ba\u03b5\u03c0\u03ac\u03b6\u03c9 \u03c4\u1f74\u03bd \u03c8\u03c5\u03c7\u03bf\u03c6\u03b8\u03cc\u03c1\u03b1 \u03b2\u03b4\u03b5\u03bb\u03c5\u03b3\u03bc\u03af\u03b1. \u039f\u0394\u039f\u03a3
\u0421\u044a\u0435\u0448\u044c \u0436\u0435 \u0435\u0449\u0451 \u044d\u0442\u0438\u0445 \u043c\u044f\u0433\u043a\u0438\u0445 \u0444\u0440\u0430\u043d\u0446\u0443\u0437\u0441\u043a\u0438\u0445 \u0431\u0443\u043b\u043e\u043a, \u0434\u0430 \u0432\u044b\u043f\u0435\u0439 \u0447\u0430\u044e. \u0419\u043e\u0434
\u0416\u0435\u0431\u0440\u0430\u043a\u0443\u044e\u0442\u044c \u0444\u0456\u043b\u043e\u0441\u043e\u0444\u0438 \u043f\u0440\u0438 \u0491\u0430\u043d\u043a\u0443, \u0454 \u0457\u0445
\u05d3\u05d2 \u05e1\u05e7\u05e8\u05df \u05e9\u05d8 \u05d1\u05d9\u05dd \u05de\u05d0\u05d5\u05db\u05d6\u05d1; \u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd
\u0646\u0635 \u062d\u0643\u064a\u0645 \u0644\u0647 \u0633\u0631 \u0642\u0627\u0637\u0639\u060c \u0645\u064e\u0643\u0652\u062a\u064f\u0648\u0628\u064c \u0661\u0662\u0663
\u0641\u0627\u0631\u0633\u06cc: \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u06f4\u06f5\u06f6
\u090b\u0937\u093f\u092f\u094b\u0902 \u0915\u094b \u0938\u0924\u093e\u0928\u0947 \u0935\u093e\u0932\u0947 \u0926\u0941\u0937\u094d\u091f \u0930\u093e\u0915\u094d\u0937\u0938\u094b\u0902 \u0967\u0968\u0969\u0964
\u0995\u09cb\u09a8\u09cb \u09ac\u09be\u0982\u09b2\u09be \u09b2\u09c7\u0996\u09be; \u0baf\u0bbe\u0bae\u0bb1\u0bbf\u0ba8\u0bcd\u0ba4 \u0bae\u0bca\u0bb4\u0bbf\u0b95\u0bb3\u0bbf\u0bb2\u0bc7
\u0e40\u0e1b\u0e47\u0e19\u0e21\u0e19\u0e38\u0e29\u0e22\u0e4c\u0e2a\u0e38\u0e14\u0e1b\u0e23\u0e30\u0e40\u0e2a\u0e23\u0e34\u0e10 \u0e51\u0e52\u0e53
\u6211\u80fd\u541e\u4e0b\u73bb\u7483\u800c\u4e0d\u4f24\u8eab\u4f53\u3002\u201c\u4f60\u597d\u201d\uff0c\u4e16\u754c\uff01 2024\u5e742\u670829\u65e5
\u6211\u80fd\u541e\u4e0b\u73bb\u7483\u800c\u4e0d\u50b7\u8eab\u9ad4\u3002\u842c\u570b\u78bc \u8c48\uf900\ufa10
\u3044\u308d\u306f\u306b\u307b\u3078\u3068 \u30a2\u30a4\u30a6\u30a8\u30aa \u30ac\u30ae\u30b0\u30b2\u30b4 \uff71\uff72\uff73 \u6771\u4eac\u90fd\u3001\u5343\u4ee3\u7530\u533a\u3002
\u30d1\u30d4\u30d7\u30da\u30dd \u307c\u307d \u3331 \u2460\u2461 \uff11\uff12\uff13 \uff21\uff22\uff43
\ub2e4\ub78c\uc950 \ud5cc \uccc7\ubc14\ud034\uc5d0 \ud0c0\uace0\ud30c. \ud55c\uad6d\uc5b4 \uac00\uac01\ud7a3
\u1112\u1161\u11ab\u1100\u116e\u11a8 \u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8 \u0540\u0561\u0575\u0565\u0580\u0565\u0576 \u13e3\u13b3\u13a9
\u1230\u120b\u121d \u4e2d\u6587\u548cEnglish\u6df7\u5408 \u00e6\u0153\u00f8\u00e5\u00c6\u0152\u00d8\u00c5 \ufb01\ufb02\ufb03
""".strip().split("\n")

SNIPPETS = [
    "", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\t\t", " \n ", "a", " a", "a ", " a ", "a  b", "a   b", "a\n\nb",
    "a \n b", "\u00a0", "a\u00a0b", "a\u3000b", "a\u2003b", "a\u2028b\u2029c", "a\u0085b", "a\u200bb", "\ufeffa",
    "a\u00adb", "a\x0bb\x0cc", "a\x00b", "a\x01\x02b\x1fc\x7fd", "a\u0091b", "x\ufffdy", "\ue000 \uf8ff",
    "...", "!!!???", "((()))", "[[a]]", "{a: [1, 2]}", "<a href=\"b\">c</a>", "&amp;", "\\n\\t\\\\", "$x$ ^y^ `z` |w| ~v~ +u+ =t=",
    "'s 't 're 've 'm 'll 'd", "don't DON'T don\u2019t", "''''", "a's b'", "rock'n'roll", "\u00aba\u00bb \u2014 \u2013 \u2026 \u2022 \u00b7 \u00a7 \u00b6",
    "def f(x):\n    return x ** 2\n\n\nprint(f(3))\n", "for (int i = 0; i < n; ++i) {\n\tsum += a[i];\n}\n",
    "#include <vector>\nstd::vector<int> v{1, 2, 3};", "SELECT * FROM t WHERE a='b' AND c>=1;", "x = {\n  \"key\": null,\n  \"k2\": 1e-5\n}",
    "if x:\n        pass\n    else:\n\treturn\n", "a" * 99, "a" * 100, "a" * 101, "ab" * 200, " " * 50, "\n" * 20, "=" * 40, "1" * 33,
    "\U0001f600", "\U0001f600\U0001f601\U0001f602", "I \u2764\ufe0f U", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7",
    "\U0001f44d\U0001f3fd ok", "\u0065\u0301 \u00e9", "e\u0301\u0323", "\u0301a", "a\u0300\u0301\u0302\u0303b", "n\u0303 N\u0303", "\u212b \u2126 \u212a",
    "\U0001d4d7\U0001d4ee\U0001d4f5\U0001d4f5\U0001d4f8", "\u2167 \u216b \u00bd \u00b2 \u2075 \u2083", "\U00020000\U0002a6d6", "\U0010fffd", "\U000f0000x",
    "<|im_start|>", "<|im_start|>user\nhi<|im_end|>\n", "<|endoftext|><|endoftext|>", "a<|im_end|>b", "<|im_end", "<|im_end|", " <|im_end|> ",
    "[CLS] a [SEP]", "[MASK]", "[UNK]", "[PAD][PAD]", "[cls]", "##ing", "## a", "un##able", "unaffable embeddings", "STRASSE stra\u00dfe",
    "\u0130\u0131 I i \u01c5 \u01c4 \u01f0 \u0390 \u1f88", "na\u00efve caf\u00e9 \u00c9COLE r\u00e9sum\u00e9", "\u00c5ngstr\u00f6m \u00d1and\u00fa", "\u1e9e\u00df \u017f \u0149",
]

PIECES = [
    "the", "ing", "tion", "Re", "QU", "x", "I", "'s", "'LL", "'d", "don", "t", "0", "7", "42", "1999", "3.5", " ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u3000",
    ".", ",", "!", "?", "-", "_", "(", ")", "[", "]", "{", "}", "\"", "'", "\u2019", "\u2014", "/", "\\", "#", "##", "@", "$", "%", "^", "&", "*", "+", "=", "|", "~", "`", "<", ">", ":", ";",
    "\u00e9", "\u00c9", "\u00df", "\u00f1", "\u0130", "\u03c3", "\u03a3", "\u0439", "\u0416", "\u05d0", "\u0627\u064b", "\u0915\u094d\u0937", "\u0e01\u0e33", "\u4e2d", "\u6587", "\u3042", "\u30ab\u3099", "\uac00", "\ud55c", "\u1100\u1161",
    "\u0301", "\u0308", "\u200d", "\u200b", "\u00ad", "\ufe0f", "\U0001f600", "\U0001f3fd", "\U0001d7d8", "\u2460", "\u00bd", "\u0663", "\u0967", "\uff15", "\u2167",
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "[SEP]", "[MASK]",
]


def make_texts():
    texts = SENTENCES + SNIPPETS
    texts += [s.upper() for s in SENTENCES[7:18]] + [unicodedata.normalize("NFD", s) for s in SENTENCES[7:18]]
    texts += ["\n".join(SENTENCES[i : i + 3]) for i in (0, 5, 24)]
    source = random.Random(1)
    texts += ["".join(source.choices(PIECES, k=source.randint(2, 12))) for _ in range(180)]
    for text in texts:
        assert not any(unicodedata.category(c) == "Cn" for c in text), text
    return list(dict.fromkeys(texts))


def write(name, value):
    path = DATA / name
    path.parent.mkdir(parents=True, exist_ok=True)
    separators = (",", ":")
    if isinstance(value, list):
        text = "[\n" + ",\n".join(json.dumps(v, separators=separators) for v in value) + "\n]\n"
    else:
        text = json.dumps(value, separators=separators) + "\n"
    path.write_text(text)


def make_bpe(texts):
    tokenizer = Tokenizer(models.BPE(unk_token="<|endoftext|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    # Without an initial alphabet: bytes that no text has are no tokens, as in published vocabularies.
    special = [AddedToken(s, normalized=False, special=True) for s in SPECIAL]
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=900, special_tokens=special, show_progress=False))
    write("bpe/tokenizer.json", json.loads(tokenizer.to_str()))
    write("bpe/tokens.json", [tokenizer.encode(t).ids for t in texts])
    for name, pattern in PATTERNS.items():
        other = Tokenizer.from_str(tokenizer.to_str())
        other.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        write(f"bpe/tokens_{name}.json", [other.encode(t).ids for t in texts])

    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    kinds = [gguf.TokenType.CONTROL if t in SPECIAL else gguf.TokenType.NORMAL for t in tokens]
    w = gguf.GGUFWriter(DATA / "bpe/tokenizer.gguf", "llama")
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("smollm")
    w.add_token_list(tokens)
    w.add_token_types(kinds)
    w.add_token_merges([" ".join(m) for m in model["merges"]])
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_unk_token_id(0)
    w.add_pad_token_id(2)
    w.add_add_bos_token(False)
    w.add_chat_template(
        "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
        "Be brief.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
        "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()


def wordpiece_vocabulary(texts, normalizer, pre_tokenizer):
    """The most frequent characters, words, and beginnings and ends of words: training gives others each time."""
    words = collections.Counter(w for t in texts for w, _ in pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(t)))
    characters, parts = collections.Counter(), collections.Counter()
    for word, count in words.items():
        characters.update({c: count * word.count(c) for c in set(word)})
        parts.update({word[:n]: count for n in range(2, 6)} | {"##" + word[-n:]: count for n in range(2, 6) if n < len(word)})

    def most_frequent(counter, n):
        return sorted(counter, key=lambda x: (-counter[x], x))[:n]

    # Fewer characters than the texts have: some words are unknown.
    alphabet = most_frequent(characters, 300)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *alphabet, *("##" + c for c in alphabet)]
    return {t: i for i, t in enumerate(dict.fromkeys(tokens + most_frequent(words, 150) + most_frequent(parts, 250)))}


def make_wordpiece(texts):
    normalizer, pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    vocabulary = wordpiece_vocabulary(texts, normalizer, pre_tokenizer)
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in list(vocabulary)[:5]])
    ends = [(t, tokenizer.token_to_id(t)) for t in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    write("wordpiece/tokenizer.json", json.loads(tokenizer.to_str()))
    write("wordpiece/tokens.json", [tokenizer.encode(t).ids for t in texts])


def main(smollm2, minilm):
    texts = make_texts()
    write("texts.json", texts)
    make_bpe(texts)
    make_wordpiece(texts)
    full = smollm2_tokenizer(smollm2)
    write("smollm2.json", [full.encode(t).ids for t in texts])
    full = minilm_tokenizer(pathlib.Path(minilm))
    write("minilm.json", [full.encode(t).ids for t in texts])
    print(f"{len(texts)} texts")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
