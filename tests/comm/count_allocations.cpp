// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "count_allocations.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

// A file of its own: where these are inlined, GCC takes malloc and delete for a mismatched pair. Those for
// arrays, and those that throw nothing, call these.

namespace {

std::atomic<long> calls{0};

}  // namespace

long allocations() { return calls.load(); }

void* operator new(std::size_t bytes) {
  ++calls;
  if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  ++calls;
  const auto line = static_cast<std::size_t>(alignment);
  if (void* const memory = std::aligned_alloc(line, (bytes + line) / line * line)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
