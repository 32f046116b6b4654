// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <tpx/autodiff/parameter.hpp>
#include <tpx/autodiff/record.hpp>
#include <tpx/autodiff/tape_nodes.hpp>
#include <tpx/tensor/dtensor.hpp>

namespace tpx {

namespace detail {

template <bool fits, class... Facts>
constexpr void a_plain_tensor_is_put_on_a_tape() {
  static_assert(fits,
                "tpx::Tape: what is put on a tape is a plain tensor on the tape's mesh, and put there once: a "
                "parameter needs no watch, its gradient is gradient(p); detach(x) is plain (see put, mesh)");
}
template <class X>
struct put;

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
class Tape : public detail::TapeNodes<Mesh> {
  using Nodes = detail::TapeNodes<Mesh>;
  using Nodes::at;
  using Nodes::mesh_;
  using Nodes::nodes_;

 public:
  explicit Tape(Mesh mesh) : Nodes(std::move(mesh)) {}

  /// The tensor as a leaf of this tape, sharing its memory; its gradient is kept until clear().
  template <class T, int N, class L>
  DTensor<T, N, L, Mesh, OnTape<Mesh>> watch(const DTensor<T, N, L, Mesh>& x) {
    static_assert(detail::is_floating_v<T>,
                  "tpx::Tape::watch: a leaf has floating-point elements; see input()");
    expect_here(x.mesh());
    const int node = this->add_node(x.local_count());
    at(node).kept = true;
    return {mesh_, x.shape(), x.shard(), {this, node, this->step()}};
  }

  /// The tensor on this tape without a gradient, token ids for example: what is computed from it with
  /// parameters is recorded.
  template <class T, int N, class L>
  DTensor<T, N, L, Mesh, OnTape<Mesh>> input(const DTensor<T, N, L, Mesh>& x) {
    expect_here(x.mesh());
    return {mesh_, x.shape(), x.shard(), {this, -1, this->step()}};
  }

  /// A parameter on this tape, for an op that no other operand puts there: redistribute<...>(tape.input(w)).
  template <class T, int N, class L>
  DTensor<T, N, L, Mesh, OnTape<Mesh>> input(const Parameter<T, N, L, Mesh>& w) {
    expect_here(w.mesh());
    return {mesh_,
            w.shape(),
            w.shard(),
            {this, this->template node_of<T>(w.track().state, w.local_count()), this->step()}};
  }

  template <Tensor X>
  refused watch(const X&) {
    detail::a_plain_tensor_is_put_on_a_tape<false, detail::put<X>, detail::mesh<typename Mesh::axes>>();
    return {};
  }
  template <Tensor X>
  refused input(const X&) {
    detail::a_plain_tensor_is_put_on_a_tape<false, detail::put<X>, detail::mesh<typename Mesh::axes>>();
    return {};
  }
  refused watch(refused) { return {}; }
  refused input(refused) { return {}; }

  /// The gradient of a watched tensor; zeros where the loss does not depend on it.
  /// @pre x was watched on this tape since clear(), and backward has run
  template <class T, int N, class L>
  DTensor<T, N, dual_t<L>, Mesh> gradient(const DTensor<T, N, L, Mesh, OnTape<Mesh>>& x) {
    const int node = this->node_here(x.track());
    TPX_EXPECTS(x.track().tape == this && node >= 0 && at(node).kept, node,
                "the gradient of a tensor that was watched on this tape");
    TPX_EXPECTS(walked_, "backward comes before gradient");
    if (!this->filled(node)) this->fill(node, T(0));
    return {mesh_, x.shape(), at(node).gradient};
  }
  template <Tensor X>
  refused gradient(const X&) {
    detail::a_gradient_was_asked_for<false, detail::asked<X>>();
    return {};
  }
  refused gradient(refused) { return {}; }

  /// Forgets all records and nodes and keeps their memory for the next step.
  void clear() {
    records_.clear();
    this->clear_nodes();
    begun_ = walked_ = false;
  }

  /// Number of ops recorded since clear().
  std::size_t size() const { return records_.size(); }

  // ---- for ops ----------------------------------------------------------------------------------

  /// Whether ops are recorded: from clear() to backward. What is computed afterwards, the mean of a loss
  /// over the ranks for example, is not.
  bool records() const { return !walked_; }

  detail::Record<Mesh>& record(typename detail::Record<Mesh>::Backward backward) {
    records_.emplace_back();
    records_.back().backward = backward;
    return records_.back();
  }

  /// How much is on the tape: what comes after it can be folded into one record.
  struct Place {
    std::size_t records, nodes;
  };
  Place here() const { return {records_.size(), nodes_.size()}; }

