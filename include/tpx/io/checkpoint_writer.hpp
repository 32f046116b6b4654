// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <tpx/core/settings.hpp>
#include <tpx/io/checkpoint_folder.hpp>
#include <tpx/io/load.hpp>

namespace tpx {

/// Stores one checkpoint, every rank its own parts.
///
///   CheckpointWriter writer(mesh, folder, step);  writer.fact("seed", "7");
///   writer.add(part, values);  ...  writer.commit();
///
/// @tparam Mesh  of all ranks that take part
template <class Mesh>
class CheckpointWriter {
 public:
  /// @comm   over all axes, an all_reduce (min) of one i32
  /// @throws tpx::Error, on every rank, where the folder cannot be made
  CheckpointWriter(const Mesh& mesh, std::string folder, std::int64_t step)
      : mesh_(mesh), folder_(std::move(folder)), name_(folder_ + "/" + detail::step_name(step)), step_(step) {
    detail::together(mesh_, [&] {
      if (mesh_.rank() != 0) return;
      std::error_code error;
      std::filesystem::remove_all(written(), error);
      if (!error) std::filesystem::create_directories(written(), error);
      if (error) fail("tpx::checkpoint: the folder '" + written() + "' cannot be made: " + error.message());
    });
    run([&] { part_.emplace(written() + "/" + detail::part_name(mesh_.rank())); });
  }

  /// The same on every rank; the first rank's are stored.
  void fact(const std::string& key, const std::string& value) {
    TPX_EXPECTS(key.find_first_of("=\n#") == std::string::npos &&
                    value.find_first_of("\n#") == std::string::npos && key == detail::trimmed(key) &&
                    value == detail::trimmed(value) && !key.empty(),
                key, value, "a fact is a line 'key = value'");
    facts_[key] = value;
  }

  /// Writes this rank's part of a tensor, if it is the one that stores it. What goes wrong is told by commit().
  template <class T>
  void add(const TensorPart& part, std::span<const T> values) {
    if (!part.stored || part.count == 0) return;
    run([&] {
      TPX_EXPECTS(static_cast<std::int64_t>(values.size()) == part.count, part.name, values.size(), part.count);
      part_->add(part, std::as_bytes(values));
    });
  }

  /// Completes the checkpoint; then the newest `keep` stay.
  ///
  /// @post   on the disk, under its own name; after an error whatever was there before is, and nothing else
  /// @comm   over all axes, three all_reduces (min) of one i32, and an all_gather of two i64
  /// @throws tpx::Error, on every rank
  void commit(std::size_t keep = 2) {
    std::int64_t mine[2]{};
    run([&] {
      const auto [size, sum] = part_->finish();
      mine[0] = size;
      mine[1] = static_cast<std::int64_t>(sum);
    });
    try {
      detail::together(mesh_, [&] {
        if (!error_.empty()) throw Error(error_);
      });
      std::vector<std::int64_t> all(2 * static_cast<std::size_t>(mesh_.size()));
      if (mesh_.size() > 1)
        mesh_.communicator(detail::all_axes<Mesh>).all_gather(mine, all.data(), 2, Element::i64);
      else
        std::copy(mine, mine + 2, all.begin());
      detail::together(mesh_, [&] {
        if (mesh_.rank() == 0) write_manifest(all);
      });
      detail::together(mesh_, [&] {
        if (mesh_.rank() != 0) return;
        detail::sync_folder(written());
        detail::put_in_place(written(), name_, folder_);
        detail::remove_old(folder_, keep);
      });
    } catch (const Error&) {
      std::error_code ignored;
      if (mesh_.rank() == 0) std::filesystem::remove_all(written(), ignored);
      throw;
    }
  }

 private:
  std::string written() const { return name_ + ".writing"; }

  /// What fails is kept until all ranks can be told.
  template <class F>
  void run(F&& f) {
    if (!error_.empty()) return;
    try {
      f();
    } catch (const std::exception& e) {
      error_ = e.what();
    }
  }

  void write_manifest(const std::vector<std::int64_t>& all) const {
    std::string text = detail::checkpoint_title + std::to_string(detail::checkpoint_version) + "\n";
    text += "step = " + std::to_string(step_) + "\n";
    for (const auto& [key, value] : facts_) text += "fact." + key + " = " + value + "\n";
    for (int r = 0; r < mesh_.size(); ++r) {
      const auto at = 2 * static_cast<std::size_t>(r);
      text += "part." + detail::part_name(r) + " = " + std::to_string(all[at]) + " " +
              std::to_string(static_cast<std::uint64_t>(all[at + 1])) + "\n";
    }
    text += "checksum = " + std::to_string(detail::checksum(text)) + "\n";
    detail::OutputFile file(written() + "/manifest");
    file.write(text);
    file.sync();
  }

  Mesh mesh_;
  std::string folder_, name_;
  std::int64_t step_;
  CheckpointFacts facts_;
  std::optional<detail::PartWriter> part_;
  std::string error_;
};

}  // namespace tpx
