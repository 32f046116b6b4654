// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/async_step.hpp>

namespace tpx {

namespace detail {

template <bool fits, class... Facts>
constexpr void a_value_is_read_after_wait() {
  static_assert(
      fits, "tpx: the value of redistribute_async is there after wait(): auto y = handle.wait() (see handle)");
}
template <bool fits, class... Facts>
constexpr void a_handle_is_moved() {
  static_assert(fits,
                "tpx: a handle of redistribute_async is waited for once, so that it is moved, not copied: "
                "auto y = handle.wait() is its value (see handle)");
}
template <class L>
struct handle;

}  // namespace detail

/// A redistribution under way. It is no tensor: its value is there after wait(), which every handle gets, once.
///
/// @tparam X  the operand
/// @tparam Y  the result
template <class X, class Y>
class [[nodiscard]] Redistribution {
  using T = typename X::element_type;
  using Mesh = typename X::mesh_type;
  using Step = detail::AsyncStep<T, Mesh>;

 public:
  /// For redistribute_async.
  Redistribution(const X& x, detail::Way way)
      : state_(new State{x, std::move(way), plan_v<X::spec.bits, Y::spec.bits>, x.shard(), 0, std::nullopt}) {
    state_->start();
  }
  Redistribution(Redistribution&&) noexcept = default;
  Redistribution(const Redistribution& other) : state_(nullptr), taken_(other.taken_) {
    detail::a_handle_is_moved<std::is_void_v<X>, detail::handle<typename Y::layout_type>>();
  }
  Redistribution& operator=(Redistribution&&) = delete;

  /// A handle that is not waited for ends the program: its ranks would not agree on what was sent. Where an
  /// error is on its way, or came out of wait(), the memory that messages may still use is left to them.
  ~Redistribution() {
    if (state_ == nullptr) return;
    if (state_->failed || std::uncaught_exceptions() > state_->exceptions) {
      (void)state_.release();
      return;
    }
    const std::string text = "error: tpx::redistribute_async: a handle is waited for before it goes: that of " +
                             state_->x.describe() + " was not" + detail::signature() + "\n";
    std::fputs(text.c_str(), stderr);
    std::fflush(stderr);
    std::terminate();
  }

  /// Whether the collective that is under way is over, or there is none: wait() then waits only in the steps
  /// after it, which without nonblocking calls are all of them. Lets the communicator make progress; starts
  /// nothing, so that the ranks may ask at different times.
  /// @comm   none
  /// @throws tpx::Error, whatever is checked, where there is nothing to wait for: the value was taken already,
  ///         or the handle was moved away
  bool ready() {
    expect_under_way();
    return !state_->step || state_->step->test();
  }

  /// The tensor in its new layout.
  /// @comm   the steps after the one that was started
  /// @throws tpx::Error, whatever is checked, where the value was taken already, or the handle was moved away,
  ///         or wait() failed before
  [[nodiscard]] Y wait() {
    expect_under_way();
    const detail::Region region("tpx::redist_wait");
    State& s = *state_;
    s.failed = true;
    while (s.at < s.plan.count) s.go_on(true);
    Y y = detail::record_redistribution(Y(s.x.mesh(), s.way.global, std::move(s.shard)), s.way, s.x);
    taken_ = true;
    state_.reset();
    return y;
  }

  /// What an op takes for an operand that was refused: this one says why.
  operator refused() const {
    detail::a_value_is_read_after_wait<std::is_void_v<X>, detail::handle<typename Y::layout_type>>();
    return {};
  }
  /// @name What a tensor is asked: not before wait().
  /// @{
  auto describe() const { return refused(*this).describe(); }
  auto shape() const { return refused(*this).shape(); }
  auto extent(int dim) const { return refused(*this).extent(dim); }
  auto local_shape() const { return refused(*this).local_shape(); }
  auto local_count() const { return refused(*this).local_count(); }
  auto local() const { return refused(*this).local(); }
  auto data() const { return refused(*this).data(); }
  const Mesh& mesh() const { return (void)refused(*this), state_->x.mesh(); }
  Distribution distribution() const { return (void)refused(*this), state_->x.distribution(); }
  operator Y() const { return (void)refused(*this), Y(mesh(), shape(), {}); }
  /// @}

