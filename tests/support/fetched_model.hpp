// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace tpx::test {

/// Where examples/fetch_model.sh keeps a published model, or a file of it; empty where it did not fetch it yet:
/// such a test is then left out, and small models and vocabularies are all that is tested.
inline std::string fetched_model(const std::string& within) {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  std::string cache = variable("TPX_CACHE");
  if (cache.empty() && !variable("XDG_CACHE_HOME").empty()) cache = variable("XDG_CACHE_HOME") + "/tpx";
  if (cache.empty()) cache = variable("HOME") + "/.cache/tpx";
  const std::string path = cache + "/models/" + within;
  return std::filesystem::exists(path) ? path : std::string();
}

}  // namespace tpx::test
