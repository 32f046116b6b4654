// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <tpx/comm/combine.hpp>
#include <tpx/comm/shared_memory.hpp>
#include <tpx/core/bfloat16.hpp>
#include <tpx/core/element.hpp>

namespace tpx::comm::detail {

/// Memory for what is under way, kept from call to call and grown where a call needs more; where the ranks of
/// the node can read it, if there is such memory left.
class KeptMemory {
 public:
  void* of(const SharedMemory& node, std::int64_t count, Element element) {
    const std::int64_t bytes = count * element_size(element);
    if (bytes > bytes_) {
      memory_ = node.symmetric_memory()(bytes);
      if (memory_ == nullptr) memory_ = std::shared_ptr<char[]>(new char[static_cast<std::size_t>(bytes)]);
      bytes_ = bytes;
    }
    return memory_.get();
  }

 private:
  std::shared_ptr<void> memory_;
  std::int64_t bytes_ = 0;
};

/// What terms of an element are summed as, so that the sum is rounded once.
inline Element summed_as(Element element) { return element == Element::bf16 ? Element::f32 : element; }

/// Copies `n` elements, from bfloat16 to float or back where the types differ.
inline void convert(void* to, Element as, const void* from, Element element, std::int64_t n) {
  if (as == element) return copy(to, from, n, element);
  if (as == Element::f32) {
    std::copy_n(static_cast<const bfloat16*>(from), n, static_cast<float*>(to));
  } else {
    const float* const sums = static_cast<const float*>(from);
    std::transform(sums, sums + n, static_cast<bfloat16*>(to), [](float sum) { return bfloat16(sum); });
  }
}

}  // namespace tpx::comm::detail
