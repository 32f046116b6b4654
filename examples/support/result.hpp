// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <concepts>
#include <cstdio>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

/// The last line of an example: `result {"example":...}`. Written by hand, because the usual JSON library is
/// more than the HIP compiler of Debian 12 can take.
namespace example {

/// A value by name: a number to 17 digits, a truth, a text, an object of further facts, or a
/// list of numbers.
class Fact {
 public:
  Fact(const std::string& name, std::integral auto number) : Fact(name, Text{std::to_string(number)}) {}
  Fact(const std::string& name, bool truth) : Fact(name, Text{truth ? "true" : "false"}) {}
  Fact(const std::string& name, double number) : Fact(name, Text{digits(number)}) {}
  Fact(const std::string& name, const char* text) : Fact(name, Text{quoted(text)}) {}
  Fact(const std::string& name, const std::string& text) : Fact(name, Text{quoted(text)}) {}
  Fact(const std::string& name, const std::vector<Fact>& object) : Fact(name, Text{braced(object)}) {}
  /// A list of numbers.
  template <class T>
  requires std::is_arithmetic_v<T> Fact(const std::string& name, const std::vector<T>& list)
      : Fact(name, Text{listed(list)}) {}

  /// `"name":value`
  const std::string& text() const { return text_; }

  /// `{"name":value,...}`
  static std::string braced(const std::vector<Fact>& facts) {
    std::string all;
    for (const Fact& fact : facts) {
      if (!all.empty()) all += ',';
      all += fact.text();
    }
    return '{' + all + '}';
  }

 private:
  struct Text {
    std::string value;
  };
  Fact(const std::string& name, const Text& text) : text_(quoted(name) + ':' + text.value) {}

  template <class T>
  static std::string listed(const std::vector<T>& list) {
    std::string all;
    for (const T number : list) {
      if (!all.empty()) all += ',';
      all += std::is_integral_v<T> ? std::to_string(number) : digits(static_cast<double>(number));
    }
    return '[' + all + ']';
  }
  static std::string digits(double number) {
    if (!std::isfinite(number)) return "null";
    std::ostringstream out;
    out.precision(17);
    out << number;
    return out.str();
  }
  static std::string quoted(const std::string& text) {
    std::string all = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') all += '\\';
      if (static_cast<unsigned char>(c) < 0x20) {
        char code[8];
        std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
        all += code;
      } else {
        all += c;
      }
    }
    return all + '"';
  }

  std::string text_;
};

}  // namespace example
