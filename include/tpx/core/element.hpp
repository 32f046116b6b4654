// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <tpx/core/bfloat16.hpp>

namespace tpx {

/// The numbers that tensors hold and ranks exchange.
enum class Element : unsigned char { f32, f64, i32, i64, u8, bf16 };

inline constexpr Element all_elements[] = {Element::f32, Element::f64, Element::i32,
                                           Element::i64, Element::u8,  Element::bf16};

/// As it is printed in front of a shape: the "f32" of `f32[8@dp,16]`.
constexpr const char* name(Element element) {
  switch (element) {
    case Element::f32:
      return "f32";
    case Element::f64:
      return "f64";
    case Element::i32:
      return "i32";
    case Element::i64:
      return "i64";
    case Element::u8:
      return "u8";
    case Element::bf16:
      return "bf16";
  }
  return "?";
}

/// Bytes of one element.
constexpr std::int64_t element_size(Element element) {
  switch (element) {
    case Element::f32:
    case Element::i32:
      return 4;
    case Element::f64:
    case Element::i64:
      return 8;
    case Element::bf16:
      return 2;
    case Element::u8:
      return 1;
  }
  return 0;
}

namespace detail {

// Integers go by width, so that `long` and `long long` are both i64 where both have 64 bits.
template <class T, int Bytes>
inline constexpr bool is_signed_integer_v = std::signed_integral<T> && sizeof(T) == Bytes;

template <class T>
inline constexpr bool is_element_v =
    std::same_as<T, float> || std::same_as<T, double> || is_signed_integer_v<T, 4> ||
    is_signed_integer_v<T, 8> || std::same_as<T, unsigned char> || std::same_as<T, bfloat16>;

/// Whether numbers with a fraction are of this type: a tensor of such has a gradient.
template <class T>
inline constexpr bool is_floating_v = std::is_floating_point_v<T> || std::same_as<T, bfloat16>;

template <class T>
consteval Element element_of() {
  static_assert(is_element_v<T>,
                "tpx::element_v: an element is float, double, bfloat16, a signed 32- or 64-bit integer, or "
                "unsigned char");
  if constexpr (std::same_as<T, float>) return Element::f32;
  if constexpr (std::same_as<T, double>) return Element::f64;
  if constexpr (is_signed_integer_v<T, 4>) return Element::i32;
  if constexpr (is_signed_integer_v<T, 8>) return Element::i64;
  if constexpr (std::same_as<T, bfloat16>) return Element::bf16;
  return Element::u8;
}

static_assert(std::numeric_limits<float>::is_iec559 && sizeof(float) == 4, "tpx: f32 is IEEE binary32");
static_assert(std::numeric_limits<double>::is_iec559 && sizeof(double) == 8, "tpx: f64 is IEEE binary64");

/// Calls f with a std::type_identity of the C++ type that `element` stands for.
template <class F>
constexpr decltype(auto) with_element(Element element, F&& f) {
  switch (element) {
    case Element::f64:
      return f(std::type_identity<double>{});
    case Element::i32:
      return f(std::type_identity<std::int32_t>{});
    case Element::i64:
      return f(std::type_identity<std::int64_t>{});
    case Element::u8:
      return f(std::type_identity<unsigned char>{});
    case Element::bf16:
      return f(std::type_identity<bfloat16>{});
    case Element::f32:
      break;
  }
  return f(std::type_identity<float>{});
}

}  // namespace detail

/// The element that a C++ type is.
///
/// @pre T is float, double, bfloat16, a signed 32- or 64-bit integer, or unsigned char; const is looked through
template <class T>
inline constexpr Element element_v = detail::element_of<std::remove_cv_t<T>>();

}  // namespace tpx
