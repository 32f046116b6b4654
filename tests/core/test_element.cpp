// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include <cstdint>
#include <string>
#include <type_traits>

#include <doctest/doctest.h>

#include <tpx/core/element.hpp>

namespace {

using tpx::Element;
using tpx::element_v;

static_assert(element_v<float> == Element::f32 && element_v<double> == Element::f64);
static_assert(element_v<std::int32_t> == Element::i32 && element_v<std::int64_t> == Element::i64);
static_assert(element_v<unsigned char> == Element::u8 && element_v<const double> == Element::f64);
static_assert(element_v<long long> == Element::i64);
static_assert(element_v<long> == (sizeof(long) == 8 ? Element::i64 : Element::i32));

}  // namespace

TEST_CASE("element: from a value to its C++ type and back, with its size") {
  for (const Element element : tpx::all_elements) {
    CAPTURE(std::string(tpx::name(element)));
    const bool same = tpx::detail::with_element(element, [&]<class T>(std::type_identity<T>) {
      return element_v<T> == element && tpx::element_size(element) == static_cast<std::int64_t>(sizeof(T));
    });
    CHECK(same);
  }
}

TEST_CASE("element: names") {
  CHECK(std::string(tpx::name(Element::f32)) == "f32");
  CHECK(std::string(tpx::name(Element::f64)) == "f64");
  CHECK(std::string(tpx::name(Element::i32)) == "i32");
  CHECK(std::string(tpx::name(Element::i64)) == "i64");
  CHECK(std::string(tpx::name(Element::u8)) == "u8");
  CHECK(std::string(tpx::name(Element::bf16)) == "bf16");
}
