// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tpx/core/error.hpp>
#include <tpx/io/gguf_reader.hpp>
#include <tpx/io/tensor_file.hpp>

namespace tpx {

/// A value of GGUF metadata, or an array of them: where they lie in the file, which was checked; they are
/// read when they are asked for. Strings are valid while the file is open.
///
/// @throws tpx::Error naming the key and its type where it is asked for as another one
class GgufValue {
 public:
  /// Reads past a value, checking it.
  /// @param depth  how many arrays it lies in
  static GgufValue read(detail::GgufReader& in, GgufType type, std::string_view key, int depth = 0) {
    constexpr int deepest = 4;
    const std::string name = "metadata " + detail::quoted(key);
    GgufValue value(type, key);
    if (type == GgufType::array) {
      if (depth == deepest) in.refuse(name + " nests arrays deeper than " + std::to_string(deepest));
      value.element_ = in.type("the type of the elements of " + name);
      value.count_ = in.count("the number of elements of " + name, detail::format_of(value.element_).least);
    }
    const std::size_t start = in.position();
    if (value.element_ == GgufType::string) {
      for (std::uint64_t i = 0; i < value.count_; ++i) in.text(name);
    } else if (value.element_ == GgufType::array) {
      for (std::uint64_t i = 0; i < value.count_; ++i) read(in, GgufType::array, key, depth + 1);
    } else {
      in.take(value.count_ * detail::format_of(value.element_).least, name);
    }
    value.bytes_ = in.since(start);
    if (value.element_ == GgufType::boolean)
      for (const std::byte b : value.bytes_)
        if (b > std::byte{1}) in.refuse(name + " has a bool that is neither 0 nor 1");
    return value;
  }

  GgufType type() const { return type_; }
  /// "u32", "array of string"
  std::string describe() const {
    const std::string name = detail::format_of(element_).name;
    return type_ == GgufType::array ? "array of " + name : name;
  }

  bool boolean() const { return one<bool>("a bool"); }
  /// Of any of the integer types.
  std::int64_t integer() const { return one<std::int64_t>("an integer"); }
  /// Of f32 or f64.
  double real() const { return one<double>("a real number"); }
  std::string_view text() const { return one<std::string_view>("a string"); }

  std::vector<bool> booleans() const { return all<bool>("an array of bools"); }
  std::vector<std::int64_t> integers() const { return all<std::int64_t>("an array of integers"); }
  std::vector<double> reals() const { return all<double>("an array of real numbers"); }
  std::vector<std::string_view> texts() const { return all<std::string_view>("an array of strings"); }
  std::vector<GgufValue> arrays() const { return all<GgufValue>("an array of arrays"); }

 private:
  GgufValue() = default;
  GgufValue(GgufType type, std::string_view key) : type_(type), element_(type), key_(key) {}

  using Reader = detail::GgufReader;

  // Each reads an element and says true, or, where it is of another kind, false.
  bool read_element(Reader& in, bool& to) const {
    if (element_ != GgufType::boolean) return false;
    to = in.number<std::uint8_t>("it") != 0;
    return true;
  }
  bool read_element(Reader& in, std::int64_t& to) const {
    switch (element_) {
      case GgufType::u8:
        to = in.number<std::uint8_t>("it");
        return true;
      case GgufType::i8:
        to = in.number<std::int8_t>("it");
        return true;
      case GgufType::u16:
        to = in.number<std::uint16_t>("it");
        return true;
      case GgufType::i16:
        to = in.number<std::int16_t>("it");
        return true;
      case GgufType::u32:
        to = in.number<std::uint32_t>("it");
        return true;
      case GgufType::i32:
        to = in.number<std::int32_t>("it");
        return true;
      case GgufType::i64:
        to = in.number<std::int64_t>("it");
        return true;
      case GgufType::u64: {
        const auto value = in.number<std::uint64_t>("it");
        if (value > std::uint64_t{std::numeric_limits<std::int64_t>::max()})
          in.refuse(std::to_string(value) + " is more than 2^63 - 1");
        to = static_cast<std::int64_t>(value);
        return true;
      }
      default:
        return false;
    }
  }
  bool read_element(Reader& in, double& to) const {
    if (element_ == GgufType::f32) to = static_cast<double>(in.number<float>("it"));
    if (element_ == GgufType::f64) to = in.number<double>("it");
    return element_ == GgufType::f32 || element_ == GgufType::f64;
  }
  bool read_element(Reader& in, std::string_view& to) const {
    if (element_ != GgufType::string) return false;
    to = in.text("it");
    return true;
  }
  bool read_element(Reader& in, GgufValue& to) const {
    if (element_ != GgufType::array) return false;
    to = read(in, GgufType::array, key_, 1);
    return true;
  }

  Reader reader() const { return {bytes_, "tpx::GgufValue: metadata " + detail::quoted(key_) + ": "}; }

  template <class T>
  T one(const char* wanted) const {
    Reader in = reader();
    T value{};
    if (type_ == GgufType::array || !read_element(in, value)) refuse(wanted);
    return value;
  }
  template <class T>
  std::vector<T> all(const char* wanted) const {
    if (type_ != GgufType::array) refuse(wanted);
    Reader in = reader();
    std::vector<T> values;
    values.reserve(static_cast<std::size_t>(count_));
    for (std::uint64_t i = 0; i < count_; ++i) {
      T value{};
      if (!read_element(in, value)) refuse(wanted);
      values.push_back(value);
    }
    return values;
  }
  [[noreturn]] void refuse(const char* wanted) const {
    fail("tpx::GgufValue: metadata " + detail::quoted(key_) + " is of type " + describe() + "; expected " +
         wanted);
  }

  GgufType type_ = GgufType::u8;
  GgufType element_ = GgufType::u8;  // of a single value, its type
  std::uint64_t count_ = 1;
  std::string_view key_;
  std::span<const std::byte> bytes_;
};

}  // namespace tpx
