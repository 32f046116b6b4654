// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tpx::detail {

/// Tokens that are looked for in a text as they are written, before anything else is done with it.
class SpecialTokens {
 public:
  /// @pre !text.empty()
  void add(std::string text, std::int32_t token) {
    auto& same = by_first_[static_cast<unsigned char>(text[0])];
    // The longest first: of two that begin at one place it is the one that is meant.
    const auto longer = [&](const auto& other) { return other.first.size() > text.size(); };
    same.insert(std::find_if_not(same.begin(), same.end(), longer), {std::move(text), token});
  }

  /// Calls plain(part) for what lies between special tokens, never empty, and special(token), in order.
  template <class Plain, class Special>
  void split(std::string_view text, Plain&& plain, Special&& special) const {
    std::size_t done = 0;
    for (std::size_t at = 0; at < text.size();) {
      const auto* const found = match(text.substr(at));
      if (found == nullptr) {
        ++at;
        continue;
      }
      if (at > done) plain(text.substr(done, at - done));
      special(found->second);
      done = at += found->first.size();
    }
    if (done < text.size()) plain(text.substr(done));
  }

 private:
  using Entry = std::pair<std::string, std::int32_t>;

  const Entry* match(std::string_view text) const {
    for (const Entry& entry : by_first_[static_cast<unsigned char>(text[0])])
      if (text.starts_with(entry.first)) return &entry;
    return nullptr;
  }

  std::array<std::vector<Entry>, 256> by_first_;
};

}  // namespace tpx::detail
