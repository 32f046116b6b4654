// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/io/gguf.hpp>
#include <tpx/io/read_shard.hpp>
#include <tpx/io/safetensors.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "io/fuzz.hpp"
#include "io/gguf_bytes.hpp"
#include "io/safetensors_bytes.hpp"
#include "io/scratch.hpp"

using namespace tpx;
using namespace tpx::test;

std::size_t tpx::test::largest_allocation = 0;

namespace {

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

/// A byte of BOOL is read into eight, and a name comes with its entry.
constexpr std::size_t most = 16 * 1024;

template <class File>
void load_and_use(std::span<const std::byte> bytes) {
  const File file(bytes, "f");
  double sum = use(file);
  for (const FileTensor& t : file.tensors()) sum += use(t);
  REQUIRE(!std::to_string(sum).empty());  // whatever it is, it was read
}

}  // namespace

TEST_CASE("mutated headers of safetensors load or are refused") {
  const std::string good = good_safetensors();
  fuzz(good, good.size() - 24, most, load_and_use<Safetensors>);
}

TEST_CASE("mutated headers of GGUF load or are refused") {
  const std::string good = good_gguf();
  fuzz(good, good.size() - 96 - 12, most, load_and_use<Gguf>);
}
