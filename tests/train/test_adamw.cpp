// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/self.hpp>
#include <tpx/nn/init.hpp>
#include <tpx/ops/add.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/redistribute.hpp>
#include <tpx/tensor/make_mesh.hpp>
#include <tpx/train/adamw.hpp>
#include <tpx/train/clip.hpp>
#include <tpx/train/schedule.hpp>

using namespace tpx;
using namespace tpx::axes;

namespace {

constexpr std::int64_t rows = 3, columns = 7;

/// A weight that decays and a gain that does not; their gradients are what the loss multiplies them with.
template <class T, class M>
struct TwoParameters {
  using element_type = T;
  using mesh_type = M;

  M mesh_;
  Parameter<T, 2, parameter_layout_t<M>, M> weight_ = make_weight<T>(mesh_, "weight", {rows, columns}, 5, 0.5);
  Parameter<T, 1, parameter_layout_t<M>, M> gain_ = make_constant<T>(mesh_, "gain", {columns}, T(1));

  const M& mesh() const { return mesh_; }
  template <class F>
  void visit(F&& f) {
    f(weight_);
    f(gain_);
  }
};

double slope(int step, std::int64_t i) { return std::sin(1.3 * static_cast<double>(i) + step) * (1 + step); }

}  // namespace

TEST_CASE_TEMPLATE("AdamW with clipping is the plain loop", T, float, double) {
  const auto mesh = make_mesh<dp, tp>(comm::Self{}, {1, 1});
  using Mesh = std::decay_t<decltype(mesh)>;
  TwoParameters<T, Mesh> model{mesh};
  Gradients gradients(model);
  const AdamWOptions options{.beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.3};
  AdamW optimizer(model, options);
  const double largest = 4;

  std::vector<double> w(rows * columns), m(w.size() + columns), v(m.size());
  const std::vector<T> start = gather(value(model.weight_));
  std::copy(start.begin(), start.end(), w.begin());
  w.resize(m.size(), 1.0);

  bool clips = false, does_not = false;
  for (int step = 0; step < 5; ++step) {
    const double rate = 0.1 / (1 + step);
    Tape tape(mesh);
    const auto a = tape.input(from_function<T>(mesh, layout<Replicate<dp>>, {rows, columns},
                                               [&](auto i) { return slope(step, i[0] * columns + i[1]); }));
    const auto b = tape.input(from_function<T>(mesh, layout<Replicate<dp>>, {columns},
                                               [&](auto i) { return slope(step, 100 + i[0]); }));
    gradients.reset();
    backward(redistribute<Invariant<dp>>(add(matmul<2>(a, model.weight_), matmul<1>(b, model.gain_))));
    const auto reduced = gradients.template reduce<over<dp>>();
    const auto clipped = clip_grad_norm<over<dp, tp>>(reduced, model, largest);
    optimizer.step(reduced, rate, clipped);

    std::vector<double> g(w.size());
    double squares = 0;
    for (std::size_t i = 0; i < w.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      g[i] = at < rows * columns ? slope(step, at) : slope(step, 100 + at - rows * columns);
      squares += g[i] * g[i];
    }
    CHECK(clipped.norm() == doctest::Approx(std::sqrt(squares)).epsilon(1e-6));
    const double factor = std::min(1.0, largest / (std::sqrt(squares) + 1e-6));
    (factor < 1 ? clips : does_not) = true;
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double scaled = factor * g[i];
      m[i] = options.beta1 * m[i] + (1 - options.beta1) * scaled;
      v[i] = options.beta2 * v[i] + (1 - options.beta2) * scaled * scaled;
      const double m_hat = m[i] / (1 - std::pow(options.beta1, step + 1));
      const double v_hat = v[i] / (1 - std::pow(options.beta2, step + 1));
      if (static_cast<std::int64_t>(i) < rows * columns) w[i] *= 1 - rate * options.weight_decay;
      w[i] -= rate * m_hat / (std::sqrt(v_hat) + options.epsilon);
    }
    std::vector<T> is = gather(value(model.weight_));
    const std::vector<T> gain = gather(value(model.gain_));
    is.insert(is.end(), gain.begin(), gain.end());
    for (std::size_t i = 0; i < w.size(); ++i) {
      CAPTURE(step);
      CAPTURE(i);
      CHECK(std::fabs(static_cast<double>(is[i]) - w[i]) <= (std::is_same_v<T, float> ? 2e-6 : 1e-13));
    }
  }
  CHECK(clips);
  CHECK(does_not);
  CHECK(optimizer.steps() == 5);
}

TEST_CASE("a gradient that no backward reached is zero, and only decay moves its parameter") {
  const auto mesh = make_mesh<dp, tp>(comm::Self{}, {1, 1});
  using Mesh = std::decay_t<decltype(mesh)>;
  TwoParameters<double, Mesh> model{mesh};
  Gradients gradients(model);
  AdamW optimizer(model, {.weight_decay = 0.5});
  const std::vector<double> before = gather(value(model.weight_));
  optimizer.step(gradients.template reduce<over<dp>>(), 0.1);
  const std::vector<double> after = gather(value(model.weight_));
  for (std::size_t i = 0; i < before.size(); ++i)
    CHECK(after[i] == doctest::Approx(0.95 * before[i]).epsilon(1e-14));
  for (const double gain : gather(value(model.gain_))) CHECK(gain == 1.0);
}

TEST_CASE("the learning rate rises along a line and falls along a cosine") {
  const CosineSchedule rate{2.0, 0.5, 4, 12};
  CHECK(rate(0) == 0.5);
  CHECK(rate(1) == 1.0);
  CHECK(rate(3) == 2.0);
  CHECK(rate(4) == 2.0);
  CHECK(rate(6) == doctest::Approx(0.5 + 1.5 * (1 + std::sqrt(0.5)) / 2).epsilon(1e-14));
  CHECK(rate(8) == doctest::Approx(1.25).epsilon(1e-14));
  CHECK(rate(12) == 0.5);
  CHECK(rate(100) == 0.5);
  for (int step = 4; step < 12; ++step) CHECK(rate(step + 1) < rate(step));
  const CosineSchedule no_warm_up{1.0, 0.0, 0, 1};
  CHECK(no_warm_up(0) == 1.0);
  CHECK(no_warm_up(1) == 0.0);
  const CosineSchedule all_warm_up{1.0, 0.0, 4, 2};
  CHECK(all_warm_up(1) == 0.5);
  CHECK(all_warm_up(9) == 0.0);
}
