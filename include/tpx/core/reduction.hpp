// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

namespace tpx {

/// How terms from several ranks become one.
enum class Reduction : unsigned char { sum, max, min };

constexpr const char* name(Reduction reduction) {
  switch (reduction) {
    case Reduction::sum:
      return "sum";
    case Reduction::max:
      return "max";
    case Reduction::min:
      return "min";
  }
  return "?";
}

}  // namespace tpx
