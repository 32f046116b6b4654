// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tpx/core/settings.hpp>
#include <tpx/io/checkpoint_writer.hpp>
#include <tpx/tensor/host_copy.hpp>

/// Reading checkpoints, and storing and loading a whole training by them (see checkpoint_folder.hpp).
namespace tpx {

/// One complete checkpoint, as one rank reads it. Elements are checked against their checksums when they are
/// read.
class Checkpoint {
 public:
  /// @throws tpx::Error with what is missing or changed, or that a newer version wrote it
  explicit Checkpoint(std::string path) : path_(std::move(path)) {
    read_manifest();
    for (const auto& [name, size, sum] : files_) {
      const std::string file = path_ + "/" + name;
      std::error_code error;
      if (!std::filesystem::exists(file, error)) fail("tpx::checkpoint: '" + path_ + "' has lost its " + name);
      mapped_.push_back(std::make_unique<MappedFile>(file));
      for (detail::StoredPart& stored : detail::read_part_index(file, mapped_.back()->bytes(), size, sum)) {
        tensors_[stored.part.name].push_back(std::move(stored));
      }
    }
  }

  const std::string& path() const { return path_; }
  std::int64_t step() const { return step_; }
  const CheckpointFacts& facts() const { return facts_; }

  /// Names of all tensors, in one order on every rank.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : tensors_) all.push_back(entry.first);
    return all;
  }

  /// Reads a part of a tensor, whoever stored it. Where ranks stored values of their own, the same number of
  /// ranks gets each its own again, any other the mean.
  /// @throws tpx::Error naming the tensor where it is not there, another, changed, or not all there
  template <class T>
  std::vector<T> read(const TensorPart& part) {
    const auto found = tensors_.find(part.name);
    if (found == tensors_.end())
      fail("tpx::checkpoint: '" + path_ + "' has no tensor " + detail::quoted(part.name) +
           (tensors_.empty() ? "" : "; the nearest are " + detail::nearest(part.name, tensors_)));
    int replicas = 1;
    for (const detail::StoredPart& stored : found->second)
      replicas = std::max(replicas, stored.part.replica + 1);
    if (replicas == 1 || replicas == part.replicas)
      return read_replica<T>(found->second, part, replicas == 1 ? 0 : part.replica);
    std::vector<T> mean = read_replica<T>(found->second, part, 0);
    for (int r = 1; r < replicas; ++r) {
      const std::vector<T> other = read_replica<T>(found->second, part, r);
      for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += other[i];
    }
    for (T& value : mean) value /= static_cast<T>(replicas);
    return mean;
  }

 private:
  struct File {
    std::string name;
    std::uint64_t size = 0, sum = 0;
  };

  template <class T>
  std::vector<T> read_replica(std::vector<detail::StoredPart>& all, const TensorPart& part, int replica) {
    std::vector<T> values(static_cast<std::size_t>(part.count));
    std::int64_t copied = 0;
    std::vector<const TensorPart*> used;  // ranks that share a tensor over a pipeline may store the same twice
    for (detail::StoredPart& stored : all) {
      if (!stored.part.of_same_tensor(part))
        fail("tpx::checkpoint: tensor " + detail::quoted(part.name) + " of '" + path_ + "' is " +
             print(name(stored.part.element), stored.part.global, {}, {}) + "; the model's is " +
             print(name(part.element), part.global, {}, {}));
      const auto same = [&](const TensorPart* other) { return other->same_place(stored.part); };
      if (stored.part.replica != replica || std::any_of(used.begin(), used.end(), same)) continue;
      used.push_back(&stored.part);
      const std::int64_t here = detail::copy_overlap(stored.part, stored.bytes.data(), part,
                                                     reinterpret_cast<std::byte*>(values.data()));
      if (here > 0) check(stored);
      copied += here;
    }
    if (copied != part.count)
      fail("tpx::checkpoint: of tensor " + detail::quoted(part.name) + " '" + path_ + "' has " +
           std::to_string(copied) + " of " + std::to_string(part.count) + " elements that are needed");
    return values;
  }

  void check(detail::StoredPart& stored) const {
    if (stored.checked) return;
    if (detail::checksum(stored.bytes) != stored.sum)
      fail("tpx::checkpoint: tensor " + detail::quoted(stored.part.name) + " in '" + stored.path +
           "' is not as it was stored: its checksum differs");
    stored.checked = true;
  }

  void read_manifest() {
    const std::string file = path_ + "/manifest";
    std::ifstream in(file, std::ios::binary);
    if (!in) fail("tpx::checkpoint: '" + path_ + "' is none: it has no manifest");
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const auto changed = [&] { fail("tpx::checkpoint: '" + file + "' is not as it was stored"); };
    const std::string title = detail::checkpoint_title;
    if (!text.starts_with(title)) changed();
    const double version = detail::positive_number(text.substr(title.size(), text.find('\n') - title.size()));
    if (version > detail::checkpoint_version)
      fail("tpx::checkpoint: '" + path_ + "' was stored by a newer version, " +
           std::to_string(static_cast<int>(version)) + "; this one reads up to " +
           std::to_string(detail::checkpoint_version));
    const std::size_t last = text.rfind("checksum = ");
    if (last == std::string::npos ||
        text.substr(last) !=
            "checksum = " + std::to_string(detail::checksum(std::string_view(text).substr(0, last))) + "\n")
      changed();
    std::istringstream lines(text.substr(text.find('\n') + 1, last - text.find('\n') - 1));
    detail::read_settings(lines, file, [&](const std::string& key, const std::string& value) -> std::string {
      std::istringstream numbers(value);
      if (key == "step") {
        numbers >> step_;
      } else if (key.starts_with("fact.")) {
        facts_[key.substr(5)] = value;
        return {};
      } else if (key.starts_with("part.")) {
        File part;
        part.name = key.substr(5);
        numbers >> part.size >> part.sum;
        files_.push_back(part);
      } else {
        return "the key is unknown";
      }
      return numbers ? "" : "the value is no number";
    });
  }

