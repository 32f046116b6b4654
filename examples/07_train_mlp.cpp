// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Training on a dp x tp mesh: an MLP learns a function of two variables, with AdamW. Each step's loss is
// compared with the same training in plain loops.

#include <tpx/tpx.hpp>

#include "support/check.hpp"
#include "support/plain_mlp.hpp"

using namespace tpx;
using namespace tpx::axes;

// What Gradients, AdamW and clip_grad_norm ask of a model: its element and mesh, and a visit of its parameters.
template <class T, class Mesh>
class Regressor {
 public:
  using element_type = T;
  using mesh_type = Mesh;

  Regressor(const Mesh& mesh, std::int64_t in, std::int64_t hidden, std::int64_t out)
      : mesh_(mesh),
        in_(mesh, "in", in, {hidden}, 1, 1.0),
        out_(mesh, "out", {hidden}, out, 1, 1.0 / std::sqrt(static_cast<double>(hidden))) {}

  template <class X>
  auto operator()(const X& x) const {
    return out_(gelu_tanh(in_(x)));
  }

  const Mesh& mesh() const { return mesh_; }

  template <class F>
  void visit(F&& f) {
    in_.visit(f);
    out_.visit(f);
  }

 private:
  Mesh mesh_;
  ColumnParallelLinear<T, Mesh, tp> in_;
  RowParallelLinear<T, Mesh, tp> out_;
};

int main(int argc, char** argv) {
  Environment env(argc, argv);
  return env.run([&] {
    const comm::Mpi world = env.world();
    const auto mesh = make_mesh<dp, tp>(world, {world.size() % 2 == 0 ? 2 : 1, 0});
    const std::int64_t samples = 48, in = 2, hidden = 48, out = 1;
    const int steps = 200;
    const double rate = 0.01;

    // The samples are split over dp.
    const auto x = uniform<double>(mesh, layout<Shard<0, dp>>, {samples, in}, {2}, -1, 1);  // f64[48@dp,2]
    const plain::Values inputs = gather(x);
    plain::Values truth(static_cast<std::size_t>(samples));
    for (std::size_t i = 0; i < truth.size(); ++i) truth[i] = std::sin(3 * inputs[2 * i]) * inputs[2 * i + 1];
    const auto target = distribute(mesh, layout<Shard<0, dp>>, {samples, out}, truth);  // f64[48@dp,1]

    Regressor<double, std::decay_t<decltype(mesh)>> model(mesh, in, hidden, out);
    std::vector<plain::Values> initial;
    model.visit([&](auto& parameter) { initial.push_back(gather(parameter)); });
    plain::TrainedMlp serial(initial, in, hidden, out);

    Gradients gradients(model);
    AdamW optimizer(model);
    Tape tape(mesh);
    double first = 0, last = 0, difference = 0;
    std::int64_t allocations = 0;
    for (int step = 0; step < steps; ++step) {
      gradients.reset();
      tape.clear();
      const auto error = add(model(tape.input(x)), scale(target, -1));  // f64[48@dp,1]
      const auto sum = matmul<2>(error, error);             // f64[]{P:dp}   of squares, over both dims
      const auto loss = scale(sum, 1.0 / (samples * out));  // f64[]{P:dp}   over the global count
      backward(loss);
      const auto reduced = gradients.reduce<over<dp>>();  // P:dp -> one all-reduce a step
      optimizer.step(reduced, rate);

      last = item(redistribute<Invariant<dp>>(detach(loss)));  // f64[]
      if (step == 0) first = last;
      if (step == 1) allocations = mesh.context().pool().allocations();
      const double want = serial.step(inputs, truth, samples, rate, 0.01);
      difference = std::max(difference, std::abs(last - want) / want);
    }

    // Memory comes from the mesh's pool: nothing was asked of the system since the second step.
    const bool steady = mesh.context().pool().allocations() == allocations;
    const bool ok = difference < 1e-8 && last < 0.01 * first && steady;
    if (mesh.rank() == 0) std::cout << "loss " << first << " -> " << last << std::endl;
    return example::finish("07_train_mlp", example::sizes(mesh), ok,
                           {{"loss_first", first}, {"loss_final", last}, {"difference", difference}});
  });
}
