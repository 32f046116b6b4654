// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/core/element.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <type_traits>

#include <tpx/comm/shared_memory_reduce.hpp>

using tpx::Element;
using tpx::element_v;

static_assert(element_v<float> == Element::f32);
static_assert(element_v<const double> == Element::f64);
static_assert(element_v<std::int32_t> == Element::i32);
static_assert(element_v<std::int64_t> == Element::i64);
static_assert(element_v<long long> == Element::i64);
static_assert(element_v<std::uint8_t> == Element::u8);
static_assert(element_v<tpx::bfloat16> == Element::bf16);

TEST_CASE_TEMPLATE("element: size, name and back to the type", T, float, double, std::int32_t, std::int64_t,
                   unsigned char, tpx::bfloat16) {
  CHECK(tpx::element_size(element_v<T>) == static_cast<std::int64_t>(sizeof(T)));
  CHECK(tpx::detail::with_element(element_v<T>,
                                  [](auto type) { return std::is_same_v<typename decltype(type)::type, T>; }));
  const std::string letter = std::is_same_v<T, tpx::bfloat16> ? "bf"
                             : std::is_floating_point_v<T>    ? "f"
                             : std::is_signed_v<T>            ? "i"
                                                              : "u";
  CHECK(name(element_v<T>) == letter + std::to_string(8 * sizeof(T)));
}

TEST_CASE("element: integer sums wrap around") {
  std::int32_t a = INT32_MAX;
  const std::int32_t one = 1;
  const void* const terms[] = {&a, &one};
  tpx::comm::detail::combine_terms(&a, terms, 1, Element::i32, tpx::comm::Reduction::sum);
  CHECK(a == INT32_MIN);
  unsigned char b = 200;
  const unsigned char c = 100;
  const void* const bytes[] = {&b, &c};
  tpx::comm::detail::combine_terms(&b, bytes, 1, Element::u8, tpx::comm::Reduction::sum);
  CHECK(b == 44);
}
