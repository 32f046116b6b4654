// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include <tpx/tpx.hpp>

#include "../support/mpi_doctest.hpp"

// One weight on dp: loss = sum of 4 products x w / 1, each rank with its own x. What reduce() promises, and
// what it refuses.

using namespace tpx;
using namespace tpx::axes;

namespace {

template <class Mesh>
struct OneWeight {
  using element_type = double;
  using mesh_type = Mesh;
  Mesh here;
  Parameter<double, 1, layout_t<Replicate<dp>>, Mesh> w;

  explicit OneWeight(const Mesh& m, std::int64_t elements = 4)
      : here(m), w(make_constant<double>(m, "w", {elements}, 3.0)) {}
  const Mesh& mesh() const { return here; }
  template <class F>
  void visit(F&& f) {
    f(w);
  }
};

/// Two layers that were given one name.
template <class Mesh>
struct Twins {
  using element_type = double;
  using mesh_type = Mesh;
  OneWeight<Mesh> a, b;

  explicit Twins(const Mesh& m) : a(m), b(m) {}
  const Mesh& mesh() const { return a.mesh(); }
  template <class F>
  void visit(F&& f) {
    a.visit(f);
    b.visit(f);
  }
};

/// loss = sum over ranks of x . w with x = (1, 2, 3, 4) on each, so d loss / d w = p (1, 2, 3, 4).
template <class Mesh>
void forward_and_backward(Tape<Mesh>& tape, const OneWeight<Mesh>& model) {
  tape.clear();
  const std::int64_t p = model.mesh().template size<dp>();
  const auto x = from_function<double>(model.mesh(), layout<Shard<0, dp>>, {p, 4},
                                       [](const auto& i) { return static_cast<double>(i[1] + 1); });
  const auto ones = full<double>(model.mesh(), layout<Shard<0, dp>>, {p}, 1.0);
  backward(matmul(matmul(tape.input(x), model.w), ones));  // [p@dp] . [p@dp] -> []{P:dp}
}

}  // namespace

TEST_CASE("gradients: one reduction sums over the ranks, whatever the number of micro-batches") {
  const auto mesh = make_mesh<dp>(comm::Recording<comm::Mpi>(comm::Mpi::world()));
  OneWeight model(mesh);
  Gradients gradients(model);
  Tape tape(mesh);
  const double p = mesh.size();
  for (int step = 0; step < 3; ++step) {
    gradients.reset();
    for (int micro = 0; micro < 2; ++micro) forward_and_backward(tape, model);
    const auto partial = gather(gradient(model.w));  // of the dual layout: Partial, so gather sums it
    CHECK(partial == std::vector<double>{2 * p, 4 * p, 6 * p, 8 * p});
    mesh.log().clear();
    const auto reduced = gradients.reduce<over<dp>>();
    CHECK(mesh.log().total("dp", comm::Collective::all_reduce).calls == (mesh.size() > 1 ? 1 : 0));
    const auto whole = reduced.gradient(model.w);
    static_assert(std::is_same_v<typename decltype(whole)::layout_type, layout_t<Replicate<dp>>>);
    CHECK(gather(whole) == std::vector<double>{2 * p, 4 * p, 6 * p, 8 * p});
  }
}

TEST_CASE("gradients: what would be a silently wrong sum is an error that says what to do") {
  const auto mesh = make_mesh<dp>(comm::Mpi::world());
  OneWeight model(mesh);
  Tape tape(mesh);
  {
    Gradients gradients(model);
    forward_and_backward(tape, model);
    (void)gradients.reduce<over<dp>>();
    CHECK_THROWS_WITH_AS((void)gradients.reduce<over<dp>>(), doctest::Contains("reset() comes before the next"),
                         Error);
    CHECK_THROWS_WITH_AS((void)gradient(model.w), doctest::Contains("reduced.gradient(parameter)"), Error);
    CHECK_THROWS_WITH_AS(forward_and_backward(tape, model), doctest::Contains("reset before the next backward"),
                         Error);
    CHECK_THROWS_WITH_AS(Gradients second(model), doctest::Contains("one Gradients at a time"), Error);
    gradients.reset();
    forward_and_backward(tape, model);
    CHECK(gather(gradients.reduce<over<dp>>().gradient(model.w))[3] == 4.0 * mesh.size());
  }
  // When it is gone, parameters keep their gradients themselves again.
  CHECK_THROWS_WITH_AS((void)gradient(model.w), doctest::Contains("backward reaches the parameter"), Error);
  forward_and_backward(tape, model);
  CHECK(gather(gradient(model.w))[0] == 1.0 * mesh.size());
}

TEST_CASE("gradients: parameters of one name are refused") {
  const auto mesh = make_mesh<dp>(comm::Mpi::world());
  Twins twins(mesh);
  CHECK_THROWS_WITH_AS(Gradients gradients(twins), doctest::Contains("distinct names"), Error);
}

TEST_CASE("an optimizer steps the model whose state it has, and no other of its type") {
  const auto mesh = make_mesh<dp>(comm::Mpi::world());
  OneWeight small(mesh), large(mesh, 1000);
  AdamW adamw(small);
  Gradients ours(small), others(large);
  adamw.step(ours.reduce<over<dp>>(), 1e-3);
  CHECK_THROWS_WITH_AS(adamw.step(others.reduce<over<dp>>(), 1e-3), doctest::Contains("whose state it has"),
                       Error);
  CHECK(adamw.steps() == 1);
  ours.reset();
  adamw.step(ours.reduce<over<dp>>(), 1e-3);
  CHECK(adamw.steps() == 2);
}
