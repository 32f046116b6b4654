// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/comm/shared_memory.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/redistribute_add.hpp>

#include <cmath>

#include "support/check_op.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

/// Small whole numbers, whose sums are exact in whatever order they are taken.
Values whole_numbers(std::int64_t n, unsigned seed) {
  Values values = random_values(n, seed);
  for (double& v : values) v = std::trunc(4 * v);
  return values;
}

/// What came out, and what it took to get there.
struct Outcome {
  std::vector<float> y, dx, dbias, dresidual;
  std::vector<comm::CommEntry> forward, back;
  Work work;
};

bool same_values(const Outcome& a, const Outcome& b) {
  return a.y == b.y && a.dx == b.dx && a.dbias == b.dbias && a.dresidual == b.dresidual;
}

/// On a mesh that is not here, of zeros.
template <class Mesh, class L, std::size_t N>
auto put_there(const Mesh& mesh, L l, const std::int64_t (&extents)[N], Values values) {
  if constexpr (Mesh::context_type::has_memory) {
    return put(mesh, given<float>(l, extents, std::move(values)));
  } else {
    return detail::make_tensor<float, static_cast<int>(N), L>(mesh, given<float>(l, extents, {}).shape);
  }
}

/// y = x w as To + (residual + (x w as To + bias)) of (batch, positions, features), in two ops or in five.
template <class To, class Bias, bool fused, class World>
Outcome run(const World& world, std::int64_t positions, std::int64_t features) {
  constexpr std::int64_t batch = 2, inner = 12;
  const auto mesh = make_mesh<tp>(world);
  Tape tape(mesh);
  const std::int64_t all = batch * positions * features;
  const auto x = tape.watch(put_there(mesh, layout<Shard<2, tp>>, {batch, positions, inner},
                                      whole_numbers(batch * positions * inner, 1)));
  const auto w = put_there(mesh, layout<Shard<0, tp>>, {inner, features}, whole_numbers(inner * features, 2));
  const auto bias = tape.watch(put_there(mesh, layout<Bias>, {features}, whole_numbers(features, 3)));
  const auto residual =
      tape.watch(put_there(mesh, layout<To>, {batch, positions, features}, whole_numbers(all, 4)));
  Outcome out;
  world.log().clear();
  mesh.context().reset_work();
  const auto y = [&] {
    if constexpr (fused) {
      const auto once = redistribute_add<To>(matmul(x, w), bias, residual);
      return redistribute_add<To>(matmul(x, w), once);
    } else {
      const auto once = add(residual, add(redistribute<To>(matmul(x, w)), bias));
      return add(redistribute<To>(matmul(x, w)), once);
    }
  }();
  out.forward = world.log().entries();
  out.work = mesh.context().work();
  if constexpr (decltype(y)::mesh_type::context_type::has_memory) {
    out.y = gather(y);
    const auto loss = weighted_sum(y, whole_numbers(all, 5));
    world.log().clear();
    backward(loss);
    out.back = world.log().entries();
    out.dx = gather(tape.gradient(x));
    out.dbias = gather(tape.gradient(bias));
    out.dresidual = gather(tape.gradient(residual));
  }
  return out;
}

template <class To, class Bias>
void agree(std::int64_t positions, std::int64_t features) {
  CAPTURE(positions);
  CAPTURE(features);
  const comm::Mpi mpi = comm::Mpi::world();
  const World by_messages(comm::Mpi::world());
  const comm::Recording<comm::SharedMemory> in_memory(comm::SharedMemory::over(mpi));
  const comm::Recording<comm::Abstract> nowhere(comm::Abstract(mpi.size()));
  const Outcome expected = run<To, Bias, false>(by_messages, positions, features);
  const Outcome apart_in_memory = run<To, Bias, false>(in_memory, positions, features);
  const Outcome in_one = run<To, Bias, true>(in_memory, positions, features);
  const Outcome one_pass = run<To, Bias, true>(by_messages, positions, features);
  const Outcome predicted = run<To, Bias, true>(nowhere, positions, features);
  CHECK(same_values(in_one, apart_in_memory));
  CHECK(same_values(one_pass, expected));
  CHECK(in_one.y == expected.y);
  // (Of a Replicate y each rank has a term of the gradient, no whole number; MPI adds them in an order of its
  // own.)
  for (const auto part : {&Outcome::dx, &Outcome::dbias, &Outcome::dresidual})
    CHECK(off(as_double(in_one.*part), as_double(expected.*part)) <= 1e-6);
  CHECK(in_one.forward == expected.forward);
  CHECK(in_one.back == expected.back);
  CHECK(one_pass.forward == expected.forward);
  CHECK(predicted.forward == expected.forward);
  // (Before a sum is scattered its terms are packed where they cannot be read in place.)
  if (in_one.forward.empty() || in_one.forward.front().what == comm::Collective::all_reduce) {
    CHECK(in_one.work == predicted.work);
    CHECK(one_pass.work == predicted.work);
  }
}

}  // namespace

// Sums of 1 KB, 22 KB and 176 KB: through slots, read by every rank, and each rank its part of the rows.
TEST_CASE(
    "a sum, a bias and a residual in one op: the same bits and collectives as in three, by every "
    "communicator") {
  agree<Invariant<tp>, Invariant<tp>>(12, 10);
  agree<Invariant<tp>, Invariant<tp>>(13, 210);
  agree<Invariant<tp>, Invariant<tp>>(41, 537);
  agree<Replicate<tp>, Replicate<tp>>(41, 537);
  // The positions split over the ranks, evenly and not.
  agree<Shard<1, tp>, Replicate<tp>>(12, 10);
  agree<Shard<1, tp>, Replicate<tp>>(24, 537);
  agree<Shard<1, Balanced, tp>, Replicate<tp>>(41, 537);
  agree<Shard<1, Balanced, tp>, Replicate<tp>>(3, 5);
  // The features split: a bias is split with them.
  agree<Shard<2, tp>, Shard<0, tp>>(41, 528);
}

TEST_CASE("operands of a sum that do not fit are refused on every rank") {
  const auto mesh = make_mesh<tp>(world());
  const auto of = [&]<class... P>(Layout<P...>, const auto&... extents) {
    return zeros<float>(mesh, layout<P...>, {extents...});
  };
  const auto terms = redistribute<Partial<tp>>(of(layout<>, 2, 3, 4));
  CHECK_THROWS_WITH_AS(redistribute_add<Invariant<tp>>(terms, of(layout<>, 3)), doctest::Contains("f32[3]"),
                       Error);
  CHECK_THROWS_WITH_AS(redistribute_add<Invariant<tp>>(terms, of(layout<>, 4), of(layout<>, 2, 4, 4)),
                       doctest::Contains("f32[2,4,4]"), Error);
}
