// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An op of one's own: Swish with a learned slope for each feature (arXiv:1710.05941). It states its factors and
// that it is linear in nothing; which layouts it takes, what it gives and what its gradient is follow from
// that.
//
//   y[b,h] = x[b,h] s(g[h] x[b,h]),   s(u) = 1 / (1 + exp(-u))

#include <tpx/tpx.hpp>

#include "support/check.hpp"

using namespace tpx;
using namespace tpx::axes;

KOKKOS_FUNCTION static double sigmoid(double u) { return 1 / (1 + math::exp(-u)); }

struct Swish {
  static constexpr OpRule rule = op_rule("b h, h -> b h", Linearity::nonlinear, {2, 1});

  template <class Exec, class X, class G, class Y>
  void forward(const Exec& exec, const X& x, const G& g, const Y& y) const {
    Kokkos::parallel_for(
        "swish", rows(exec, x), KOKKOS_LAMBDA(int b, int h) { y(b, h) = x(b, h) * sigmoid(g(h) * x(b, h)); });
  }
  // Adds to dx and dg, which have the layouts dual to those of x and g: the sum over b is the rank's own.
  template <class Exec, class X, class G, class DY, class DX, class DG>
  void backward(const Exec& exec, const X& x, const G& g, const DY& dy, const DX& dx, const DG& dg) const {
    Kokkos::parallel_for(
        "swish backward", rows(exec, x), KOKKOS_LAMBDA(int b, int h) {
          const double s = sigmoid(g(h) * x(b, h)), slope = x(b, h) * s * (1 - s);
          dx(b, h) += dy(b, h) * (s + g(h) * slope);
          Kokkos::atomic_add(&dg(h), dy(b, h) * x(b, h) * slope);
        });
  }

  template <class Exec, class X>
  static auto rows(const Exec& exec, const X& x) {
    return Kokkos::MDRangePolicy<Exec, Kokkos::Rank<2>>(
        exec, {0, 0}, {static_cast<int>(x.extent(0)), static_cast<int>(x.extent(1))});
  }
};

int main(int argc, char** argv) {
  Environment env(argc, argv);
  return env.run([&] {
    const comm::Mpi world = env.world();
    const auto mesh = make_mesh<dp, tp>(world, {world.size() % 2 == 0 ? 2 : 1, 0});
    const std::int64_t batch = 12, features = 24;

    // Samples over dp, features over tp. The slopes are Replicate on dp, so their gradient is Partial there.
    auto x = normal<double>(mesh, layout<Shard<0, dp>, Shard<1, tp>>, {batch, features}, {5});
    auto g = make_parameter("g", normal<double>(mesh, layout<Replicate<dp>, Shard<0, tp>>, {features}, {6}));

    Tape tape(mesh);
    auto in = tape.watch(x);
    auto y = user_op(Swish{}, in, g);  // f64[12@dp,24@tp]
    auto loss = sum(multiply(y, y));   // f64[]{P:dp,tp}
    backward(loss);
    auto dg = gradient(g);  // f64[24@tp]{P:dp}
    static_assert(std::is_same_v<decltype(y)::layout_type, layout_t<Shard<0, dp>, Shard<1, tp>>>);
    static_assert(std::is_same_v<decltype(dg)::layout_type, layout_t<Shard<0, tp>, Partial<dp>>>);

    // In plain loops.
    const auto xs = gather(x);
    const auto gs = gather(g);
    std::vector<double> want_y(xs.size()), want_dx(xs.size()), want_dg(gs.size());
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const std::size_t h = i % gs.size();
      const double s = 1 / (1 + std::exp(-gs[h] * xs[i])), slope = xs[i] * s * (1 - s), dy = 2 * xs[i] * s;
      want_y[i] = xs[i] * s;
      want_dx[i] = dy * (s + gs[h] * slope);
      want_dg[h] += dy * xs[i] * slope;
    }
    const double off_y = example::difference(gather(detach(y)), want_y);
    const double off_dx = example::difference(gather(tape.gradient(in)), want_dx);
    const double off_dg = example::difference(gather(redistribute<Invariant<dp>>(dg)), want_dg);
    if (mesh.rank() == 0) std::cout << "y " << y.describe() << ", d/d g " << dg.describe() << std::endl;
    const bool ok = off_y < 1e-12 && off_dx < 1e-12 && off_dg < 1e-12;
    return example::finish("08_user_op", example::sizes(mesh), ok, {{"difference", off_dg}});
  });
}
