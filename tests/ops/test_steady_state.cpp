// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a step that repeats does not do: allocate, wait for the execution space, call MPI on one node, or
// multiply in the slow kernel.
#include <mpi.h>

#include <cstdint>
#include <type_traits>

#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/mpi.hpp>
#include <tpx/comm/shared_memory.hpp>
#include <tpx/nn/gpt.hpp>
#include <tpx/tensor/make_mesh.hpp>

#include "../comm/count_allocations.hpp"
#include "support/mpi_doctest.hpp"

using namespace tpx;
using axes::tp;

namespace {

long mpi_calls = 0;
long fences = 0;

}  // namespace

// MPI's profiling interface: these are called in place of MPI's own.
#define COUNTED(name, parameters, arguments) \
  extern "C" int MPI_##name parameters {     \
    ++mpi_calls;                             \
    return PMPI_##name arguments;            \
  }
COUNTED(Allreduce, (const void* in, void* out, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm),
        (in, out, n, type, op, comm))
COUNTED(Allgather, (const void* in, int n, MPI_Datatype type, void* out, int m, MPI_Datatype to, MPI_Comm comm),
        (in, n, type, out, m, to, comm))
COUNTED(Reduce_scatter_block, (const void* in, void* out, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm),
        (in, out, n, type, op, comm))
COUNTED(Bcast, (void* data, int n, MPI_Datatype type, int root, MPI_Comm comm), (data, n, type, root, comm))
COUNTED(Send, (const void* data, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm),
        (data, n, type, to, tag, comm))
COUNTED(Isend,
        (const void* data, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request* request),
        (data, n, type, to, tag, comm, request))
COUNTED(Recv, (void* data, int n, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Status* status),
        (data, n, type, from, tag, comm, status))
COUNTED(Irecv, (void* data, int n, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request* request),
        (data, n, type, from, tag, comm, request))
COUNTED(Barrier, (MPI_Comm comm), (comm))
#undef COUNTED

namespace {

/// What has happened since it was made.
class Counts {
 public:
  long allocated() const { return allocations() - allocations_; }
  long called_mpi() const { return mpi_calls - mpi_calls_; }
  std::int64_t multiplied_slowly() const { return kernel::gemm_native_calls() - native_; }

 private:
  long allocations_ = allocations(), mpi_calls_ = mpi_calls;
  std::int64_t native_ = kernel::gemm_native_calls();
};

/// How often `step` waits, as a tool sees it. (Releases of Kokkos that report no fences of a host space have
/// none.)
template <class Step>
long fences_of(Step&& step) {
  fences = 0;
  Kokkos::Tools::Experimental::set_begin_fence_callback(
      [](const char*, std::uint32_t, std::uint64_t*) { ++fences; });
  step();
  Kokkos::Tools::Experimental::set_begin_fence_callback(nullptr);
  return fences;
}

/// A small GPT on all ranks of this launch, and one step of it.
template <class Mesh>
struct Model {
  static GptConfig config(std::int64_t context) {
    GptConfig c;
    c.vocabulary = 48;
    c.context = context;
    c.layers = 2;
    c.hidden = 48;
    c.heads = 4;
    return c;
  }
  static auto tokens(const Mesh& mesh, std::int64_t context) {
    return from_function<std::int32_t>(mesh, layout<>, {2, context}, [](const auto& at) {
      return static_cast<std::int32_t>((7 * at[0] + at[1]) % 48);
    });
  }

  Model(const Mesh& mesh, std::int64_t context)
      : gpt(mesh, config(context)), ids(tokens(mesh, context)), tape(mesh) {}

  void train() {
    gpt.visit([](auto& p) { p.track().state->filled = false; });
    tape.clear();
    backward(gpt.loss(tape.input(ids), ids));
  }

  Gpt<float, Mesh, tp> gpt;
  decltype(tokens(std::declval<Mesh>(), 1)) ids;
  Tape<Mesh> tape;
};

template <class Mesh, class Step>
void check_steady(const Mesh& mesh, bool without_mpi, Step&& step) {
  for (int warm_up = 0; warm_up < 3; ++warm_up) step();
  const std::int64_t from_the_system = mesh.context().pool().allocations();
  const Counts counts;
  for (int i = 0; i < 5; ++i) step();
  const long allocated = counts.allocated(), called_mpi = counts.called_mpi();
  CHECK(allocated == 0);
  CHECK(mesh.context().pool().allocations() == from_the_system);
  if (without_mpi) CHECK(called_mpi == 0);
  CHECK(counts.multiplied_slowly() == 0);
  CHECK(fences_of(step) == 0);
}

/// Counts the products that a mesh leaves to it.
struct CountingGemm {
  static inline int calls = 0;
  template <class T, class Exec>
  static constexpr bool takes() {
    return true;
  }
  template <class T, class Exec>
  static void multiply(const Exec& exec, const kernel::GemmCall<T>& call) {
    ++calls;
    kernel::DefaultGemm::multiply(exec, call);
  }
};

}  // namespace

TEST_CASE("a step that repeats allocates nothing, waits for nothing and calls no MPI on one node") {
  const comm::Mpi world = comm::Mpi::world();
  const auto on_mpi = make_mesh<tp>(world);
  Model through_mpi(on_mpi, 8);
  check_steady(on_mpi, false, [&] { through_mpi.train(); });
  if (test::ranks() > 1) {
    const Counts counts;
    through_mpi.train();
    CHECK(counts.called_mpi() > 0);  // they are counted
  }

  const auto on_node = make_mesh<tp>(comm::SharedMemory::over(world));
  Model training(on_node, 8);
  check_steady(on_node, true, [&] { training.train(); });
  const Model decoding(on_node, 1);
  check_steady(on_node, true, [&] { decoding.gpt.logits(decoding.ids); });
}

TEST_CASE("the mesh says who multiplies, and the ops' text stays as it is") {
  const Kokkos::DefaultHostExecutionSpace space;
  const auto mesh = make_mesh_on<tp>(with_gemm<CountingGemm>(space), comm::Mpi::world());
  using Mesh = std::decay_t<decltype(mesh)>;
  static_assert(std::is_same_v<Mesh::execution_space, Kokkos::DefaultHostExecutionSpace>);
  const auto x = normal<float>(mesh, layout<Replicate<tp>>, {32, 24}, {1});
  const auto w = make_parameter("w", normal<float>(mesh, layout<Shard<1, tp>>, {24, 24}, {2}));
  Tape tape(mesh);
  const auto watched = tape.watch(x);
  const auto y = matmul(watched, w);
  CHECK(CountingGemm::calls == 1);
  tape.walk<float>(y.track(), 1);
  CHECK(CountingGemm::calls == 3);
  CHECK(y.local().extent(0) == 32);
}
