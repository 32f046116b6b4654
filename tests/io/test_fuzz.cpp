// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/io/gguf.hpp>
#include <tpx/io/read_shard.hpp>
#include <tpx/io/safetensors.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "io/gguf_bytes.hpp"
#include "io/safetensors_bytes.hpp"
#include "io/scratch.hpp"

/// Headers with a few bytes changed load, or are refused with a sentence. TPX_FUZZ_COUNT is how many of each
/// format (20,000), TPX_FUZZ_SEED where they start (1). Under a sanitizer this finds a read beside the file:
/// each case lies in memory of exactly its size.
using namespace tpx;
using namespace tpx::test;

namespace {

std::size_t largest_allocation = 0;

void* allocate(std::size_t size) {
  largest_allocation = std::max(largest_allocation, size);
  void* memory = std::malloc(std::max(size, std::size_t{1}));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Small enough that a change hits a field, with one of each kind of field.
std::string good_safetensors() {
  return safetensors_bytes(
      R"({"__metadata__":{"a":"b"},"w":{"dtype":"F16","shape":[2,4],"data_offsets":[0,16]},)"
      R"("b":{"dtype":"I32","shape":[2],"data_offsets":[16,24]},)"
      R"("e":{"dtype":"BOOL","shape":[0,3],"data_offsets":[24,24]}})",
      24);
}

std::string good_gguf() {
  GgufBytes made = gguf_bytes({.values = 6, .tensors = 3});
  made.key("general.alignment").u32(4).u32(32);
  made.key("s").u32(8).key("text");
  made.key("b").u32(7).u8(1);
  made.key("a").u32(9).u32(8).u64(2).key("x").key("yz");
  made.key("n").u32(9).u32(9).u64(2).u32(5).u64(1).u32(7).u32(7).u64(2).u8(0).u8(1);
  made.key("f").u32(12).u64(0);
  made.tensor("w", {32, 2}, 8, 0).tensor("e", {0}, 0, 96).tensor("v", {3}, 26, 96).align(32);
  return made.text() + std::string(96 + 12, '\1');
}

std::string mutated(std::string text, std::size_t header, std::mt19937_64& random) {
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

template <class T>
double sum_of(const FileTensor& t) {
  double sum = 0;
  for (const T v : read_whole<T>(t)) sum += static_cast<double>(v);
  return sum;
}

double use(const FileTensor& t) { return is_real(t.dtype) ? sum_of<float>(t) : sum_of<std::int64_t>(t); }

double use(const Safetensors& file) { return static_cast<double>(file.metadata().size()); }

double use(const Gguf& file) {
  double sum = 0;
  for (const auto& entry : file.metadata()) {
    const GgufValue& value = entry.second;
    const std::string said = error_of([&] {
      if (value.type() == GgufType::string) sum += static_cast<double>(value.text().size());
      if (value.describe() == "array of string") sum += static_cast<double>(value.texts().size());
      if (value.describe() == "array of array")
        for (const GgufValue& v : value.arrays()) sum += v.type() == GgufType::array ? 1 : 0;
      if (value.describe() == "f64") sum += value.real();
      sum += static_cast<double>(value.integers().size());
    });
    REQUIRE(said != "");
  }
  return sum;
}

template <class File>
void fuzz(const std::string& good, std::size_t header) {
  const std::uint64_t count = setting("TPX_FUZZ_COUNT", 20000), seed = setting("TPX_FUZZ_SEED", 1);
  std::uint64_t loaded = 0, refused = 0;
  double sum = 0;
  largest_allocation = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::mt19937_64 random(seed + i);
    const std::string text = mutated(good, header, random);
    const auto exact = std::make_unique<std::byte[]>(text.size());
    std::ranges::copy(bytes_of(text), exact.get());
    CAPTURE(seed + i);
    const std::string said = error_of([&] {
      const File file({exact.get(), text.size()}, "f");
      for (const FileTensor& t : file.tensors()) sum += use(t);
      sum += use(file);
    });
    if (said == "nothing") {
      ++loaded;
    } else {
      ++refused;
      REQUIRE(said.starts_with("tpx::"));
    }
  }
  MESSAGE(loaded, " of ", count, " loaded, ", refused, " refused");
  // The files have less than 1 kB; a byte of BOOL is read into eight, and a name comes with its entry.
  CHECK(largest_allocation < 16 * 1024);
  // A fuzzer that always, or never, breaks the file tests little.
  CHECK(loaded > count / 100);
  CHECK(refused > count / 4);
}

}  // namespace

TEST_CASE("mutated headers of safetensors load or are refused") {
  const std::string good = good_safetensors();
  fuzz<Safetensors>(good, good.size() - 24);
}

TEST_CASE("mutated headers of GGUF load or are refused") {
  const std::string good = good_gguf();
  fuzz<Gguf>(good, good.size() - 96 - 12);
}
