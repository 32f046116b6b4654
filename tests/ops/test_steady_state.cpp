// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a step that repeats does not do: allocate, wait for the execution space, call MPI on one node, or
// multiply in the slow kernel.
#include <cstdint>
#include <type_traits>
#include <vector>

#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/mpi.hpp>
#include <tpx/comm/shared_memory.hpp>
#include <tpx/nn/generate.hpp>
#include <tpx/nn/gpt.hpp>
#include <tpx/nn/llama.hpp>
#include <tpx/tensor/make_mesh.hpp>

#include "../comm/count_allocations.hpp"
#include "support/count_mpi_calls.hpp"
#include "support/mpi_doctest.hpp"

using namespace tpx;
using axes::tp;

namespace {

long reported_fences = 0;

/// What has happened since it was made.
class Counts {
 public:
  long allocated() const { return allocations() - allocations_; }
  long called_mpi() const { return test::mpi_calls() - mpi_calls_; }
  std::int64_t waited() const { return kernel::fences() - fences_; }
  std::int64_t multiplied_slowly() const { return kernel::gemm_native_calls() - native_; }

 private:
  long allocations_ = allocations(), mpi_calls_ = test::mpi_calls();
  std::int64_t fences_ = kernel::fences(), native_ = kernel::gemm_native_calls();
};

/// How often `step` waits as a tool of Kokkos sees it, where Kokkos waits by itself. (Old releases report
/// none.)
template <class Step>
long fences_reported(Step&& step) {
  reported_fences = 0;
  Kokkos::Tools::Experimental::set_begin_fence_callback(
      [](const char*, std::uint32_t, std::uint64_t*) { ++reported_fences; });
  step();
  Kokkos::Tools::Experimental::set_begin_fence_callback(nullptr);
  return reported_fences;
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
void check_steady(const Mesh& mesh, bool on_one_node, Step&& step) {
  for (int warm_up = 0; warm_up < 3; ++warm_up) step();
  const std::int64_t from_the_system = mesh.context().pool().allocations();
  const Counts counts;
  for (int i = 0; i < 5; ++i) step();
  const long allocated = counts.allocated(), called_mpi = counts.called_mpi();
  CHECK(allocated == 0);
  CHECK(mesh.context().pool().allocations() == from_the_system);
  if (on_one_node) CHECK(called_mpi == 0);
  CHECK(mesh.context().pool().fallbacks() == 0);
  CHECK(counts.multiplied_slowly() == 0);
  CHECK(counts.waited() == 0);
  CHECK(fences_reported(step) == 0);
}

template <class Mesh>
auto small_llama(const Mesh& mesh) {
  LlamaConfig c;
  c.vocabulary = 48;
  c.context = 16;
  c.layers = 2;
  c.hidden = 48;
  c.heads = 4;
  c.kv_heads = 2;
  c.head_dim = 12;
  c.ffn = 64;
  return Llama<float, Mesh, TensorParallel<tp>>(mesh, c, RandomWeights(3, 0.3));
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
  const auto on_node = make_mesh<tp>(comm::SharedMemory::over(world));
  Model training(on_node, 8);
  check_steady(on_node, true, [&] { training.train(); });

  // What is counted is seen: each launch is waited for while somebody looks at its time.
  const Counts counts;
  on_node.context().set_observer([](const Launch&, double) {});
  training.train();
  on_node.context().set_observer({});
  const std::vector<char> taken(100);
  CHECK(counts.waited() > 0);
  CHECK(counts.allocated() > 0);
  CHECK(counts.called_mpi() == 0);
  through_mpi.train();
  const long of_a_step = counts.called_mpi();
  CHECK((of_a_step > 0) == (test::ranks() > 1));
}

TEST_CASE("a token that a cache continues allocates nothing, waits for nothing and calls no MPI on one node") {
  const auto mesh = make_mesh<tp>(comm::SharedMemory::over(comm::Mpi::world()));
  const auto model = small_llama(mesh);
  Generator generator(model, 2, 16);
  const SampleOptions greedy, sampled{.temperature = 0.8, .top_k = 20, .top_p = 0.9, .seed = 5};
  for (const SampleOptions& options : {greedy, sampled}) {
    std::vector<std::int32_t> tokens = generator.start({{5, 17, 3, 42}, {7}}, options);
    check_steady(mesh, true, [&] {
      generator.rewind(4);
      tokens = generator.next(tokens, options);
    });
  }
}

TEST_CASE("what the ranks of a node read of each other lies where all of them see it") {
  const auto mesh = make_mesh<tp>(comm::SharedMemory::over(comm::Mpi::world()));
  const auto seen = [&](const auto& x) {
    return mesh.communicator(1U).is_symmetric(x.data(), x.shard().bytes());
  };
  const auto x = normal<float>(mesh, layout<Shard<1, tp>>, {64, 96}, {1});
  const auto w = make_parameter("w", normal<float>(mesh, layout<Shard<0, tp>>, {96, 48}, {2}));
  Tape tape(mesh);
  const auto watched = tape.watch(x);
  const auto terms = matmul(watched, w);  // summed where it lies
  static_assert(decltype(terms)::spec[0].kind == Kind::partial);
  CHECK(seen(terms));
  CHECK(seen(x));  // and so are gathered shards
  CHECK(seen(redistribute<Shard<0, tp>>(terms)));
  CHECK(seen(redistribute<Invariant<tp>>(terms)));
  CHECK(seen(redistribute<Replicate<tp>>(x)));
  CHECK(seen(redistribute<Shard<0, tp>>(x)));
  tape.walk<float>(terms.track(), 1);
  CHECK(seen(tape.gradient(watched)));
  CHECK(seen(value(w)));
  const std::vector<float> elsewhere(64);
  CHECK_FALSE(mesh.communicator(1U).is_symmetric(elsewhere.data(), 256));
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
