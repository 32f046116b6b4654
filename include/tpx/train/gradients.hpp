// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <tpx/autodiff/parameter.hpp>
#include <tpx/kernel/copy.hpp>
#include <tpx/layout/refusal.hpp>
#include <tpx/tensor/collective.hpp>

namespace tpx {

namespace detail {

template <bool fits, class... Facts>
constexpr void a_gradient_is_reduced() {
  static_assert(
      fits,
      "tpx: the gradient of a parameter that is Replicate on an axis is Partial there: name the axis, "
      "gradients.reduce<over<axes...>>(), before it is used (see on, over)");
}

/// Whether no axis is missing. The first one is what the error names, and not the parameters, so that a model
/// with many makes one error.
template <unsigned missing, class List, class Over>
constexpr void check_reduced() {
  if constexpr (missing != 0)
    a_gradient_is_reduced<false, on<axis_at_t<std::countr_zero(missing), List>>, Over>();
}

template <bool fits, class... Facts>
constexpr void gradients_are_reduced_before_use() {
  static_assert(fits,
                "tpx: gradients are reduced before they are used: auto reduced = "
                "gradients.reduce<over<axes...>>() (see model)");
}
template <bool fits, class... Facts>
constexpr void reduce_names_its_axes() {
  static_assert(fits,
                "tpx: the axes are named in the call: gradients.reduce<over<axes...>>(), "
                "clip_grad_norm<over<axes...>>(reduced, model, largest) (see model)");
}
template <bool fits, class... Facts>
constexpr void a_model_is_visited() {
  static_assert(fits,
                "tpx: a model has element_type, mesh_type, mesh() and visit(f), which calls f(parameter) for "
                "each, and is not const (see model)");
}
template <class Model>
struct model;

template <class Model>
concept Trained = !std::is_const_v<Model> && requires(Model & m) {
  typename Model::element_type;
  typename Model::mesh_type::axes;
  m.mesh();
};

/// Stands for a trainer of what is no model.
template <class Model>
struct trainer_refused : refused {
  template <class... Args>
  explicit trainer_refused(const Args&...) {
    a_model_is_visited<false, detail::model<Model>, Args...>();
  }
};

/// Axes on which a parameter's layout is of a kind.
constexpr unsigned axes_in(Spec spec, Kind kind) {
  unsigned mask = 0;
  for (int a = 0; a < max_axes; ++a)
    if (spec[a].kind == kind) mask |= 1u << a;
  return mask;
}

/// One parameter as the optimizer sees it: no layouts, local memory.
struct ParameterSlot {
  std::shared_ptr<ParameterState> state;
  Buffer value;
  std::int64_t count = 0;
  unsigned reduced_over = 0;  ///< axes on which the gradient arrives Partial
  unsigned same_on = 0;       ///< axes on which, once reduced, all ranks hold the same gradient
};

}  // namespace detail

/// Gradients that are no longer Partial on any axis: what a norm and an optimizer take. Made by
/// Gradients::reduce alone; it refers to that Gradients' memory.
template <class Model>
class ReducedGradients {
 public:
  using model_type = Model;

  /// The reduced gradient of a parameter, sharing its memory. It has the parameter's own layout: what was
  /// Partial, because the parameter is Replicate, is now Replicate too.
  template <class T, int N, class L, class Mesh>
  DTensor<T, N, L, Mesh> gradient(const Parameter<T, N, L, Mesh>& p) const {
    TPX_EXPECTS(p.track().state->reduced, p.track().state->name, "the parameter is one of the reduced model's");
    return {p.mesh(), p.shape(), p.track().state->gradient};
  }

  const std::vector<detail::ParameterSlot>& slots() const { return *slots_; }
  const typename Model::mesh_type& mesh() const { return *mesh_; }

 private:
  template <class>
  friend class Gradients;
  ReducedGradients(const std::vector<detail::ParameterSlot>& slots, const typename Model::mesh_type& mesh)
      : slots_(&slots), mesh_(&mesh) {}
  const std::vector<detail::ParameterSlot>* slots_;
  const typename Model::mesh_type* mesh_;
};

/// The gradients of all parameters of a model, in one piece of memory for each set of axes that they are
/// Partial on, so that one collective reduces each set.
///
///   Gradients gradients(model);
///   loop:  gradients.reset();  forward and backward, once for each micro-batch;
///          auto reduced = gradients.reduce<over<dp>>();  ... optimizer.step(reduced, ...)
///
/// @tparam Model  has element_type, mesh_type, mesh() and visit(f), which calls f(parameter) for each
template <class Model>
class Gradients {
 public:
  using T = typename Model::element_type;
  using Mesh = typename Model::mesh_type;

