#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the files in data/, with the Python packages safetensors, gguf and numpy.

    python3 -m venv venv && venv/bin/pip install numpy safetensors gguf
    venv/bin/python tests/io/make_files.py            writes data/, and checks data/written.safetensors
    venv/bin/python tests/io/make_files.py FILE...    opens what tpx wrote, and prints it

Values are functions of the flat index, which the tests repeat; a tensor named x.expected is what the package
gguf makes of the quantised tensor x. tpx wrote written.safetensors: test_safetensors.cpp writes the same bytes.
"""
import pathlib
import struct
import sys

import gguf
import numpy as np
import safetensors
import safetensors.numpy
from gguf.quants import dequantize, quantize

DATA = pathlib.Path(__file__).parent / "data"


def real(shape):
    """(7 i mod 64 - 32) / 4: exact in every real type but the quantised ones."""
    i = np.arange(np.prod(shape, dtype=np.int64))
    return ((7 * i % 64 - 32) / 4).reshape(shape)


def whole(shape, dtype):
    """11 i mod 100, exact in every integer type."""
    i = np.arange(np.prod(shape, dtype=np.int64))
    return (11 * i % 100).reshape(shape).astype(dtype)


def make_safetensors():
    shape = (12, 4)
    tensors = {f"real.{t}": real(shape).astype(t) for t in ("float64", "float32", "float16")}
    tensors |= {f"whole.{t}": whole(shape, t) for t in ("int64", "int32", "int16", "int8", "uint8")}
    tensors["whole.bool"] = whole(shape, "int32") % 2 == 1
    tensors["cube"] = real((4, 6, 8)).astype("float32")
    tensors["scalar"] = np.array(2.5, dtype="float32")
    tensors["empty"] = np.zeros((0, 3), dtype="float32")
    tensors["\u00fcml\u00e4ut \"quoted\""] = np.array([1, 2], dtype="int32")
    safetensors.numpy.save_file(tensors, DATA / "numpy.safetensors", metadata={"format": "np", "made by": "numpy"})
    # numpy has no bfloat16: the upper halves of float32, and a header that ends where it likes.
    bf16 = (real(shape).astype("float32").view("uint32") >> 16).astype("uint16").tobytes()
    header = b'{"real.bfloat16":{"dtype":"BF16","shape":[12,4],"data_offsets":[0,96]}}'
    (DATA / "bfloat16.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bf16)


def blocks(kind, rows, columns, seed):
    """Any bits, with small scales: what no quantiser has to have made."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    data = np.random.default_rng(seed).integers(0, 256, (rows, columns // block, size), dtype=np.uint8)
    scales = {"Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}[kind.name]
    for n, at in enumerate(scales):
        values = (np.arange(rows * columns // block) - 2.0).reshape(rows, -1) / 64 + n
        data[..., at : at + 2] = values.astype("<f2")[..., None].view(np.uint8)
    return data.reshape(rows, -1)


def make_gguf():
    w = gguf.GGUFWriter(DATA / "gguf.gguf", "test")
    w.add_uint8("u8", 200)
    w.add_int8("i8", -100)
    w.add_uint16("u16", 60000)
    w.add_int16("i16", -30000)
    w.add_uint32("u32", 4000000000)
    w.add_int32("i32", -2000000000)
    w.add_uint64("u64", 2**63)
    w.add_int64("i64", -(2**62))
    w.add_float32("f32", 0.5)
    w.add_float64("f64", 1e300)
    w.add_bool("yes", True)
    w.add_bool("no", False)
    w.add_string("text", "gr\u00fc\u00dfe")
    w.add_array("texts", ["a", "", "\u0120b"])
    w.add_array("integers", [1, -2, 3])
    w.add_array("reals", [0.5, -1.5])
    w.add_array("bools", [True, False, True])
    w.add_array("nested", [[1, 2], [3]])
    types = gguf.GGMLQuantizationType
    for t in ("float64", "float32", "float16"):
        w.add_tensor(f"real.{t}", real((12, 4)).astype(t))
    for t in ("int64", "int32", "int16", "int8"):
        w.add_tensor(f"whole.{t}", whole((12, 4), t))
    bf16 = quantize(real((12, 4)).astype("float32"), types.BF16)
    w.add_tensor("real.bfloat16", bf16, raw_dtype=types.BF16)
    wave = np.sin(np.arange(6 * 96, dtype=np.float64)).reshape(6, 96).astype("float32")
    for kind in (types.Q4_0, types.Q4_1, types.Q5_0, types.Q5_1, types.Q8_0):
        packed = quantize(wave, kind)
        w.add_tensor(kind.name, packed, raw_dtype=kind)
        w.add_tensor(kind.name + ".expected", dequantize(packed, kind))
    for seed, kind in enumerate((types.Q4_K, types.Q5_K, types.Q6_K)):
        packed = blocks(kind, 4, 256, seed)
        w.add_tensor(kind.name, packed, raw_dtype=kind)
        w.add_tensor(kind.name + ".expected", dequantize(packed, kind))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def check_written():
    """That the package finds in tpx's own file what test_safetensors.cpp put there."""
    expected = {"bytes": whole((3,), "uint8"), "reals": real((12, 4)), "f": real((5,)).astype("float32"),
                "\u00fc": whole((2, 3), "int32"), "none": np.zeros((0,), "float32")}
    with safetensors.safe_open(DATA / "written.safetensors", framework="np") as f:
        assert f.metadata() == {"format": "pt", "n\u00e4me": '"x"'}, f.metadata()
        assert set(f.keys()) == set(expected), f.keys()
        for name, values in expected.items():
            found = f.get_tensor(name)
            assert found.dtype == values.dtype and np.array_equal(found, values), (name, found)


def show(path):
    with safetensors.safe_open(path, framework="np") as f:
        print(path, f.metadata())
        for name in f.keys():
            t = f.get_tensor(name)
            print(" ", repr(name), t.dtype, t.shape, t.reshape(-1)[:4])
    blob = open(path, "rb").read()
    length = struct.unpack("<Q", blob[:8])[0]
    print("  header of", length, "bytes, data at", 8 + length)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        for path in sys.argv[1:]:
            show(path)
    else:
        DATA.mkdir(exist_ok=True)
        make_safetensors()
        make_gguf()
        check_written()
