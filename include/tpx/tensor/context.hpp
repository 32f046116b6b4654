// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <Kokkos_Core.hpp>

#include <tpx/comm/communicator.hpp>
#include <tpx/core/error.hpp>
#include <tpx/kernel/fence.hpp>
#include <tpx/kernel/group.hpp>
#include <tpx/mesh/device_mesh.hpp>
#include <tpx/tensor/pool.hpp>

namespace tpx {

/// What was computed: floating-point operations, and bytes that kernels read and wrote.
struct Work {
  std::int64_t flops = 0;
  std::int64_t bytes = 0;

  Work& operator+=(const Work& more) {
    flops += more.flops;
    bytes += more.bytes;
    return *this;
  }
  friend bool operator==(const Work&, const Work&) = default;
};

/// One launch of kernels, and the op that it belongs to: "tpx::matmul", "tpx::matmul_bwd", ...
struct Launch {
  std::string_view op;
  Work work;

  friend bool operator==(const Launch&, const Launch&) = default;
};

/// The execution space of a mesh that is not here: extents and layouts only, no memory, no kernels. The same
/// program runs on it and leaves the list of collectives (comm::Recording) and the work it would do.
struct AbstractSpace {};

namespace detail {

/// Tells Kokkos Tools where an op begins and ends, if one is loaded, and an abstract context whose work it is.
class Region {
 public:
  explicit Region(const char* name) : open_(kernel::tools_watch()), outer_(std::exchange(current(), name)) {
    if (*outer_ == '\0') op_in_progress() = name;
    if (open_) Kokkos::Profiling::pushRegion(name);
  }
  ~Region() {
    current() = outer_;
    if (*outer_ == '\0') op_in_progress() = "";
    if (open_) Kokkos::Profiling::popRegion();
  }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  /// The innermost region's name on this thread; empty outside of any.
  static const char*& current() {
    static thread_local const char* name = "";
    return name;
  }

 private:
  bool open_;
  const char* outer_;
};

template <class Space>
struct KokkosMemory {
  static void* allocate(std::int64_t bytes) {
    return Kokkos::kokkos_malloc<Space>("tpx::pool", static_cast<std::size_t>(bytes));
  }
  /// What outlives Kokkos::finalize is left to the end of the process: a newer Kokkos aborts otherwise.
  static void deallocate(void* data) {
    if (Kokkos::is_initialized()) Kokkos::kokkos_free<Space>(data);
  }
};

/// Counts what a program would hold, and holds nothing.
struct NoMemory {
  static void* allocate(std::int64_t) { return nullptr; }
  static void deallocate(void*) {}
};

/// Whether kernels have ended when their launch returns.
template <class Exec>
inline constexpr bool is_synchronous_v = false;
#if defined(KOKKOS_ENABLE_SERIAL)
template <>
inline constexpr bool is_synchronous_v<Kokkos::Serial> = true;
#endif
#if defined(KOKKOS_ENABLE_OPENMP)
template <>
inline constexpr bool is_synchronous_v<Kokkos::OpenMP> = true;
#endif

/// The stream behind an instance, for communicators that enqueue their work.
template <class Exec>
comm::Queue queue_of(const Exec& exec) {
#if defined(KOKKOS_ENABLE_CUDA)
  if constexpr (std::is_same_v<Exec, Kokkos::Cuda>) return {exec.cuda_stream()};
#endif
#if defined(KOKKOS_ENABLE_HIP)
  if constexpr (requires { exec.hip_stream(); }) return {exec.hip_stream()};
#endif
  (void)exec;
  return {};
}

}  // namespace detail

/// An instance of an execution space and the memory that its kernels use, in the order of that instance.
/// Used by one thread; Kokkos must be initialised.
template <class Exec>
class Context {
 public:
  static constexpr bool has_memory = true;
  using memory_space = typename Exec::memory_space;
  using gemm_provider = void;  ///< the default's

  explicit Context(Exec instance = Exec()) : instance_(std::move(instance)) {}
  ~Context() {
    if (Kokkos::is_initialized()) kernel::fence(instance_);  // kernels may still use the memory that goes now
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const Exec& instance() const { return instance_; }
  comm::Queue queue() const { return detail::queue_of(instance_); }
  /// Waits until what was launched has ended; on Serial and OpenMP it has when the launch returns.
  void fence() const {
    if constexpr (!detail::is_synchronous_v<Exec>) kernel::fence(instance_);
  }
  Pool<detail::KokkosMemory<memory_space>>& pool() { return pool_; }

  /// Calls kernels(instance), which enqueue `work` on the instance.
  template <class Kernels>
  void launch(const Work& work, Kernels&& kernels) {
    work_ += work;
    if (observer_) return observe_launch(work, kernels);
    kernels(instance_);
  }

  /// What was launched so far.
  const Work& work() const { return work_; }
  void reset_work() { work_ = {}; }

  /// Sees each launch with the seconds it took. Launches are waited for while there is one; an empty one ends
  /// that.
  using Observer = std::function<void(const Launch& launch, double seconds)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

 private:
  template <class Kernels>
  void observe_launch(const Work& work, Kernels&& kernels) {
    kernel::fence(instance_);
    const auto start = std::chrono::steady_clock::now();
    kernels(instance_);
    kernel::fence(instance_);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    observer_({detail::Region::current(), work}, seconds.count());
  }

  Exec instance_;
  Pool<detail::KokkosMemory<memory_space>> pool_;
  Work work_;
  Observer observer_;
};

/// An execution space whose matrices another library than the default multiplies.
///
///   auto mesh = make_mesh_on<tp>(with_gemm<kernel::OneDnnGemm>(Kokkos::Serial()), world);
///
/// @tparam Provider  a kernel::GemmProvider
template <class Exec, class Provider>
struct WithGemm {
  Exec instance;
};
template <class Provider, class Exec>
WithGemm<Exec, Provider> with_gemm(const Exec& instance) {
  return {instance};
}

template <class Exec, class Provider>
struct detail::space_of<WithGemm<Exec, Provider>> {
  using type = Exec;
};

template <class Exec, class Provider>
class Context<WithGemm<Exec, Provider>> : public Context<Exec> {
 public:
  using gemm_provider = Provider;
  explicit Context(const WithGemm<Exec, Provider>& policy = {}) : Context<Exec>(policy.instance) {}
};

template <>
class Context<AbstractSpace> {
 public:
  static constexpr bool has_memory = false;
  using gemm_provider = void;

  explicit Context(AbstractSpace = {}) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  comm::Queue queue() const { return {}; }
  void fence() const {}
  Pool<detail::NoMemory>& pool() { return pool_; }

  template <class Kernels>
  void launch(const Work& work, Kernels&&) {
    work_ += work;
    if (keep_order_) launches_.push_back({detail::Region::current(), work});
  }

  const Work& work() const { return work_; }
  void reset_work() { work_ = {}; }

  /// Whether each launch is also kept by itself, in order; off at first. The list starts anew.
  void keep_order(bool keep) {
    keep_order_ = keep;
    launches_.clear();
  }
  const std::vector<Launch>& launches() const { return launches_; }

 private:
  Pool<detail::NoMemory> pool_;
  Work work_;
  std::vector<Launch> launches_;
  bool keep_order_ = false;
};

}  // namespace tpx