  /// @pre    the model outlives this, its parameters have distinct names, and no other Gradients holds theirs
  /// @comm   none
  /// @throws tpx::Error naming the parameter
  explicit Gradients(Model& model) : model_(&model), mesh_(model.mesh()) {
    model.visit([&]<class P>(P& p) {
      constexpr Spec spec = P::spec;
      constexpr unsigned shards = detail::axes_in(spec, Kind::shard);
      constexpr unsigned all = (1u << Mesh::axes::size) - 1;
      slots_.push_back(
          {p.track().state, p.shard(), p.local_count(), detail::axes_in(spec, Kind::replicate), all & ~shards});
    });
    std::set<std::string> names;
    for (const detail::ParameterSlot& slot : slots_) {
      TPX_EXPECTS(names.insert(slot.state->name).second, slot.state->name,
                  "the parameters of a model have distinct names: their random numbers are keyed by them");
      TPX_EXPECTS(!slot.state->gathered, slot.state->name,
                  "a parameter's gradient lies in one Gradients at a time");
    }
    for (const detail::ParameterSlot& slot : slots_) add_group(slot.reduced_over);
    for (Group& group : groups_) lay_out(group);
    reset();
  }

  Gradients(const Gradients&) = delete;
  Gradients& operator=(const Gradients&) = delete;
  ~Gradients() {
    for (detail::ParameterSlot& slot : slots_) {
      slot.state->gradient.reset();
      slot.state->filled = slot.state->reduced = slot.state->gathered = false;
    }
  }

  /// The next backward starts from zero.
  void reset() {
    for (detail::ParameterSlot& slot : slots_) slot.state->filled = slot.state->reduced = false;
  }

  /// Sums over the ranks what is Partial: once a step, however many micro-batches went into it.
  ///
  /// @pre    every axis on which a parameter is Replicate is named; reset() came since the last reduce
  /// @post   gradients are of their parameters' own layouts: reduced.gradient(parameter)
  /// @comm   one all_reduce over each set of axes on which gradients are Partial together, of all their
  ///         elements
  template <class Over>
  ReducedGradients<Model> reduce() {
    if constexpr (detail::check_over<Over, typename Mesh::axes>()) {
      constexpr unsigned over = detail::mask_of<Over, typename Mesh::axes>;
      model_->visit([]<class P>(P&) {
        detail::check_reduced<(detail::axes_in(P::spec, Kind::replicate) & ~over), typename Mesh::axes, Over>();
      });
    }
    const detail::Region region("tpx::grad_reduce");
    for (detail::ParameterSlot& slot : slots_) {
      TPX_EXPECTS(!slot.state->reduced, "gradients are reduced once; reset() comes before the next");
      slot.state->reduced = true;
      if (slot.state->filled) continue;  // no backward reached it
      T* data = slot.state->gradient.template as<T>();
      mesh_.context().launch({0, slot.count * std::int64_t{sizeof(T)}},
                             [&](const auto& exec) { kernel::fill(exec, data, slot.count, T(0)); });
      slot.state->filled = true;
    }
    for (const Group& group : groups_) {
      if (group.axes == 0 || mesh_.grid().ranks(group.axes) == 1) continue;
      T* data = group.memory->template as<T>();
      detail::all_reduce(mesh_, group.axes, static_cast<const T*>(data), data, group.count);
    }
    return ReducedGradients<Model>(slots_, mesh_);
  }
  template <class... None>
  requires(sizeof...(None) == 0) refused reduce() {
    detail::reduce_names_its_axes<false, detail::model<Model>, None...>();
    return {};
  }

 private:
  struct Group {
    unsigned axes;
    std::int64_t count;
    std::shared_ptr<Buffer> memory;
  };

  void add_group(unsigned axes) {
    for (const Group& group : groups_)
      if (group.axes == axes) return;
    groups_.push_back({axes, 0, nullptr});
  }

  /// Each parameter's gradient lies in the group's memory. Nothing lies between them: what is reduced is
  /// gradients and nothing else.
  void lay_out(Group& group) {
    for (const detail::ParameterSlot& slot : slots_)
      if (slot.reduced_over == group.axes) group.count += slot.count;
    group.memory = std::make_shared<Buffer>(detail::allocate<T>(mesh_, group.count));
    std::int64_t offset = 0;
    for (detail::ParameterSlot& slot : slots_) {
      if (slot.reduced_over != group.axes) continue;
      T* base = group.memory->template as<T>();
      slot.state->gradient =
          Buffer::borrow(Mesh::context_type::has_memory ? base + offset : base,
                         slot.count * std::int64_t{sizeof(T)}, std::shared_ptr<void>(group.memory));
      slot.state->gathered = true;
      offset += slot.count;
    }
  }

  Model* model_;
  Mesh mesh_;
  std::vector<detail::ParameterSlot> slots_;
  std::vector<Group> groups_;
};

template <class Model>
requires(!detail::Trained<Model>) class Gradients<Model> : public detail::trainer_refused<Model> {
  using detail::trainer_refused<Model>::trainer_refused;
};

template <class Model>
Gradients(Model&) -> Gradients<Model>;

}  // namespace tpx
