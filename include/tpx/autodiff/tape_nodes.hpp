// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <tpx/autodiff/parameter.hpp>
#include <tpx/autodiff/record.hpp>
#include <tpx/kernel/copy.hpp>
#include <tpx/tensor/collective.hpp>

namespace tpx::detail {

/// The values of a step on a tape, by number, and their gradients.
template <class Mesh>
class TapeNodes {
 public:
  explicit TapeNodes(Mesh mesh) : mesh_(std::move(mesh)) {}
  TapeNodes(const TapeNodes&) = delete;
  TapeNodes& operator=(const TapeNodes&) = delete;

  const Mesh& mesh() const { return mesh_; }

  /// Which step this is; no two steps of any tapes have the same number.
  std::int64_t step() const { return step_; }

  /// A new value of `count` local elements whose gradient may be needed.
  int add_node(std::int64_t count) {
    nodes_.push_back({.count = count});
    return static_cast<int>(nodes_.size()) - 1;
  }

  /// The node of a tensor on this tape.
  /// @throws tpx::Error where the tensor is of an earlier step, whose nodes clear() has forgotten
  int node_here(const OnTape<Mesh>& track) const {
    TPX_EXPECTS(track.node < 0 || track.step == step_,
                "a tensor is used in the step in which it was put on the tape: watch it again after clear()");
    TPX_EXPECTS(track.node < 0 || !at(track.node).forgotten, track.node,
                "of what recompute's function computes only the result is used outside of it");
    return track.node;
  }

  /// The node of a parameter, the same for all its uses in a step, so that their gradients add.
  /// The first use takes the gradient's memory, so that the second step finds its own as the first left it.
  template <class T>
  int node_of(const std::shared_ptr<ParameterState>& parameter, std::int64_t count) {
    if (parameter->step != step_) {
      if (!parameter->gradient) parameter->gradient = allocate<T>(mesh_, count);
      parameter->step = step_;
      parameter->node = add_node(count);
      nodes_.back().parameter = parameter;
    }
    return parameter->node;
  }

  /// Gradient of a record's result.  @pre it is filled: the walk calls no backward otherwise
  template <class T>
  const T* gradient_of(int node) {
    return at(node).gradient.template as<T>();
  }
  /// The same where a record has several results: zeros for one of which the loss does not depend on.
  template <class T>
  const T* gradient_or_zeros(int node) {
    if (!filled(node)) fill(node, T(0));
    return gradient_of<T>(node);
  }
  const Buffer& gradient_buffer(int node) { return at(node).gradient; }
  /// The gradient of a record's result for one who is the last to use it: not held here any more unless it is
  /// asked for.
  Buffer take_gradient(int node) {
    Node& n = at(node);
    return n.kept ? n.gradient : std::move(n.gradient);
  }

  /// Where the gradient of operand `node` goes.
  template <class T>
  Sink<T> sink(int node) {
    if (node < 0) return {};
    Node& n = at(node);
    const bool add = filled(node);
    if (n.parameter != nullptr) {
      TPX_EXPECTS(!n.parameter->reduced, n.parameter->name,
                  "gradients that were reduced are reset before the next backward adds to them");
      if (!n.parameter->gradient) n.parameter->gradient = allocate<T>(mesh_, n.count);
      n.parameter->gradient.fetch();
      n.parameter->filled = true;
      return {n.parameter->gradient.template as<T>(), add, true};
    }
    if (!add) n.gradient = allocate<T>(mesh_, n.count);
    if (add && !n.gradient.unique()) {  // shared with another node: it must not see what is added here
      Buffer own = allocate<T>(mesh_, n.count);
      copy_elements(mesh_, static_cast<const T*>(n.gradient.template as<T>()), own.template as<T>(), n.count);
      n.gradient = std::move(own);
    }
    n.filled = true;
    return {n.gradient.template as<T>(), add, true};
  }

  /// Gives operand `node` a whole gradient, shared where it is the first.
  template <class T>
  void give(int node, Buffer gradient) {
    if (node < 0) return;
    Node& n = at(node);
    if (n.parameter == nullptr && !n.filled) {
      n.gradient = std::move(gradient);
      n.filled = true;
      return;
    }
    const Sink<T> to = sink<T>(node);
    const T* from = gradient.as<T>();
    if (!to.accumulate) return copy_elements(mesh_, from, to.data, n.count);
    mesh_.context().launch({n.count, 3 * n.count * std::int64_t{sizeof(T)}},
                           [&](const auto& exec) { kernel::accumulate(exec, from, to.data, n.count); });
  }

 protected:
  struct Node {
    Buffer gradient{};
    std::int64_t count = 0;
    std::shared_ptr<ParameterState> parameter{};  // which keeps the gradient itself
    bool filled = false;
    bool kept = false;       // watched: its gradient is asked for
    bool forgotten = false;  // a value of a part of the forward that backward runs again
  };

  Node& at(int node) { return nodes_[static_cast<std::size_t>(node)]; }
  const Node& at(int node) const { return nodes_[static_cast<std::size_t>(node)]; }

  /// Forgets all of them, and begins another step.
  void clear_nodes() {
    nodes_.clear();
    step_ = next_step();
  }

  bool filled(int node) const {
    const Node& n = at(node);
    return n.parameter != nullptr ? n.parameter->filled : n.filled;
  }

  template <class T>
  void fill(int node, T value) {
    const Sink<T> to = sink<T>(node);
    const std::int64_t n = at(node).count;
    mesh_.context().launch({0, n * std::int64_t{sizeof(T)}},
                           [&](const auto& exec) { kernel::fill(exec, to.data, n, value); });
  }

  Mesh mesh_;
  std::vector<Node> nodes_;

 private:
  static std::int64_t next_step() {
    static std::atomic<std::int64_t> steps{0};
    return steps++;
  }

  std::int64_t step_ = next_step();
};

}  // namespace tpx::detail
