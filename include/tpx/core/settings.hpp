// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <cstddef>
#include <istream>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>

#include <tpx/core/error.hpp>

/// Small files of lines `key = value`.
namespace tpx {

namespace detail {

inline std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r") - first + 1));
}

/// The lines `key = value` of a text; what follows a # is a comment.
/// @throws tpx::Error naming the file and the line
template <class F>
void read_settings(std::istream& in, const std::string& path, F&& setting) {
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    line = trimmed(std::string_view(line).substr(0, line.find('#')));
    if (line.empty()) continue;
    const auto refuse = [&](const std::string& why) {
      fail("tpx: '" + path + "', line " + std::to_string(number) + ": " + why + ": '" + line + "'");
    };
    const std::size_t equal = line.find('=');
    if (equal == std::string::npos) refuse("a line is 'key = value'");
    const std::string key = trimmed(std::string_view(line).substr(0, equal));
    const std::string complaint = setting(key, trimmed(std::string_view(line).substr(equal + 1)));
    if (!complaint.empty()) refuse(complaint);
  }
}

/// A positive number; 0 or less where the text is none.
inline double positive_number(const std::string& text) {
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  double value = 0;
  if (!(in >> value) || !(in >> std::ws).eof() || !std::isfinite(value)) return 0;
  return value;
}

}  // namespace detail

}  // namespace tpx
