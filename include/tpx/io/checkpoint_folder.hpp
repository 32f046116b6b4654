// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include <tpx/io/checkpoint_file.hpp>

/// Checkpoints: tensors by name and global shape, so that any mesh reads what any other wrote.
///
///   folder/step-000000000120/manifest       version, step, facts, the parts' sizes and checksums
///                            part-00000 ...  of each rank
///
/// A checkpoint is written beside the others under another name, put on the disk, and renamed at last: what has
/// its own name is complete, whenever the job is killed.
namespace tpx {

/// What a checkpoint says beside tensors, by key.
using CheckpointFacts = std::map<std::string, std::string>;

namespace detail {

inline constexpr int checkpoint_version = 1;
inline constexpr const char* checkpoint_title = "tpx checkpoint ";

template <class Mesh>
constexpr unsigned all_axes = (1u << Mesh::axes::size) - 1;

inline std::string step_name(std::int64_t step) {
  char text[32];
  std::snprintf(text, sizeof text, "step-%012lld", static_cast<long long>(step));
  return text;
}
inline std::string part_name(int rank) {
  char text[24];
  std::snprintf(text, sizeof text, "part-%05d", rank);
  return text;
}

/// Steps of the complete checkpoints in a folder, the newest first; empty where there is no folder.
inline std::vector<std::int64_t> stored_steps(const std::string& folder) {
  std::vector<std::int64_t> steps;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    long long step = 0;
    if (std::sscanf(name.c_str(), "step-%lld", &step) == 1 && name == step_name(step)) steps.push_back(step);
  }
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

/// Puts a complete folder under a name, in the place of what may have it, and makes that last.
inline void put_in_place(const std::string& written, const std::string& name, const std::string& folder) {
  if (::rename(written.c_str(), name.c_str()) != 0) {
    if (errno != ENOTEMPTY && errno != EEXIST) fail_on(name, "cannot be put in place", errno);
    // Of the same step, stored by an earlier run: the two change names at once.
    if (::renameat2(AT_FDCWD, written.c_str(), AT_FDCWD, name.c_str(), RENAME_EXCHANGE) != 0)
      fail_on(name, "cannot be replaced", errno);
    std::filesystem::remove_all(written);
  }
  sync_folder(folder);
}

/// Removes what is older than the newest `keep`, and what was not completed.
inline void remove_old(const std::string& folder, std::size_t keep) {
  const std::vector<std::int64_t> steps = stored_steps(folder);
  std::error_code ignored;  // what stays is in nobody's way
  for (std::size_t i = keep; i < steps.size(); ++i)
    std::filesystem::remove_all(std::filesystem::path(folder) / step_name(steps[i]), ignored);
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-") && name.ends_with(".writing"))
      std::filesystem::remove_all(entry.path(), ignored);
  }
}

}  // namespace detail

}  // namespace tpx
