// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tpx/autodiff/backward.hpp>
#include <tpx/mesh/stage_mesh.hpp>
#include <tpx/ops/transfer.hpp>
#include <tpx/train/pipeline_check.hpp>
#include <tpx/train/pipeline_schedule.hpp>

namespace tpx {

/// Runs the forward and backward of a batch on the ranks along an axis, each with its own layers, as a
/// schedule says. Every micro-batch in flight has a tape of its own.
///
/// A Stage is one rank's part of a model. It has
///
///   activation_type            the DTensor that goes from a chunk of layers to the next, on the stage's mesh
///   activation_shape(batch, m) its shape for micro-batch m
///   enter(tape, batch, m)      what the first layers work on, on the tape; on the first rank alone
///   enter(batch, m)            the same without a tape, for forward()
///   run(chunk, x)              the layers of one of the rank's chunks
///   leave(x, batch, m)         the loss, times the micro-batch's weight; on the last rank alone
///
/// @tparam Axis  along which the ranks have other layers
template <class Axis, class Mesh, class Stage>
class Pipeline {
  using Activation = typename Stage::activation_type;
  using StageMesh = typename Activation::mesh_type;
  using T = typename Activation::element_type;
  template <class X>
  struct types;
  template <class E, int N, class L, class M>
  struct types<DTensor<E, N, L, M>> {
    using taped = DTensor<E, N, L, M, OnTape<M>>;
    using untaped = DTensor<E, N, L, M, OffTape>;
    using gradient = DTensor<E, N, dual_t<L>, M>;
  };
  using Taped = typename types<Activation>::taped;
  using Untaped = typename types<Activation>::untaped;
  using Gradient = typename types<Activation>::gradient;
  using Final = typename Tape<StageMesh>::Final;

 public:
  /// @pre    the schedule is for as many ranks as the axis has, and right
  /// @throws tpx::Error, on every rank, where it is not
  Pipeline(const Mesh& mesh, Stage& stage, PipelineSchedule schedule)
      : mesh_(mesh), stage_(&stage), schedule_(std::move(schedule)), rank_(mesh.template coordinate<Axis>()) {
    if (schedule_.ranks != mesh.template size<Axis>())
      fail("tpx::Pipeline: the schedule is for as many ranks as the axis " + std::string(Axis::name) +
           " has; " + std::to_string(schedule_.ranks) + " and " + std::to_string(mesh.template size<Axis>()));
    check(schedule_);
  }

  const PipelineSchedule& schedule() const { return schedule_; }
  /// Most micro-batches and chunks that were in flight on this rank at once.
  int peak_in_flight() const { return static_cast<int>(tapes_.size()); }

