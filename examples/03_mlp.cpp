// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A column-parallel and a row-parallel layer: from tpx's layers, spelled out, in plain loops, and on a mesh
// that is not here.

#include <tpx/tpx.hpp>

#include "support/check.hpp"
#include "support/plain.hpp"

using namespace tpx;
using namespace tpx::axes;

static constexpr std::int64_t rows = 6, features = 24, hidden = 96;
static constexpr std::uint64_t key = 7;
static constexpr double spread = 0.1;

template <class Mesh>
auto input(const Mesh& mesh) {
  return normal<double>(mesh, layout<>, {rows, features}, {key});
}

// The two layers as they come.
template <class Mesh>
auto layers(const Mesh& mesh) {
  const ColumnParallelLinear<double, Mesh, tp> in(mesh, "mlp.in", features, {hidden}, key, spread);
  const RowParallelLinear<double, Mesh, tp> out(mesh, "mlp.out", {hidden}, features, key, spread);
  return out(gelu(in(input(mesh))));  // f64[6,24]
}

// What they do. A weight's numbers depend on the seed and its name alone.
template <class Mesh>
auto spelled_out(const Mesh& mesh) {
  auto w1 = make_weight<double, Shard<1, tp>>(mesh, "mlp.in.weight", {features, hidden}, key, spread);
  auto w2 = make_weight<double, Shard<0, tp>>(mesh, "mlp.out.weight", {hidden, features}, key, spread);
  auto x =
      redistribute<Replicate<tp>>(input(mesh));  // f64[6,24]{R:tp}    I -> R: free; backward: one all-reduce
  auto h = gelu(matmul(x, w1));                  // f64[6,96@tp]       each rank its columns
  auto y = matmul(h, w2);                        // f64[6,24]{P:tp}    each rank its terms
  return redistribute<Invariant<tp>>(y);         // f64[6,24]          P -> I: one all-reduce
}

// One process, plain loops.
template <class Mesh>
plain::Values plain_loops(const Mesh& mesh) {
  const auto w1 = gather(make_weight<double>(mesh, "mlp.in.weight", {features, hidden}, key, spread));
  const auto w2 = gather(make_weight<double>(mesh, "mlp.out.weight", {hidden, features}, key, spread));
  plain::Values h = plain::matmul(gather(input(mesh)), w1, rows, features, hidden);
  for (double& v : h) v = plain::gelu(v);
  return plain::matmul(h, w2, rows, hidden, features);
}

int main(int argc, char** argv) {
  Environment env(argc, argv);
  return env.run([&] {
    const comm::Recording world(env.world());  // counts every collective
    const auto mesh = make_mesh<tp>(world);

    const auto y = layers(mesh);
    const comm::CommLog counted = world.log();  // a snapshot
    const auto spelled = spelled_out(mesh);
    const plain::Values want = plain_loops(mesh);
    const double difference = example::difference(gather(y), want);
    bool ok = difference < 1e-12 && example::difference(gather(spelled), want) < 1e-12;

    // The same forward without memory and without ranks: what it would send, on this mesh and on a larger one.
    const comm::Recording nobody{comm::Abstract(world.size())};
    layers(make_mesh<tp>(nobody));
    ok = ok && nobody.log() == counted;

    const auto eight = make_abstract_mesh<tp>({8});
    layers(eight);
    const comm::CommEntry predicted = eight.log().total("tp", comm::Collective::all_reduce);
    ok = ok && predicted.calls == 1 && predicted.elements == rows * features;

    if (mesh.rank() == 0) std::cout << "counted here:\n" << counted << "on 8 ranks:\n" << eight.log();
    return example::finish("03_mlp", example::sizes(mesh), ok,
                           {{"difference", difference},
                            {"all_reduces", counted.total("tp", comm::Collective::all_reduce).calls},
                            {"predicted_on_8", predicted.calls}});
  });
}
