// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <tpx/tensor/context.hpp>
#include <tpx/train/bucket_cuts.hpp>
#include <tpx/train/model_parts.hpp>

namespace tpx::detail {

/// Elements of each bucket of a pipeline rank's parameters, as DataParallel cuts them by itself.
/// @param tied  another rank has the token table too: it is a bucket of its own
inline std::vector<std::int64_t> stage_buckets(const GptParts& parts, std::int64_t blocks, bool first,
                                               bool last, int element_bytes) {
  BucketCuts cuts;
  std::vector<std::int64_t> counts;
  const auto add = [&](const std::string& name, std::int64_t count) {
    cuts.add(name, count * element_bytes);
    counts.push_back(count);
  };
  const auto of_block = [](const ParameterSize& p) { return p.name.rfind("block", 0) == 0; };
  const auto named = [&](const std::string& name) {
    for (const ParameterSize& p : parts.sizes)
      if (p.name.rfind(name, 0) == 0) add(p.name, p.count);
  };
  if (first || last) named("tokens");
  if (first) named("positions");
  for (std::int64_t i = 0; i < blocks; ++i)
    for (const ParameterSize& p : parts.sizes)
      if (of_block(p)) add("block" + std::to_string(i) + p.name.substr(p.name.find('.')), p.count);
  if (last) named("norm");

  const bool tied = first != last;
  const std::vector<bool> starts = cuts.starts(0);
  std::vector<std::int64_t> buckets;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (starts[i] || (tied && i == 1)) buckets.push_back(0);
    buckets.back() += counts[i];
  }
  return buckets;
}

/// Bytes of what a rank has of its parameters for training, in memory as the pool gives it out.
struct StageState {
  double values = 0;     ///< with zero = 3 this rank's pieces, and whole the buckets in use
  double gradients = 0;  ///< whole
  double pieces = 0;     ///< of the gradients, this rank's
  double optimizer = 0;  ///< moments, and where elements have 2 bytes the values in 4
  double largest[3]{};   ///< buckets' whole gradients
};

inline StageState stage_state(const std::vector<std::int64_t>& buckets, int ranks, int zero,
                              int element_bytes) {
  const auto bytes = [](std::int64_t elements, int each) {
    return static_cast<double>(Pool<NoMemory>::capacity(elements * each));
  };
  const int states = element_bytes == 2 ? 3 : 2, state_bytes = element_bytes == 2 ? 4 : element_bytes;
  StageState s;
  for (const std::int64_t whole : buckets) {
    const std::int64_t piece = (whole + ranks - 1) / ranks;
    s.values += bytes(zero == 3 ? piece : whole, element_bytes);
    s.gradients += bytes(whole, element_bytes);
    s.pieces += bytes(piece, element_bytes);
    s.optimizer += states * bytes(zero > 0 ? piece : whole, state_bytes);
    double more = bytes(whole, element_bytes);
    for (double& each : s.largest)
      if (more > each) std::swap(more, each);
  }
  // The one in use, the one before and the next.
  if (zero == 3 && ranks > 1) s.values += s.largest[0] + s.largest[1] + s.largest[2];
  return s;
}

/// What a rank keeps for backward, and needs in it: bytes.
struct StageFlights {
  int in_flight = 1;  ///< forwards of a chunk that wait for their backward, at most
  int backwards = 1;  ///< of a step
  int chunks = 1;     ///< of layers on the rank
  int group = 1;      ///< backwards of a chunk before those of another begin
  double block = 0, chunk = 0;
  double ends = 0;         ///< at the output layer, of a micro-batch
  int ends_in_flight = 1;  ///< of them at most
  double block_workspace = 0, ends_workspace = 0;
};

/// Bytes of values, gradients, state and what is kept, where there are most.
///
/// From stage 2 on a bucket's whole gradients are there from the first backward that adds to it until the last
/// one has summed it. A step of one backward goes from all that is kept to all pieces. In another one whole
/// gradients come chunk by chunk, while less and less is kept when there are no forwards left; in the last
/// backward the first pieces come beside.
inline double stage_peak(const StageState& s, const StageFlights& f, int ranks, int zero) {
  const double beside = s.values + s.optimizer, flight = f.chunk + (f.chunks == 1 ? f.ends : 0);
  const double all = f.in_flight * f.chunk + f.ends_in_flight * f.ends;
  const auto begins = [&](double kept) {
    return kept + std::max(f.ends_workspace, f.block_workspace - f.ends);
  };
  const auto ends = [&](double kept) { return kept - flight + f.block + f.block_workspace; };
  if (zero < 2) return beside + s.gradients + begins(all);
  // Of one rank the piece is the whole: nothing lies beside.
  const double summed = ranks > 1 ? s.largest[0] + s.largest[1] : 0,
               piece = ranks > 1 ? s.largest[0] / ranks : 0;
  if (f.backwards == 1) return beside + std::max(begins(all) + s.largest[0], ends(all) + s.pieces + summed);
  double most = s.gradients + f.chunk - f.block + f.block_workspace + piece;
  for (int c = 0; c < f.chunks; ++c) {
    const double before = s.gradients * c / f.chunks, after = s.gradients * (c + 1) / f.chunks;
    const auto kept = [&](int backward) {
      return all - std::max(0, backward - (f.backwards - f.in_flight)) * flight;
    };
    const int first = c * f.group;  // the first backward of a chunk, and the one after it
    most = std::max({most, begins(kept(first)) + before + s.largest[0], ends(kept(first)) + after,
                     begins(kept(first + 1)) + after});
  }
  return beside + most;
}

}  // namespace tpx::detail
