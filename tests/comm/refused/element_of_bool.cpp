// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: ranks exchange floats, signed integers and bytes; bool has no element
// expect: tpx::element_v: an element is float, double, bfloat16, a signed 32- or 64-bit integer, or
#include <tpx/core/element.hpp>

#ifdef TPX_MUST_NOT_COMPILE
constexpr tpx::Element element = tpx::element_v<bool>;
#else
constexpr tpx::Element element = tpx::element_v<unsigned char>;
#endif

int main() { return element_size(element) == 1 ? 0 : 1; }
