// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <tpx/core/error.hpp>

namespace tpx {

/// The types of GGUF metadata, by the numbers that files use.
enum class GgufType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

namespace detail {

struct GgufTypeFormat {
  const char* name;
  std::size_t least;  ///< bytes of a value, at least
};
inline constexpr GgufTypeFormat gguf_type_formats[] = {
    {"u8", 1},   {"i8", 1},     {"u16", 2},    {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4},
    {"bool", 1}, {"string", 8}, {"array", 12}, {"u64", 8}, {"i64", 8}, {"f64", 8}};

constexpr const GgufTypeFormat& format_of(GgufType type) {
  return gguf_type_formats[static_cast<std::uint32_t>(type)];
}

/// Reads on through bytes, and never past their end.
///
/// @throws tpx::Error naming the field
class GgufReader {
 public:
  /// @param whose  what a complaint starts with
  GgufReader(std::span<const std::byte> bytes, std::string whose) : bytes_(bytes), whose_(std::move(whose)) {}

  std::size_t position() const { return position_; }
  std::size_t left() const { return bytes_.size() - position_; }
  /// What was read since then.
  std::span<const std::byte> since(std::size_t position) const {
    return bytes_.subspan(position, position_ - position);
  }

  [[noreturn]] void refuse(const std::string& rule) const { fail(whose_ + rule); }

  std::span<const std::byte> take(std::uint64_t count, std::string_view field) {
    if (count > left())
      refuse(std::string(field) + " takes " + std::to_string(count) + " bytes from byte " +
             std::to_string(position_) + " on; there are " + std::to_string(left()));
    position_ += static_cast<std::size_t>(count);
    return since(position_ - static_cast<std::size_t>(count));
  }

  template <class T>
  T number(std::string_view field) {
    T value;
    std::memcpy(&value, take(sizeof value, field).data(), sizeof value);
    return value;
  }

  /// A string: its length, a u64, and its bytes.
  std::string_view text(std::string_view field) {
    const auto bytes = take(number<std::uint64_t>(field), field);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  /// The number of things that follow, of at least `least` bytes each: no more than there is room for.
  std::uint64_t count(std::string_view field, std::size_t least) {
    const auto n = number<std::uint64_t>(field);
    if (n > left() / least)
      refuse(std::string(field) + " is " + std::to_string(n) + "; the bytes that are left hold " +
             std::to_string(left() / least) + " at most");
    return n;
  }

  GgufType type(std::string_view field) {
    const auto code = number<std::uint32_t>(field);
    if (code >= std::size(gguf_type_formats))
      refuse(std::string(field) + " is " + std::to_string(code) + "; known are 0 to 12");
    return static_cast<GgufType>(code);
  }

 private:
  std::span<const std::byte> bytes_;
  std::string whose_;
  std::size_t position_ = 0;
};

}  // namespace detail
}  // namespace tpx
