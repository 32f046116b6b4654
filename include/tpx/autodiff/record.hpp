// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <tpx/layout/plan.hpp>
#include <tpx/tensor/buffer.hpp>

namespace tpx {

template <class Mesh>
class Tape;

/// The tensor is on a tape; node -1: it carries no gradient there, but what is computed from it is recorded.
template <class Mesh>
struct OnTape {
  Tape<Mesh>* tape = nullptr;
  int node = -1;
  std::int64_t step = -1;  ///< for which the node counts
};

namespace detail {

/// A part of the forward of which only the result is kept, because backward runs it again.
template <class Mesh>
struct Replay {
  std::function<OnTape<Mesh>()> run;  ///< records it anew; where its result is on the tape
  std::vector<int> parameters;        ///< nodes of those that it uses
};

/// What an op leaves for its backward: no layouts, because their types were checked when it was recorded,
/// and the backward of an op on local shards is local. The one exception, redistribute, keeps its plan.
template <class Mesh>
struct Record {
  using Backward = void (*)(Tape<Mesh>&, Record&);
  static constexpr int max_operands = 8;
  static constexpr int max_saved = 9;

  Backward backward = nullptr;
  int in[max_operands]{-1, -1, -1, -1, -1, -1, -1, -1};
  int out = -1;  ///< the node of the result; of several the first one's, the others' follow
  int outs = 1;
  Buffer saved[max_saved];
  std::int64_t extent[8]{};
  double scalar[2]{};
  const Plan* plan = nullptr;
  Shape shape{};
  std::unique_ptr<Replay<Mesh>> replay{};
};

/// Where a backward writes an operand's gradient, if one is wanted, and whether to add to what is there.
/// (On an abstract mesh a gradient is wanted and has no memory.)
template <class T>
struct Sink {
  T* data = nullptr;
  bool accumulate = false;
  bool wanted = false;
  explicit operator bool() const { return wanted; }
};

}  // namespace detail
}  // namespace tpx
