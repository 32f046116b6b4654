// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "io/scratch.hpp"
#include "support/distributed.hpp"

namespace tpx::test {

/// A folder that all ranks know, made and removed by the first.
class SharedFolder {
 public:
  explicit SharedFolder(const World& world) : world_(world) {
    std::string path;
    if (world.rank() == 0) path = scratch_.emplace() / "checkpoints";
    auto length = static_cast<std::int64_t>(path.size());
    world.broadcast(&length, 1, Element::i64, 0);
    path.resize(static_cast<std::size_t>(length));
    world.broadcast(path.data(), length, Element::u8, 0);
    path_ = path;
  }
  ~SharedFolder() { world_.barrier(); }
  const std::string& path() const { return path_; }

 private:
  const World& world_;
  std::optional<Scratch> scratch_;
  std::string path_;
};

}  // namespace tpx::test
