// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tpx/autodiff/parameter.hpp>
#include <tpx/kernel/copy.hpp>
#include <tpx/layout/plan.hpp>
#include <tpx/tensor/collective.hpp>
#include <tpx/tensor/dtensor.hpp>

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

/// What an op leaves for its backward: no layouts, because their types were checked when it was recorded,
/// and the backward of an op on local shards is local. The one exception, redistribute, keeps its plan.
template <class Mesh>
struct Record {
  using Backward = void (*)(Tape<Mesh>&, Record&);
  static constexpr int max_operands = 4;
  static constexpr int max_saved = 7;

  Backward backward = nullptr;
  int in[max_operands]{-1, -1, -1, -1};
  int out = -1;
  Buffer saved[max_saved];
  std::int64_t extent[8]{};
  double scalar[2]{};
  const Plan* plan = nullptr;
  Shape shape{};
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

/// Records what ops do with tensors that are on it, and walks back.
///
/// The forward is written once; an op records its backward if one of its operands is on a tape. Which
/// collectives the backward needs was decided by the types: each redistribute recorded its plan.
///
///   Tape tape(mesh);
///   auto x = tape.watch(x0);              // a leaf whose gradient is wanted
///   auto y = matmul(x, w);                 // recorded; w may be a Parameter, whose gradient it keeps itself
///   backward(loss);
///   auto dx = tape.gradient(x);            // of layout dual_t<layout of x>
///   tape.clear();                          // ready for the next step; the memory is kept
template <class Mesh>
class Tape {
 public:
  explicit Tape(Mesh mesh) : mesh_(std::move(mesh)) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  const Mesh& mesh() const { return mesh_; }

  /// The tensor as a leaf of this tape, sharing its memory; its gradient is kept until clear().
  template <class T, int N, class L>
  DTensor<T, N, L, Mesh, OnTape<Mesh>> watch(const DTensor<T, N, L, Mesh>& x) {
    static_assert(std::is_floating_point_v<T>,
                  "tpx::Tape::watch: a leaf has floating-point elements; see input()");
    expect_here(x.mesh());
    const int node = add_node(x.local_count());
    nodes_[static_cast<std::size_t>(node)].kept = true;
    return {mesh_, x.shape(), x.shard(), {this, node, step_}};
  }

  /// The tensor on this tape without a gradient, token ids for example: what is computed from it with
  /// parameters is recorded.
  template <class T, int N, class L>
  DTensor<T, N, L, Mesh, OnTape<Mesh>> input(const DTensor<T, N, L, Mesh>& x) {
    expect_here(x.mesh());
    return {mesh_, x.shape(), x.shard(), {this, -1, step_}};
  }

  /// A parameter on this tape, for an op that no other operand puts there: redistribute<...>(tape.input(w)).
  template <class T, int N, class L>
  DTensor<T, N, L, Mesh, OnTape<Mesh>> input(const Parameter<T, N, L, Mesh>& w) {
    expect_here(w.mesh());
    return {mesh_, w.shape(), w.shard(), {this, node_of<T>(w.track().state, w.local_count()), step_}};
  }

  /// The gradient of a watched tensor; zeros where the loss does not depend on it.
  /// @pre x was watched on this tape since clear(), and backward has run
  template <class T, int N, class L>
  DTensor<T, N, dual_t<L>, Mesh> gradient(const DTensor<T, N, L, Mesh, OnTape<Mesh>>& x) {
    const int node = node_here(x.track());
    TPX_EXPECTS(x.track().tape == this && node >= 0 && nodes_[static_cast<std::size_t>(node)].kept, node,
                "the gradient of a tensor that was watched on this tape");
    TPX_EXPECTS(walked_, "backward comes before gradient");
    if (!filled(node)) fill<T>(node, T(0));
    return {mesh_, x.shape(), nodes_[static_cast<std::size_t>(node)].gradient};
  }

