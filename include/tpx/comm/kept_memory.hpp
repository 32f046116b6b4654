// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <tpx/comm/shared_memory.hpp>
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

}  // namespace tpx::comm::detail
