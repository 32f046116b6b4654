// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the ranks compare of a local region when they are asked to.
#undef TPX_CHECK_LEVEL
#define TPX_CHECK_LEVEL 3
#include <tpx/autodiff/backward.hpp>
#include <tpx/ops/local_region.hpp>
#include <tpx/ops/reduce.hpp>

#include "support/distributed.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

/// y = x, but on one rank one element of the result, or of the gradient, is off by a bit.
struct Copy {
  bool off_here, off_backward;

  template <class Exec, class X, class Y>
  void forward(const Exec&, const X& x, const Y& y) const {
    for (std::size_t i = 0; i < x.extent(0); ++i) y(i) = x(i);
    if (off_here && !off_backward) y(1) = std::nextafter(y(1), 100.0);
  }
  template <class Exec, class X, class DY, class DX>
  void backward(const Exec&, const X& x, const DY& dy, const DX& dx) const {
    for (std::size_t i = 0; i < x.extent(0); ++i) dx(i) += dy(i);
    if (off_here && off_backward) dx(1) = std::nextafter(dx(1), 100.0);
  }
};

}  // namespace

TEST_CASE("values that are declared the same and differ are refused on every rank, forward and backward") {
  for_each_mesh([&](const World& world, const auto& mesh) {
    const auto x = full<double>(mesh, layout<>, {3}, 0.5);
    for (int odd = 0; odd < mesh.size(); ++odd) {
      CAPTURE(odd);
      const bool here = mesh.rank() == odd;
      const auto region = [&](const auto& a, bool in_backward) {
        return local_region(Copy{here, in_backward}, takes(layout<>), gives<double>(layout<>, {3}), a);
      };
      Tape tape(mesh);
      const auto leaf = tape.watch(x);
      const std::int64_t before = calls(world.log());
      if (mesh.size() == 1) {
        backward(sum(region(leaf, false)));
        CHECK(calls(world.log()) == before);
        continue;
      }
      CHECK_THROWS_WITH_AS(region(leaf, false),
                           doctest::Contains("result 0 is declared Invariant or Replicate on dp,tp"), Error);
      CHECK(calls(world.log()) == before + 2);  // of the operand, and of the result
      const auto y = region(leaf, true);
      CHECK_THROWS_WITH_AS(backward(sum(y)), doctest::Contains("the gradient of operand 0 is declared"), Error);
      // What is declared terms, or pieces, may differ.
      const auto terms =
          local_region(Copy{here, false}, takes(layout<>), gives<double>(layout<Partial<dp, tp>>, {3}), x);
      CHECK(terms.local()(0) == 0.5);
      // An operand that is declared the same may not, whatever the results are.
      const auto piece = zeros<double>(mesh, layout<Shard<0, dp, tp>>, {3 * mesh.size()});
      const auto weight = full<double>(mesh, layout<Replicate<dp, tp>>, {3}, 0.5);
      const auto add = [&] {
        return local_region(
            [](const auto&, const auto& a, const auto& b, const auto& sum) {
              for (std::size_t i = 0; i < 3; ++i) sum(i) = a(i) + b(i);
            },
            takes(layout<Shard<0, dp, tp>>, layout<Replicate<dp, tp>>),
            gives<double>(layout<Shard<0, dp, tp>>, {3 * mesh.size()}), piece, weight);
      };
      CHECK(add().local()(2) == 0.5);
      if (here) weight.local()(2) = 0.25;
      CHECK_THROWS_WITH_AS(add(), doctest::Contains("operand 1 is declared Invariant or Replicate on dp,tp"),
                           Error);
    }
  });
}
