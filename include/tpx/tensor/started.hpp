// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <utility>

#include <tpx/comm/async_mpi.hpp>
#include <tpx/tensor/collective.hpp>

namespace tpx::detail {

/// A collective over mesh axes that is started when it is made, and over after wait(); the memory that it uses
/// is held in between. It is counted when it is started.
///
/// A communicator without nonblocking calls (comm::Nonblocking: all but Mpi and Nodes) carries it out when it
/// is started.
///
/// @pre there are several ranks along the axes; all of them start the same in the same order
template <class Mesh>
class Started {
  using Comm = typename Mesh::communicator_type;
  using Start = comm::Nonblocking<Comm>;

 public:
  Started() = default;
  Started(Started&&) noexcept = default;
  /// What is assigned to is waited for.
  Started& operator=(Started other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  /// Waits. Where an error is on its way, other ranks may not: the memory is left to the communicator then.
  ~Started() {
    if (open() && std::uncaught_exceptions() > state_->exceptions) (void)state_.release();
    wait();
  }

  /// Whether it was not waited for yet.
  bool open() const { return state_ != nullptr; }
  /// Lets the communicator make progress.
  void test() {
    if (open()) state_->pending.test();
  }
  void wait() {
    if (open()) state_->pending.wait();
    state_.reset();
  }

  /// Sums `count` elements of T where they lie.
  /// @comm all_reduce of `count` elements over `axes`
  template <class T>
  static Started all_reduce(const Mesh& mesh, unsigned axes, const Buffer& buffer, std::int64_t count) {
    const Region region("tpx::all_reduce");
    Started started(Buffer(), buffer);
    T* const data = buffer.as<T>();
    if constexpr (Start::available)
      started.state_->pending =
          Start::all_reduce(group(mesh, axes), data, data, count, element_v<T>, comm::Reduction::sum);
    else
      detail::all_reduce(mesh, axes, static_cast<const T*>(data), data, count);
    return started;
  }

  /// To each rank its piece of the sum: counts[k] elements to rank k.
  /// @comm reduce_scatter of sum(counts) elements over `axes`
  template <class T>
  static Started reduce_scatter(const Mesh& mesh, unsigned axes, const Buffer& from, const Buffer& to,
                                std::span<const std::int64_t> counts) {
    const Region region("tpx::reduce_sc");
    Started started(from, to);
    if constexpr (Start::available)
      started.state_->pending = Start::reduce_scatter(group(mesh, axes), from.as<T>(), to.as<T>(), counts,
                                                      element_v<T>, comm::Reduction::sum);
    else
      detail::reduce_scatter(mesh, axes, static_cast<const T*>(from.as<T>()), to.as<T>(), counts,
                             comm::Reduction::sum);
    return started;
  }

  /// Puts all ranks' pieces together: counts[k] elements from rank k.
  /// @comm all_gather of sum(counts) elements over `axes`
  template <class T>
  static Started all_gather(const Mesh& mesh, unsigned axes, const Buffer& from, const Buffer& to,
                            std::span<const std::int64_t> counts) {
    const Region region("tpx::all_gather");
    Started started(from, to);
    if constexpr (Start::available)
      started.state_->pending =
          Start::all_gather(group(mesh, axes), from.as<T>(), to.as<T>(), counts, element_v<T>);
    else
      detail::all_gather(mesh, axes, static_cast<const T*>(from.as<T>()), to.as<T>(), counts);
    return started;
  }

 private:
  struct State {
    Buffer from, to;
    typename Start::Pending pending{};
    int exceptions = std::uncaught_exceptions();
  };

  Started(const Buffer& from, const Buffer& to) : state_(new State{from, to}) {}

  static const Comm& group(const Mesh& mesh, unsigned axes) {
    before_host_reads(mesh);
    return mesh.communicator(axes);
  }

  std::unique_ptr<State> state_;
};

}  // namespace tpx::detail