  /// Forward and backward of all micro-batches; gradients add up in the stage's parameters.
  ///
  /// @param  final_gradient  as in backward(): called in the last backward of each of this rank's chunks
  /// @return the sum of the losses, on every rank along the axis
  /// @comm   along the axis, for each micro-batch and border between two stages on different ranks, a send of
  ///         the activation's local elements there and of its gradient's back; a broadcast of 1 element
  template <class Batch>
  auto run(const Batch& batch, const Final& final_gradient = {}) {
    const Region region("tpx::pipeline");
    begin();
    using Loss = decltype(stage_->leave(std::declval<const Taped&>(), batch, 0));
    DTensor<T, 0, typename Loss::layout_type, StageMesh> total(stage_->mesh(), Shape{},
                                                               detail::allocate<T>(stage_->mesh(), 1));
    stage_->mesh().context().launch({}, [&](const auto& exec) { kernel::fill(exec, total.data(), 1, T(0)); });
    using Act = PipelineAction::Act;
    const auto& mine = schedule_.actions[static_cast<std::size_t>(rank_)];
    // One rank alone may use a parameter in several of its chunks.
    const auto makes_final = [&](const PipelineAction& a) {
      return std::none_of(&a + 1, mine.data() + mine.size(), [&](const PipelineAction& later) {
        return later.act == Act::backward && (later.chunk == a.chunk || schedule_.ranks == 1);
      });
    };
    for (const PipelineAction& a : mine) {
      const Place place{a.micro_batch, a.chunk};
      const int peer = schedule_.peer(rank_, a);
      switch (a.act) {
        case Act::forward:
          forward_action(batch, a, total);
          break;
        case Act::backward:
          backward_action(a, makes_final(a) ? final_gradient : Final());
          break;
        case Act::send_activation: {
          Taped& y = flights_.at(place).y.value();
          detail::send_elements<Axis, T>(mesh_, y.data(), y.local_count(), peer, detail::value_tag);
          y = Taped(y.mesh(), y.shape(), Buffer(), y.track());  // the tape has what backward needs
          break;
        }
        case Act::receive_activation:
          activations_.emplace(place, receive<Activation>(stage_->activation_shape(batch, a.micro_batch), peer,
                                                          detail::value_tag));
          break;
        case Act::send_gradient: {
          const Gradient dx = sent_back_.take(place);
          detail::send_elements<Axis, T>(mesh_, dx.data(), dx.local_count(), peer, detail::gradient_tag);
          break;
        }
        case Act::receive_gradient:
          gradients_.emplace(place, receive<Gradient>(stage_->activation_shape(batch, a.micro_batch), peer,
                                                      detail::gradient_tag));
          break;
      }
    }
    detail::broadcast(mesh_, 1u << detail::index_of<Axis, typename Mesh::axes>, total.data(), 1,
                      schedule_.ranks - 1);
    return total;
  }

  /// The forward alone, without tapes: calls last(y, m) on the last rank with what its layers make of each of
  /// `count` micro-batches, before leave.
  ///
  /// @comm   along the axis, for each micro-batch and border between two stages on different ranks, a send
  template <class Batch, class Last>
  void forward(const Batch& batch, int count, Last&& last) {
    const Region region("tpx::pipeline");
    for (int m = 0; m < count; ++m) {
      std::optional<Untaped> from_here;  // where there is one rank, to its next chunk
      for (int c = 0; c < schedule_.chunks; ++c) {
        const int at = schedule_.stage(rank_, c);
        const auto x = [&]() -> Untaped {
          if (at == 0) return stage_->enter(batch, m);
          if (from_here) return *from_here;
          return Untaped(stage_->mesh(), stage_->activation_shape(batch, m),
                         receive<Activation>(stage_->activation_shape(batch, m), (at - 1) % schedule_.ranks,
                                             detail::value_tag)
                             .shard());
        };
        const Untaped y = stage_->run(c, x());
        if (at + 1 == schedule_.stages()) {
          last(y, m);
        } else if (schedule_.ranks == 1) {
          from_here = y;
        } else {
          detail::send_elements<Axis, T>(mesh_, y.data(), y.local_count(), (at + 1) % schedule_.ranks,
                                         detail::value_tag);
        }
      }
    }
  }

 private:
  using Region = detail::Region;
  struct Place {
    int micro_batch, chunk;
    friend bool operator==(const Place&, const Place&) = default;
  };

  /// What backward needs of a forward.
  struct Flight {
    std::size_t tape = 0;
    std::optional<Taped> x, y;                    // where there is a stage before, and one after
    std::function<void(const Final&)> from_loss;  // at the last stage
  };

  /// Forgets what a run that failed has left.
  void begin() {
    flights_.clear();
    activations_.clear();
    gradients_.clear();
    sent_back_.clear();
    for (KeptTape& kept : tapes_) kept.free = true;
  }

