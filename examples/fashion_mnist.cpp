// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tells clothing apart: an MLP on the pictures of Fashion-MNIST (package dataset-fashion-mnist), its hidden
// features split over tp ranks, the batch over dp ranks.
//
//   mpiexec -n 4 fashion_mnist --dp 2
//
// In double the ranks' sums agree to so many digits that the accuracy is the same on every mesh.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <tpx/tpx.hpp>

#include "fashion/images.hpp"
#include "support/check.hpp"
#include "support/command_line.hpp"

using namespace tpx;
using namespace tpx::axes;
using fashion::Images;

namespace {

struct Options {
  int dp = 1;
  std::int64_t hidden = 192;
  std::int64_t batch = 120;
  std::int64_t epochs = 5;
  double learning_rate = 2e-3;
  double at_least = 0.88;
  std::string data = "/usr/share/datasets/fashion-mnist";
};

/// x -> relu(x W1 + b1) W2 + b2, W1 split by columns and W2 by rows over tp.
template <class T, class Mesh>
class Classifier {
 public:
  using element_type = T;
  using mesh_type = Mesh;

  Classifier(const Mesh& mesh, std::int64_t hidden)
      : mesh_(mesh),
        in_(mesh, "in", Images::pixels, {hidden}, 1, std::sqrt(2.0 / Images::pixels)),
        out_(mesh, "out", {hidden}, Images::kinds, 1, std::sqrt(1.0 / static_cast<double>(hidden))) {}

  template <class X>
  auto operator()(const X& x) const {
    return out_(relu(in_(x)));  // I -> R -> S(hidden) -> P -> I
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

/// A number in [0, n), the same for everybody.
std::int64_t drawn(std::int64_t epoch, std::int64_t i, std::int64_t n) {
  const PhiloxBlock block = philox(1, 1, static_cast<std::uint64_t>(epoch * 1'000'000 + i));
  return static_cast<std::int64_t>(unit_interval(block.word[0], block.word[1]) * static_cast<double>(n));
}

int run(const comm::Mpi& world, const Options& options) {
  const auto mesh = make_mesh<dp, tp>(world, {options.dp, 0});
  using Mesh = std::decay_t<decltype(mesh)>;
  const bool speaks = mesh.rank() == 0;
  const Images train = fashion::load_images(world, options.data, "train");
  const Images test = fashion::load_images(world, options.data, "t10k");

  const auto pictures = [&](const Images& from, const std::vector<std::int64_t>& which) {
    const auto n = static_cast<std::int64_t>(which.size());
    return from_function<double>(mesh, layout<Shard<0, dp>>, {n, Images::pixels}, [&](const auto& i) {
      return from.pixel(which[static_cast<std::size_t>(i[0])], i[1]);
    });  // f64[n@dp,784]
  };

  Classifier<double, Mesh> model(mesh, options.hidden);
  Gradients gradients(model);
  AdamW optimizer(model);
  Tape tape(mesh);
  const std::int64_t steps = train.size() / options.batch;
  const CosineSchedule rate{options.learning_rate, 0, 50, options.epochs * steps};
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };

  std::vector<std::int64_t> order(static_cast<std::size_t>(train.size()));
  std::iota(order.begin(), order.end(), 0);
  double loss_of_epoch = 0;
  for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    for (std::int64_t i = train.size() - 1; i > 0; --i)
      std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(drawn(epoch, i, i + 1))]);
    loss_of_epoch = 0;
    for (std::int64_t step = 0; step < steps; ++step) {
      const auto first = order.begin() + step * options.batch;
      const std::vector<std::int64_t> which(first, first + options.batch);
      const auto kinds =
          from_function<std::int32_t>(mesh, layout<Shard<0, dp>>, {options.batch}, [&](const auto& i) {
            return train.kind[static_cast<std::size_t>(which[static_cast<std::size_t>(i[0])])];
          });  // i32[b@dp]
      gradients.reset();
      tape.clear();
      const auto loss = cross_entropy(model(tape.input(pictures(train, which))), kinds);  // f64[]{P:dp}
      backward(loss);
      optimizer.step(gradients.reduce<over<dp>>(), rate(epoch * steps + step));
      if (step % 20 == 0) loss_of_epoch += item(redistribute<Invariant<dp>>(detach(loss)));
    }
    loss_of_epoch /= static_cast<double>((steps + 19) / 20);
    if (speaks) {
      std::printf("epoch %lld  loss %.4f  %.1f s\n", static_cast<long long>(epoch + 1), loss_of_epoch,
                  seconds());
      std::fflush(stdout);
    }
  }
  const double took = seconds();

  // The likeliest kind of each test picture; a last batch that dp does not divide begins again.
  std::int64_t right = 0;
  const std::int64_t together = 1000 / options.dp * options.dp;
  for (std::int64_t at = 0; at < test.size(); at += together) {
    std::vector<std::int64_t> which;
    for (std::int64_t i = 0; i < together; ++i) which.push_back((at + i) % test.size());
    const std::vector<double> logits = gather(model(pictures(test, which)));
    for (std::int64_t i = 0; i < together && at + i < test.size(); ++i) {
      const auto row = logits.begin() + i * Images::kinds;
      const auto likeliest = std::max_element(row, row + Images::kinds) - row;
      right += likeliest == test.kind[static_cast<std::size_t>(at + i)] ? 1 : 0;
    }
  }
  const double accuracy = static_cast<double>(right) / static_cast<double>(test.size());
  if (speaks)
    std::printf("%.2f %% of %lld test pictures\n", 100 * accuracy, static_cast<long long>(test.size()));
  return example::finish("fashion_mnist", example::sizes(mesh), accuracy >= options.at_least,
                         {{"accuracy", accuracy}, {"loss_final", loss_of_epoch}, {"seconds", took}});
}

}  // namespace

int main(int argc, char** argv) {
  Environment env(argc, argv);
  return env.run([&] {
    const comm::Mpi world = env.world();
    Options options;
    options.dp = world.size() % 4 == 0 ? 2 : 1;
    CLI::App app("Trains an MLP on Fashion-MNIST, its features split over tp ranks, the batch over dp ranks.",
                 "fashion_mnist");
    app.option_defaults()->always_capture_default()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    app.add_option("--dp", options.dp, "ranks that split the batch; tp takes what is left")
        ->check(example::between(1, 1e6));
    app.add_option("--hidden", options.hidden, "features, a multiple of tp")->check(example::between(1, 1e6));
    app.add_option("--batch", options.batch, "pictures of a step, a multiple of dp")
        ->check(example::between(1, 60000));
    app.add_option("--epochs", options.epochs, "times through the pictures")->check(example::between(1, 1000));
    app.add_option("--learning-rate", options.learning_rate, "at its peak")->check(example::between(0, 1e3));
    app.add_option("--at-least", options.at_least, "accuracy to be reached")->check(example::between(0, 1));
    app.add_option("--data", options.data, "folder of the four files")->type_name("DIR");
    if (const auto code = example::parse(app, argc, argv, world.rank() == 0)) return *code;
    return run(world, options);
  });
}
