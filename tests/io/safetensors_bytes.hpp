// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tpx::test {

inline std::string length_bytes(std::uint64_t length) {
  return std::string(reinterpret_cast<const char*>(&length), sizeof length);
}

/// A safetensors file of this header, right or wrong, and so many bytes of data.
inline std::string safetensors_bytes(const std::string& header, std::size_t data) {
  return length_bytes(header.size()) + header + std::string(data, '\0');
}

}  // namespace tpx::test