 private:
  struct State {
    X x;
    detail::Way way;
    const Plan& plan;
    Buffer shard;
    int at = 0;                ///< the step that is under way, or next
    std::optional<Step> step;  ///< its collective, where one was started
    bool failed = false;       ///< an error came out of wait(), or still may
    int exceptions = std::uncaught_exceptions();

    /// Up to the end of the step that is under way, or its collective's start.
    void go_on(bool waits) {
      const tpx::Step& next = plan.step[at];
      if (step) {
        shard = step->finish();
        step.reset();
      } else if (detail::step_moves(x.mesh(), next)) {
        if constexpr (Step::available) {
          if (communicates(next.move)) {
            step.emplace(x.mesh(), next, way.steps, std::move(shard));
            return;
          }
        }
        if (!waits && communicates(next.move)) return;
        shard = detail::StepRunner<T, Mesh>(x.mesh(), next, way.steps).run(std::move(shard));
      }
      ++at;
    }
    /// Up to the first collective.
    void start() {
      while (at < plan.count && !step) {
        const int before = at;
        go_on(false);
        if (at == before) return;
      }
    }
  };

  void expect_under_way() const {
    if (taken_) fail("tpx::redistribute_async: a handle is waited for once");
    if (state_ == nullptr)
      fail("tpx::redistribute_async: a handle that was moved away has nothing to wait for");
    if (state_->failed) fail("tpx::redistribute_async: a handle whose wait() failed has no value");
  }

  std::unique_ptr<State> state_;
  bool taken_ = false;
};

/// redistribute in two halves: what is computed between them does not wait for messages.
///
///   auto h = redistribute_async<Replicate<tp>>(x);     // the first collective is under way
///   auto z = matmul(u, v);                             // anything that does not need its value
///   auto y = h.wait();                                 // as redistribute<Replicate<tp>>(x)
///
/// The local steps before the first collective run at once; the collective is started; what comes after it runs
/// in wait(). A plan has one collective as a rule. Whether messages move in between is MPI's affair: without a
/// thread of its own it moves them while it is called, which ready() does. A communicator without nonblocking
/// calls (comm::Nonblocking: all but Mpi and Nodes) sends in wait().
///
/// @pre    x's elements are not written before wait(); all ranks call wait() of their handles in the same order
///         among their collectives
/// @post   the value, the gradient and the number of elements sent are those of redistribute
/// @comm   as redistribute: its first collective here, further ones in wait(), and all of them in the backward
/// @throws tpx::Error as redistribute
template <class... To, Tensor X>
[[nodiscard]] auto redistribute_async(const X& x, const Shape& shape) {
  using L = with_t<typename X::layout_type, To...>;
  using Y = DTensor<typename X::element_type, X::ndim, L, typename X::mesh_type, detail::track_of<X>>;
  constexpr bool has_gradient = !detail::is_on_tape<X> || detail::has_gradient(X::spec);
  detail::a_maximum_was_detached<has_gradient, detail::operand<0, typename X::layout_type>>();
  if constexpr (!has_gradient) {
    return refused{};
  } else {
    const detail::Region region("tpx::redist_async");
    x.shard().fetch();
    return Redistribution<X, Y>(x, detail::way_of<X, Y>(x, shape));
  }
}
template <class... To, Tensor X>
[[nodiscard]] auto redistribute_async(const X& x) {
  return redistribute_async<To...>(x, x.shape());
}

template <class... To>
refused redistribute_async(refused, const Shape& = {}) {
  return {};
}

}  // namespace tpx