  std::string path_;
  std::int64_t step_ = 0;
  CheckpointFacts facts_;
  std::vector<File> files_;
  std::vector<std::unique_ptr<MappedFile>> mapped_;
  std::map<std::string, std::vector<detail::StoredPart>, std::less<>> tensors_;
};

/// Opens the newest complete checkpoint of a folder, the same on every rank.
///
/// @comm   over all axes, an all_reduce (min) of one i32 twice, a broadcast of one i64
/// @throws tpx::Error, on every rank, where there is none, or it cannot be read
template <class Mesh>
Checkpoint newest_checkpoint(const Mesh& mesh, const std::string& folder) {
  std::int64_t step = -1;
  detail::together(mesh, [&] {
    if (mesh.rank() != 0) return;
    const std::vector<std::int64_t> steps = detail::stored_steps(folder);
    if (steps.empty()) fail("tpx::checkpoint: the folder '" + folder + "' has no complete checkpoint");
    step = steps.front();
  });
  if (mesh.size() > 1) mesh.communicator(detail::all_axes<Mesh>).broadcast(&step, 1, Element::i64, 0);
  std::optional<Checkpoint> checkpoint;
  detail::together(mesh, [&] { checkpoint.emplace(folder + "/" + detail::step_name(step)); });
  return std::move(*checkpoint);
}

/// Stores a model, its optimizer's state, a step and facts.
///
/// What there is to store visit_training_state(model, optimizer, f) says: it calls f(part, memory) for each
/// parameter and each part of the optimizer's state (train/training_state.hpp has it for this library's
/// optimizers).
///
/// @param  mesh  of all ranks that train; the model's own may be a stage of it
/// @post   the newest complete checkpoint of the folder is this one
/// @comm   as CheckpointWriter
/// @throws tpx::Error, on every rank; the checkpoints that were there stay
template <class Mesh, class Model, class Optimizer>
void save_checkpoint(const Mesh& mesh, const std::string& folder, std::int64_t step, Model& model,
                     Optimizer& optimizer, const CheckpointFacts& facts = {}) {
  using T = typename Model::element_type;
  CheckpointWriter<Mesh> writer(mesh, folder, step);
  for (const auto& [key, value] : facts) writer.fact(key, value);
  writer.fact("optimizer_steps", std::to_string(optimizer.steps()));
  std::vector<T> values;
  visit_training_state(model, optimizer, [&](const TensorPart& part, const T* data) {
    if (!part.stored) return;
    values.resize(static_cast<std::size_t>(part.count));
    detail::copy_to_host(model.mesh(), data, values.data(), part.count);
    writer.add(part, std::span<const T>(values));
  });
  writer.commit();
}

/// Loads a model and its optimizer's state from a checkpoint that any mesh stored.
///
/// @post   as if the steps had been made here; after an error the model is as it was
/// @comm   over all axes, two all_reduces of one i32 and one of an i32 for each tensor
/// @throws tpx::Error, on every rank, naming the tensor that is missing, another, changed, or of no use here
template <class Mesh, class Model, class Optimizer>
void load_checkpoint(const Mesh& mesh, Checkpoint& checkpoint, Model& model, Optimizer& optimizer) {
  using T = typename Model::element_type;
  const std::vector<std::string> names = checkpoint.names();
  std::vector<std::int32_t> used(names.size(), 0);
  std::vector<std::vector<T>> values;
  std::int64_t steps = 0;
  detail::together(mesh, [&] {
    const auto counted = checkpoint.facts().find("optimizer_steps");
    if (counted == checkpoint.facts().end())
      fail("tpx::checkpoint: '" + checkpoint.path() + "' says no optimizer_steps");
    steps = std::stoll(counted->second);
    visit_training_state(model, optimizer, [&](const TensorPart& part, const T*) {
      values.push_back(checkpoint.read<T>(part));
      used[static_cast<std::size_t>(std::lower_bound(names.begin(), names.end(), part.name) - names.begin())] =
          1;
    });
  });
  if (mesh.size() > 1)
    mesh.communicator(detail::all_axes<Mesh>)
        .all_reduce(used.data(), used.data(), static_cast<std::int64_t>(used.size()), Element::i32,
                    Reduction::max);
  const auto unused = std::find(used.begin(), used.end(), 0);
  if (unused != used.end())
    fail("tpx::checkpoint: '" + checkpoint.path() + "' is of another model: this one has no tensor " +
         detail::quoted(names[static_cast<std::size_t>(unused - used.begin())]));
  std::size_t i = 0;
  visit_training_state(model, optimizer, [&](const TensorPart& part, T* data) {
    detail::copy_from_host(model.mesh(), static_cast<const T*>(values[i++].data()), data, part.count);
  });
  optimizer.set_steps(steps);
}

}  // namespace tpx
