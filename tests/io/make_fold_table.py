#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes include/tpx/io/fold_table.hpp out of the Unicode data of Python's standard library.

    python3 tests/io/make_fold_table.py

Made with Python 3.11.7, which has Unicode 14.0.
"""
import pathlib
import sys
import unicodedata

HEADER = pathlib.Path(__file__).resolve().parents[2] / "include/tpx/io/fold_table.hpp"
TEXT = """// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string_view>

/// What Unicode {version} gives for characters that lose their case or their accents: those of the canonical
/// decomposition, without marks, each in lower case. Hangul syllables are not here: they follow a formula.
///
/// Made by tests/io/make_fold_table.py.
namespace tpx::detail {{

// clang-format off

/// Code points first, first + step, ..., last, which become themselves plus the shift.
struct FoldShift {{
  char32_t first, last;
  std::int32_t shift;
  std::uint8_t step;
}};
inline constexpr FoldShift fold_shifts[] = {{
{shifts}}};

/// Code points from first on, one after the other, and the one that each becomes, in UTF-8.
struct FoldRun {{
  char32_t first;
  std::string_view to;
}};
inline constexpr FoldRun fold_runs[] = {{
{runs}}};

/// A code point that becomes several.
inline constexpr FoldRun fold_to_several[] = {{
{several}}};
// clang-format on

}}  // namespace tpx::detail
"""


def fold(c):
    kept = (x for x in unicodedata.normalize("NFD", chr(c)) if unicodedata.category(x) != "Mn")
    return "".join(x.lower() for x in kept)


def entries():
    surrogates, hangul = range(0xD800, 0xE000), range(0xAC00, 0xD7A4)
    for c in range(sys.maxunicode + 1):
        if c not in surrogates and c not in hangul and unicodedata.category(chr(c)) != "Mn" and fold(c) != chr(c):
            yield c, fold(c)


def take_shifts(single, least):
    """Takes out of `single` the longest arithmetic runs whose targets are equally far."""
    shifts = []
    for c in sorted(single):
        if c not in single:
            continue
        shift = ord(single[c]) - c

        def length(step):
            n = 1
            while c + n * step in single and ord(single[c + n * step]) - c - n * step == shift:
                n += 1
            return n

        step = max((1, 2), key=length)
        if length(step) >= least:
            keys = [c + n * step for n in range(length(step))]
            shifts.append((c, keys[-1], shift, step))
            for key in keys:
                del single[key]
    return shifts


def rows(items):
    """Items, as many as fit into a line."""
    lines, line = [], ""
    for item in items:
        if line and len(line) + len(item) + 2 > 107:
            lines.append(line)
            line = ""
        line += (" " if line else "    ") + item + ","
    return "\n".join(lines + [line]).rstrip(",")


def literals(first, text):
    """A run, as string literals of at most a line."""
    parts = [text[i : i + 28] for i in range(0, len(text), 28)]
    return f"{{{first:#x}, " + "\n     ".join(f'"{p}"' for p in parts) + "}"


def main():
    several, single = {}, {}
    for c, to in entries():
        (single if len(to) == 1 else several)[c] = to
    shifts = take_shifts(single, 4)
    runs = []
    for c in sorted(single):
        if runs and runs[-1][0] + len(runs[-1][1]) == c:
            runs[-1] = (runs[-1][0], runs[-1][1] + single[c])
        else:
            runs.append((c, single[c]))
    text = TEXT.format(
        version=unicodedata.unidata_version,
        shifts=rows(f"{{{a:#x}, {b:#x}, {s}, {step}}}" for a, b, s, step in shifts),
        runs=rows(literals(*r) if len(r[1]) < 29 else literals(*r) for r in runs),
        several=rows(literals(c, to) for c, to in several.items()))
    HEADER.write_text(text)
    print(f"{len(shifts)} shifts, {len(runs)} runs of {sum(len(r[1]) for r in runs)}, {len(several)} to several")


if __name__ == "__main__":
    main()