  /// Forgets all records and nodes and keeps their memory for the next step.
  void clear() {
    records_.clear();
    nodes_.clear();
    begun_ = walked_ = false;
    step_ = next_step();
  }

  /// Number of ops recorded since clear().
  std::size_t size() const { return records_.size(); }

  // ---- for ops ----------------------------------------------------------------------------------

  /// A new value of `count` local elements whose gradient may be needed.
  int add_node(std::int64_t count) {
    nodes_.push_back({{}, count, nullptr, false, false});
    return static_cast<int>(nodes_.size()) - 1;
  }

  /// The node of a tensor on this tape.
  /// @throws tpx::Error where the tensor is of an earlier step, whose nodes clear() has forgotten
  int node_here(const OnTape<Mesh>& track) const {
    TPX_EXPECTS(track.node < 0 || track.step == step_,
                "a tensor is used in the step in which it was put on the tape: watch it again after clear()");
    return track.node;
  }
  /// Which step this is; no two steps of any tapes have the same number.
  std::int64_t step() const { return step_; }

  /// The node of a parameter, the same for all its uses in a step, so that their gradients add.
  /// The first use takes the gradient's memory, so that the second step finds its own as the first left it.
  template <class T>
  int node_of(const std::shared_ptr<ParameterState>& parameter, std::int64_t count) {
    if (parameter->step != step_) {
      if (!parameter->gradient && !parameter->late) parameter->gradient = detail::allocate<T>(mesh_, count);
      parameter->step = step_;
      parameter->node = add_node(count);
      nodes_.back().parameter = parameter;
    }
    return parameter->node;
  }

  /// Whether ops are recorded: from clear() to backward. What is computed afterwards, the mean of a loss
  /// over the ranks for example, is not.
  bool records() const { return !walked_; }

  detail::Record<Mesh>& record(typename detail::Record<Mesh>::Backward backward) {
    records_.emplace_back();
    records_.back().backward = backward;
    return records_.back();
  }

  /// Gradient of a record's result.  @pre it is filled: the walk calls no backward otherwise
  template <class T>
  const T* gradient_of(int node) {
    return nodes_[static_cast<std::size_t>(node)].gradient.template as<T>();
  }
  const Buffer& gradient_buffer(int node) { return nodes_[static_cast<std::size_t>(node)].gradient; }

  /// Where the gradient of operand `node` goes.
  template <class T>
  detail::Sink<T> sink(int node) {
    if (node < 0) return {};
    Node& n = nodes_[static_cast<std::size_t>(node)];
    const bool add = filled(node);
    if (n.parameter != nullptr) {
      TPX_EXPECTS(!n.parameter->reduced, n.parameter->name,
                  "gradients that were reduced are reset before the next backward adds to them");
      if (!n.parameter->gradient) n.parameter->gradient = detail::allocate<T>(mesh_, n.count);
      n.parameter->filled = true;
      return {n.parameter->gradient.template as<T>(), add, true};
    }
    if (!add) n.gradient = detail::allocate<T>(mesh_, n.count);
    if (add && !n.gradient.unique()) {  // shared with another node: it must not see what is added here
      Buffer own = detail::allocate<T>(mesh_, n.count);
      detail::copy_elements(mesh_, static_cast<const T*>(n.gradient.template as<T>()), own.template as<T>(),
                            n.count);
      n.gradient = std::move(own);
    }
    n.filled = true;
    return {n.gradient.template as<T>(), add, true};
  }

  /// Gives operand `node` a whole gradient, shared where it is the first.
  template <class T>
  void give(int node, Buffer gradient) {
    if (node < 0) return;
    Node& n = nodes_[static_cast<std::size_t>(node)];
    if (n.parameter == nullptr && !n.filled) {
      n.gradient = std::move(gradient);
      n.filled = true;
      return;
    }
    const detail::Sink<T> to = sink<T>(node);
    const T* from = gradient.as<T>();
    if (!to.accumulate) return detail::copy_elements(mesh_, from, to.data, n.count);
    mesh_.context().launch({n.count, 3 * n.count * std::int64_t{sizeof(T)}},
                           [&](const auto& exec) { kernel::accumulate(exec, from, to.data, n.count); });
  }

