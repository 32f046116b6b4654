// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/self.hpp>
#include <tpx/comm/threads.hpp>
#include <tpx/ops/add.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/redistribute.hpp>

#include "support/distributed.hpp"
#include "support/reference.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

constexpr std::int64_t rows = 6, hidden = 24, ffn = 48;

/// The column-parallel, then row-parallel MLP, and the loss sum(y * g):
///
///   y = gelu(x w1 + b1) w2 + b2
template <class Mesh>
struct Mlp {
  Mesh mesh;
  Parameter<double, 2, layout_t<Shard<1, tp>>, Mesh> w1 =
      make_parameter("w1", normal<double>(mesh, layout<Shard<1, tp>>, {hidden, ffn}, {3, 1}, 0, 0.3));
  Parameter<double, 1, layout_t<Shard<0, tp>>, Mesh> b1 =
      make_parameter("b1", normal<double>(mesh, layout<Shard<0, tp>>, {ffn}, {3, 2}));
  Parameter<double, 2, layout_t<Shard<0, tp>>, Mesh> w2 =
      make_parameter("w2", normal<double>(mesh, layout<Shard<0, tp>>, {ffn, hidden}, {3, 3}, 0, 0.3));
  Parameter<double, 1, layout_t<>, Mesh> b2 =
      make_parameter("b2", normal<double>(mesh, layout<>, {hidden}, {3, 4}));
  DTensor<double, 2, layout_t<>, Mesh> x = normal<double>(mesh, layout<>, {rows, hidden}, {3, 5});
  DTensor<double, 2, layout_t<>, Mesh> g = normal<double>(mesh, layout<>, {rows, hidden}, {3, 6});

  template <class X>
  auto forward(const X& in) const {
    const auto h = gelu(add(matmul(redistribute<Replicate<tp>>(in), w1), b1));
    return add(redistribute<Invariant<tp>>(matmul(h, w2)), b2);
  }
};

template <class Mesh>
Mlp<Mesh> mlp_on(const Mesh& mesh) {
  return {mesh};
}

/// Result and all gradients, gathered.
struct Whole {
  Values y, dx, dw1, db1, dw2, db2;
};

template <class Mesh>
Whole run(const Mesh& mesh) {
  const auto mlp = mlp_on(mesh);
  Tape<Mesh> tape(mesh);
  const auto x = tape.watch(mlp.x);
  const auto y = mlp.forward(x);
  backward(matmul<2>(y, mlp.g));
  return {gather(y),
          gather(tape.gradient(x)),
          gather(gradient(mlp.w1)),
          gather(gradient(mlp.b1)),
          gather(gradient(mlp.w2)),
          gather(gradient(mlp.b2))};
}

Whole expected() {
  const auto mlp = mlp_on(make_mesh<tp>(comm::Self()));
  const Values x = gather(mlp.x), w1 = gather(mlp.w1), b1 = gather(mlp.b1), w2 = gather(mlp.w2),
               b2 = gather(mlp.b2), dy = gather(mlp.g);
  const Values a = reference::bias_add(reference::matmul(x, w1, rows, ffn, hidden), b1, rows, ffn);
  const Values h = reference::gelu(a);
  const auto second = reference::matmul_backward(h, w2, dy, rows, hidden, ffn);
  const Values da = reference::gelu_backward(a, second.da);
  const auto first = reference::matmul_backward(x, w1, da, rows, ffn, hidden);
  return {reference::bias_add(reference::matmul(h, w2, rows, hidden, ffn), b2, rows, hidden),
          first.da,
          first.db,
          reference::bias_gradient(da, rows, ffn),
          second.db,
          reference::bias_gradient(dy, rows, hidden)};
}

void compare(const Whole& is, const Whole& expected) {
  CHECK(off(is.y, expected.y) <= 1e-12);
  CHECK(off(is.dx, expected.dx) <= 1e-12);
  CHECK(off(is.dw1, expected.dw1) <= 1e-12);
  CHECK(off(is.db1, expected.db1) <= 1e-12);
  CHECK(off(is.dw2, expected.dw2) <= 1e-12);
  CHECK(off(is.db2, expected.db2) <= 1e-12);
}

