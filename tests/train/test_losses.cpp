// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "support/distributed.hpp"
#include "train/training.hpp"

using namespace tpx;
using namespace tpx::test;

TEST_CASE_TEMPLATE("the same run on every mesh: parameters bit for bit, fifty losses to rounding", T, float,
                   double) {
  auto alone = train_alone<T>();
  const auto parameters = alone.parameters();
  const std::vector<double> losses = alone.losses(50);
  CHECK(losses.front() == doctest::Approx(3.8).epsilon(0.02));  // ln 45
  CHECK(losses.back() < losses.front() / 2);                    // it learns
  for_each_mesh([&](const World&, const auto& mesh) {
    Training training(mesh, T());
    TPX_REQUIRE_ALL(training.parameters() == parameters);
    const std::vector<double> here = training.losses(50);
    CAPTURE(drift(here, losses));
    CHECK(drift(here, losses) <= allowed_drift<T>);
  });
}