  /// Replaces what was recorded since by one record that leads to the same result: its backward calls `run`,
  /// which records it all again, and walks that. Nothing where the result was not computed since.
  /// @throws tpx::Error where a leaf was watched since, which would be another one then
  void fold(const Place& since, const OnTape<Mesh>& result, std::function<OnTape<Mesh>()> run) {
    if (!computed_since(since, result)) return;
    auto replay = std::make_unique<detail::Replay<Mesh>>();
    replay->run = std::move(run);
    for (std::size_t i = since.records; i < records_.size(); ++i)
      for_each_parameter(records_[i], [&](int node) { replay->parameters.push_back(node); });
    for (std::size_t n = since.nodes; n < nodes_.size(); ++n) {
      TPX_EXPECTS(!nodes_[n].kept, "tensors are watched outside of what is recomputed");
      nodes_[n].forgotten = nodes_[n].parameter == nullptr && static_cast<int>(n) != result.node;
    }
    records_.erase(records_.begin() + static_cast<std::ptrdiff_t>(since.records), records_.end());
    detail::Record<Mesh>& folded = record(&walk_again);
    folded.out = result.node;
    folded.replay = std::move(replay);
  }

  /// Called for each parameter of the walk, when nothing that is still to come adds to its gradient.
  using Final = std::function<void(ParameterState&)>;

  /// Walks the records backwards from the loss, whose gradient is `seed` everywhere.
  template <class T>
  void walk(const OnTape<Mesh>& loss, T seed, const Final& final_gradient = {}) {
    this->fill(begin_walk(loss), seed);
    walk_back(final_gradient);
  }

  /// The same from any value, whose gradient is given.
  template <class T>
  void walk(const OnTape<Mesh>& y, const Buffer& gradient, const Final& final_gradient = {}) {
    this->template give<T>(begin_walk(y), gradient);
    walk_back(final_gradient);
  }

 private:
  /// A parameter's first use in a forward.
  struct Use {
    std::size_t record;
    int node;
  };

  /// Another mesh of this type may have other sizes, and so other shards.
  void expect_here([[maybe_unused]] const Mesh& mesh) const {
    TPX_EXPECTS(mesh_.is(mesh), mesh_.coordinate_text(), "what is put on a tape is on the tape's own mesh");
  }

  int begin_walk(const OnTape<Mesh>& from) {
    const int node = this->node_here(from);
    TPX_EXPECTS(!begun_, "backward runs once for each forward: tape.clear() comes before the next");
    TPX_EXPECTS(node >= 0, "the loss depends on a watched tensor or a parameter");
    begun_ = true;
    return node;
  }

  void walk_back(const Final& final_gradient) {
    // The first use of a parameter in the forward is the last that adds to its gradient.
    std::vector<Use> first_uses;
    if (final_gradient) {
      std::vector<bool> used(nodes_.size(), false);
      for (std::size_t i = 0; i < records_.size(); ++i)
        for_each_parameter(records_[i], [&](int node) {
          if (used[static_cast<std::size_t>(node)]) return;
          used[static_cast<std::size_t>(node)] = true;
          first_uses.push_back({i, node});
        });
    }
    while (!records_.empty()) {
      walk_last();
      for (; !first_uses.empty() && first_uses.back().record == records_.size(); first_uses.pop_back())
        final_gradient(*at(first_uses.back().node).parameter);
    }
    walked_ = true;
  }

  /// Takes the last record off and runs its backward, which may record.
  void walk_last() {
    detail::Record<Mesh> r = std::move(records_.back());
    records_.pop_back();
    bool wanted = false;
    for (int node = r.out; node < r.out + r.outs; ++node) wanted = wanted || this->filled(node);
    if (wanted) {
      for (const Buffer& saved : r.saved) saved.fetch();
      r.backward(*this, r);
    }
    for (Buffer& saved : r.saved) saved.reset();
    for (int node = r.out; node < r.out + r.outs; ++node)
      if (!at(node).kept) at(node).gradient.reset();
  }

  /// The backward of a folded record.
  static void walk_again(Tape& tape, detail::Record<Mesh>& r) {
    const Place start = tape.here();
    const OnTape<Mesh> result = r.replay->run();
    TPX_EXPECTS(tape.computed_since(start, result) && tape.at(result.node).count == tape.at(r.out).count,
                result.node, "what is recomputed is what was computed");
    r.replay.reset();  // from here on the records have what they need
    tape.at(result.node).gradient = std::move(tape.at(r.out).gradient);
    tape.at(result.node).filled = true;
    while (tape.records_.size() > start.records) tape.walk_last();
  }

  /// Whether the value is an op's result that was recorded since.
  bool computed_since(const Place& place, const OnTape<Mesh>& value) const {
    return value.node >= static_cast<int>(place.nodes) && at(value.node).parameter == nullptr &&
           records_.size() > place.records;
  }

  /// Calls f(node) for each parameter that a record uses.
  template <class F>
  void for_each_parameter(const detail::Record<Mesh>& r, F&& f) const {
    for (const int node : r.in)
      if (node >= 0 && at(node).parameter != nullptr) f(node);
    if (r.replay == nullptr) return;
    for (const int node : r.replay->parameters) f(node);
  }

  std::vector<detail::Record<Mesh>> records_;
  bool begun_ = false;  ///< a backward that failed half-way cannot be taken up again
  bool walked_ = false;
};

}  // namespace tpx