  template <class Batch, class Total>
  void forward_action(const Batch& batch, const PipelineAction& a, Total& total) {
    const int at = schedule_.stage(rank_, a.chunk), m = a.micro_batch;
    Flight flight;
    flight.tape = free_tape();
    Tape<StageMesh>& tape = *tapes_[flight.tape].tape;
    tape.clear();
    if (at > 0) flight.x = tape.watch(activations_.take({m, a.chunk}));
    const Taped y = stage_->run(a.chunk, at > 0 ? *flight.x : stage_->enter(tape, batch, m));
    if (at + 1 < schedule_.stages()) {
      if (schedule_.ranks == 1) activations_.emplace(Place{m, a.chunk + 1}, detach(y));
      flight.y = y;
    } else {
      const auto loss = stage_->leave(y, batch, m);
      stage_->mesh().context().launch({1, 3 * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
        kernel::accumulate(exec, static_cast<const T*>(loss.data()), total.data(), 1);
      });
      flight.from_loss = [loss](const Final& final_gradient) { tpx::backward(loss, final_gradient); };
    }
    flights_.emplace(Place{m, a.chunk}, std::move(flight));
  }

  void backward_action(const PipelineAction& a, const Final& final_gradient) {
    const Place place{a.micro_batch, a.chunk};
    const Flight flight = flights_.take(place);
    Tape<StageMesh>& tape = *tapes_[flight.tape].tape;
    if (flight.y) tpx::backward(*flight.y, gradients_.take(place), final_gradient);
    if (flight.from_loss) flight.from_loss(final_gradient);
    if (flight.x && schedule_.ranks == 1)
      gradients_.emplace(Place{a.micro_batch, a.chunk - 1}, tape.gradient(*flight.x));
    if (flight.x && schedule_.ranks > 1) sent_back_.emplace(place, tape.gradient(*flight.x));
    tape.clear();
    tapes_[flight.tape].free = true;
  }

  template <class X>
  X receive(const Shape& shape, int from, int tag) {
    const std::int64_t count = Distribution(shape, X::spec, stage_->mesh().grid()).local().count();
    return X(stage_->mesh(), shape, detail::receive_elements<Axis, T>(mesh_, count, from, tag));
  }

  std::size_t free_tape() {
    for (std::size_t i = 0; i < tapes_.size(); ++i)
      if (std::exchange(tapes_[i].free, false)) return i;
    tapes_.push_back({std::make_unique<Tape<StageMesh>>(stage_->mesh()), false});
    return tapes_.size() - 1;
  }

  /// What waits for its action, a few at a time. (A list: hipcc 5.2 crashes on maps in here.)
  template <class X>
  class Waiting {
   public:
    void emplace(const Place& place, X x) { all_.push_back({place, std::move(x)}); }
    X& at(const Place& place) { return find(place)->x; }
    X take(const Place& place) {
      const auto found = find(place);
      X x = std::move(found->x);
      all_.erase(found);
      return x;
    }
    void clear() { all_.clear(); }

   private:
    struct Item {
      Place place;
      X x;
    };
    auto find(const Place& place) {
      auto found = all_.begin();
      while (found != all_.end() && !(found->place == place)) ++found;
      TPX_EXPECTS(found != all_.end(), place.micro_batch, place.chunk, "a schedule that was checked");
      return found;
    }
    std::list<Item> all_;
  };

  struct KeptTape {
    std::unique_ptr<Tape<StageMesh>> tape;
    bool free;
  };

  Mesh mesh_;
  Stage* stage_;
  PipelineSchedule schedule_;
  int rank_;
  std::vector<KeptTape> tapes_;
  Waiting<Flight> flights_;
  Waiting<Activation> activations_;  // received
  Waiting<Gradient> gradients_;      // received
  Waiting<Gradient> sent_back_;      // to be sent
};

/// The pipeline of a stage.
template <class Axis, class Mesh, class Stage>
auto make_pipeline(const Mesh& mesh, Stage& stage, PipelineSchedule schedule) {
  return Pipeline<Axis, Mesh, Stage>(mesh, stage, std::move(schedule));
}

}  // namespace tpx
