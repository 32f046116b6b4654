#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes data/smollm2_weights.txt: a checksum of each tensor that the package gguf dequantises from SmolLM2's file.

    python3 -m venv venv && venv/bin/pip install gguf
    venv/bin/python tests/references/dequantized.py $(examples/fetch_model.sh smollm2)

Made with Python 3.11.7, gguf 0.19.0, numpy 2.4.6. A line is the name, then, of the floats' 32 bits each as an unsigned
integer, their sum, and the sum of each times its place from 1 on, both modulo 2^64.
"""
import pathlib
import sys

import gguf
import numpy as np
from gguf.quants import dequantize

DATA = pathlib.Path(__file__).parent / "data"


def main(path):
    lines = []
    for tensor in gguf.GGUFReader(path).tensors:
        values = dequantize(tensor.data, tensor.tensor_type).astype("float32", copy=False)
        bits = np.ascontiguousarray(values).reshape(-1).view("uint32").astype("uint64")
        place = np.arange(1, bits.size + 1, dtype="uint64")
        lines.append(f"{tensor.name} {bits.sum()} {(bits * place).sum()}")
    (DATA / "smollm2_weights.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