/// One step without looking at values: runs on a mesh that is not here, too.
template <class Mesh>
Work step(const Mesh& mesh, comm::CommLog& log) {
  const auto mlp = mlp_on(mesh);
  Tape<Mesh> tape(mesh);
  const auto x = tape.watch(mlp.x);
  mesh.context().reset_work();
  log.clear();
  log.keep_order(true);
  backward(matmul<2>(mlp.forward(x), mlp.g));
  return mesh.context().work();
}

}  // namespace

TEST_CASE("the column and row parallel MLP equals plain loops, forward and all gradients, over MPI") {
  const Whole reference = expected();
  compare(run(make_mesh<tp>(world())), reference);
}

TEST_CASE("the same over threads") {
  if (ranks() > 1) return;
  const Whole reference = expected();
  for (const int n : {1, 2, 3, 4}) {
    CAPTURE(n);
    comm::run_threads(n, [&](comm::Threads threads) { compare(run(make_mesh<tp>(threads)), reference); });
  }
}

TEST_CASE("one rank of MPI computes the bits of no communicator") {
  if (ranks() > 1) return;
  const Whole mpi = run(make_mesh<tp>(world())), self = run(make_mesh<tp>(comm::Self()));
  CHECK(mpi.y == self.y);
  CHECK(mpi.dx == self.dx);
  CHECK(mpi.dw1 == self.dw1);
  CHECK(mpi.db1 == self.db1);
  CHECK(mpi.dw2 == self.dw2);
  CHECK(mpi.db2 == self.db2);
}

TEST_CASE("it costs one all-reduce forward and one backward, and the abstract run says so beforehand") {
  const World all = world();
  const int p = all.size();
  const auto here = make_mesh<tp>(all);
  const Work done = step(here, all.log());
  std::vector<comm::CommCall> calls;
  if (p > 1) calls.assign(2, {"tp", comm::Collective::all_reduce, p, rows * hidden, Element::f64});
  CHECK(all.log().calls() == calls);

  const auto there = make_abstract_mesh<tp>({p});
  comm::CommLog none;
  comm::CommLog& log = p > 1 ? there.communicator(1).log() : none;
  const Work foreseen = step(there, log);
  CHECK(log == all.log());
  CHECK(log.calls() == all.log().calls());
  CHECK(foreseen.flops == done.flops);
  CHECK(foreseen.bytes == done.bytes);
  // Two products forward, four backward.
  CHECK(done.flops >= 6 * 2 * rows * hidden * ffn / p);
}

TEST_CASE("a mesh of eight ranks that nobody has") {
  const auto mesh = make_abstract_mesh<tp>({8});
  comm::CommLog& log = mesh.communicator(1).log();
  const Work work = step(mesh, log);
  const std::vector<comm::CommCall> calls(2,
                                          {"tp", comm::Collective::all_reduce, 8, rows * hidden, Element::f64});
  CHECK(log.calls() == calls);
  CHECK(work.flops >= 6 * 2 * rows * hidden * ffn / 8);
  CHECK(mesh.context().pool().peak() > 0);
}

TEST_CASE("without a tape the same code gives the same bits and sends the forward's one all-reduce") {
  const World all = world();
  const auto mesh = make_mesh<tp>(all);
  const auto mlp = mlp_on(mesh);
  Tape<std::decay_t<decltype(mesh)>> tape(mesh);
  const auto recorded = mlp.forward(tape.input(mlp.x));
  CHECK(tape.size() > 0);
  all.log().clear();
  const auto y = mlp.forward(mlp.x);
  static_assert(std::is_same_v<decltype(y)::track_type, OffTape>);
  CHECK(calls(all.log()) == (all.size() > 1 ? 1 : 0));
  CHECK(local_values(y) == local_values(recorded));
}