  /// Called for each parameter of the walk, when nothing that is still to come adds to its gradient.
  using Final = std::function<void(ParameterState&)>;

  /// Walks the records backwards from the loss, whose gradient is `seed` everywhere.
  template <class T>
  void walk(const OnTape<Mesh>& loss, T seed, const Final& final_gradient = {}) {
    fill<T>(begin_walk(loss), seed);
    walk_back(final_gradient);
  }

  /// The same from any value, whose gradient is given.
  template <class T>
  void walk(const OnTape<Mesh>& y, const Buffer& gradient, const Final& final_gradient = {}) {
    give<T>(begin_walk(y), gradient);
    walk_back(final_gradient);
  }

 private:
  struct Node {
    Buffer gradient;
    std::int64_t count;
    std::shared_ptr<ParameterState> parameter;  // which keeps the gradient itself
    bool filled;
    bool kept;
  };

  /// Another mesh of this type may have other sizes, and so other shards.
  void expect_here(const Mesh& mesh) const {
    TPX_EXPECTS(mesh_.is(mesh), mesh_.coordinate_text(), "what is put on a tape is on the tape's own mesh");
  }

  int begin_walk(const OnTape<Mesh>& from) {
    const int node = node_here(from);
    TPX_EXPECTS(!begun_, "backward runs once for each forward: tape.clear() comes before the next");
    TPX_EXPECTS(node >= 0, "the loss depends on a watched tensor or a parameter");
    begun_ = true;
    return node;
  }

  void walk_back(const Final& final_gradient) {
    // The first use of a parameter in the forward is the last that adds to its gradient.
    std::vector<std::size_t> first_use;
    if (final_gradient) {
      first_use.assign(nodes_.size(), records_.size());
      for (std::size_t i = records_.size(); i-- > 0;)
        for (const int node : records_[i].in)
          if (node >= 0) first_use[static_cast<std::size_t>(node)] = i;
    }
    for (std::size_t i = records_.size(); i-- > 0;) {
      detail::Record<Mesh>& r = records_[i];
      if (filled(r.out)) {
        for (const Buffer& saved : r.saved) saved.fetch();
        r.backward(*this, r);
      }
      for (Buffer& saved : r.saved) saved.reset();
      Node& out = nodes_[static_cast<std::size_t>(r.out)];
      if (!out.kept) out.gradient.reset();
      if (!final_gradient) continue;
      for (const int node : r.in) {
        if (node < 0 || first_use[static_cast<std::size_t>(node)] != i) continue;
        first_use[static_cast<std::size_t>(node)] = records_.size();  // an operand may come twice
        if (const auto& parameter = nodes_[static_cast<std::size_t>(node)].parameter)
          final_gradient(*parameter);
      }
    }
    records_.clear();
    walked_ = true;
  }

  static std::int64_t next_step() {
    static std::atomic<std::int64_t> steps{0};
    return steps++;
  }

  bool filled(int node) const {
    const Node& n = nodes_[static_cast<std::size_t>(node)];
    return n.parameter != nullptr ? n.parameter->filled : n.filled;
  }

  template <class T>
  void fill(int node, T value) {
    const detail::Sink<T> to = sink<T>(node);
    const std::int64_t n = nodes_[static_cast<std::size_t>(node)].count;
    mesh_.context().launch({0, n * std::int64_t{sizeof(T)}},
                           [&](const auto& exec) { kernel::fill(exec, to.data, n, value); });
  }

  Mesh mesh_;
  std::vector<detail::Record<Mesh>> records_;
  std::vector<Node> nodes_;
  std::int64_t step_ = next_step();
  bool begun_ = false;  ///< a backward that failed half-way cannot be taken up again
  bool walked_ = false;
};

}  // namespace tpx
