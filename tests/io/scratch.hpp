// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <unistd.h>

#include <tpx/core/error.hpp>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

namespace tpx::test {

/// A folder of this process, gone with this object.
class Scratch {
 public:
  Scratch() : folder_(std::filesystem::temp_directory_path() / ("tpx-io-" + std::to_string(::getpid()))) {
    std::filesystem::create_directory(folder_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string operator/(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, std::string_view bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return *this / name;
  }

 private:
  std::filesystem::path folder_;
};

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

/// What f throws, or "nothing".
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing";
}

}  // namespace tpx::test

/// That an error was thrown, and says this.
#define TPX_CHECK_SAYS(expression, text)                                             \
  do {                                                                               \
    const std::string tpx_said = ::tpx::test::error_of([&] { (void)(expression); }); \
    CHECK_MESSAGE(tpx_said.find(text) != std::string::npos, "got: ", tpx_said);      \
  } while (false)
