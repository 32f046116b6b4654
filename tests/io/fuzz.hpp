// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <doctest/doctest.h>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <span>
#include <string>

#include "io/scratch.hpp"

/// Files with a few bytes changed load, or are refused with a sentence. TPX_FUZZ_COUNT is how many of each
/// format (20,000), TPX_FUZZ_SEED where they start (1). Under a sanitizer this finds a read beside the file:
/// each case lies in memory of exactly its size.
namespace tpx::test {

/// The most bytes that were asked for at once since it was last set to 0; test_fuzz.cpp keeps it.
extern std::size_t largest_allocation;

inline std::uint64_t fuzz_setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// One to four changes among the first bytes.
inline std::string mutated(std::string text, std::size_t header, std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const int changes = 1 + static_cast<int>(below(4));
  for (int i = 0; i < changes && !text.empty(); ++i) {
    const std::size_t at = below(std::min(header, text.size()));
    const auto any = static_cast<char>(random() & 0xff);
    switch (below(7)) {
      case 0:
        text[at] = any;
        break;
      case 1:
        text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 2:
        text.insert(at, 1 + below(8), any);
        break;
      case 3:
        text.erase(at, 1 + below(8));
        break;
      case 4:  // a digit, a bracket, a quote for another
        text[at] = "0123456789{}[]\",:-e. "[below(21)];
        break;
      case 5:  // a number of eight bytes, near a limit
        for (std::size_t b = 0; b < 8 && at + b < text.size(); ++b)
          text[at + b] = static_cast<char>(b == 7 ? (any & 1 ? 0x7f : 0xff) : 0xff);
        break;
      default:
        if (below(4) == 0) text.resize(at);
    }
  }
  return text;
}

/// Calls load(bytes) with changes to the first bytes of a good file: it throws a tpx::Error or does not.
/// @param most  bytes of an allocation, with what is small whatever the file says
template <class Load>
void fuzz(const std::string& good, std::size_t header, std::size_t most, Load&& load) {
  const std::uint64_t count = fuzz_setting("TPX_FUZZ_COUNT", 20000), seed = fuzz_setting("TPX_FUZZ_SEED", 1);
  load(bytes_of(good));
  std::uint64_t loaded = 0, refused = 0;
  largest_allocation = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::mt19937_64 random(seed + i);
    const std::string text = mutated(good, header, random);
    const auto exact = std::make_unique<std::byte[]>(text.size());
    std::ranges::copy(bytes_of(text), exact.get());
    CAPTURE(seed + i);
    const std::string said = error_of([&] { load(std::span<const std::byte>(exact.get(), text.size())); });
    if (said == "nothing") {
      ++loaded;
    } else {
      ++refused;
      REQUIRE(said.starts_with("tpx:"));
    }
  }
  MESSAGE(loaded, " of ", count, " loaded, ", refused, " refused");
  CHECK(largest_allocation < most);
  // A fuzzer that always, or never, breaks the file tests little.
  CHECK(loaded > count / 100);
  CHECK(refused > count / 4);
}

}  // namespace tpx::test
