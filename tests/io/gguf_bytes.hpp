// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tpx::test {

/// Writes the bytes of a GGUF file field by field, right ones and wrong ones.
class GgufBytes {
 public:
  template <class T>
  GgufBytes& put(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  GgufBytes& u8(std::uint8_t v) { return put(v); }
  GgufBytes& u32(std::uint32_t v) { return put(v); }
  GgufBytes& u64(std::uint64_t v) { return put(v); }
  GgufBytes& key(std::string_view name) {
    u64(name.size());
    text_ += name;
    return *this;
  }
  /// Extents in the order of the file.
  GgufBytes& tensor(std::string_view name, const std::vector<std::uint64_t>& extents, std::uint32_t type,
                    std::uint64_t offset) {
    key(name).u32(static_cast<std::uint32_t>(extents.size()));
    for (const std::uint64_t e : extents) u64(e);
    return u32(type).u64(offset);
  }
  GgufBytes& align(std::size_t to) {
    text_.resize((text_.size() + to - 1) / to * to);
    return *this;
  }
  /// Each character as an i32.
  GgufBytes& raw(std::string_view characters) {
    for (const char c : characters) put(std::int32_t{c});
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_ = "GGUF";
};

struct GgufHead {
  std::uint32_t version = 3;
  std::uint64_t values = 0, tensors = 0;
};
inline GgufBytes gguf_bytes(GgufHead head) {
  GgufBytes made;
  made.u32(head.version).u64(head.tensors).u64(head.values);
  return made;
}

}  // namespace tpx::test
