// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include <tpx/comm/mpi.hpp>
#include <tpx/comm/recording.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>

#include "support/mpi_doctest.hpp"

/// Tensors in any layout, made of values that every rank knows, and compared with values that every rank
/// knows.
namespace tpx::test {

using Values = std::vector<double>;
using World = comm::Recording<comm::Mpi>;

inline World world() { return World(comm::Mpi::world()); }

/// Calls f(world, mesh) for the meshes <dp, tp> of this launch: 1 x p, p x 1 and 2 x p/2.
template <class F>
void for_each_mesh(F&& f) {
  const World all = world();
  const int p = all.size();
  std::vector<std::vector<int>> meshes{{1, p}};
  if (p > 1) meshes.push_back({p, 1});
  if (p > 2 && p % 2 == 0) meshes.push_back({2, p / 2});
  for (const auto& sizes : meshes) {
    CAPTURE(sizes[0]);
    CAPTURE(sizes[1]);
    f(all, make_mesh<axes::dp, axes::tp>(all, sizes));
  }
}

inline std::int64_t calls(const comm::CommLog& log) {
  std::int64_t n = 0;
  for (const comm::CommEntry& entry : log.entries()) n += entry.calls;
  return n;
}

/// In (-1, 1), the same on every rank.
inline Values random_values(std::int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(-1.0, 1.0);
  Values values(static_cast<std::size_t>(n));
  for (double& v : values) v = uniform(random);
  return values;
}

/// The largest difference, over the largest expected value; infinite where the sizes differ or a value is
/// no number.
template <class T>
double off(const std::vector<T>& is, const Values& expected) {
  if (is.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double difference = 0, largest = 0;
  for (std::size_t i = 0; i < is.size(); ++i) {
    const double d = std::fabs(static_cast<double>(is[i]) - expected[i]);
    if (!(d <= difference)) difference = std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
    largest = std::fmax(largest, std::fabs(expected[i]));
  }
  return largest > 0 ? difference / largest : difference;
}

/// Term number `number` of `terms` that add up to `value`: of either sign, of its own size, another for each
/// element.
inline double term(double value, std::int64_t at, int number, int terms) {
  double rest = value;
  for (int m = 0; m + 1 < terms; ++m) {
    const double t = (m + 1.5) * std::sin(1.7 * static_cast<double>(at) + 2.3 * m + 0.5);
    if (m == number) return t;
    rest -= t;
  }
  return rest;
}

/// For each element of a rank's shard, in order: its place in the whole, row-major tensor.
template <class F>
void for_each_element(const Distribution& d, F&& f) {
  const Shape local = d.local();
  for (std::int64_t i = 0; i < local.count(); ++i) {
    std::int64_t rest = i, at = 0, stride = 1;
    for (int dim = d.ndim() - 1; dim >= 0; --dim) {
      at += d.to_global(dim, {rest % local[dim]}).value * stride;
      rest /= local[dim];
      stride *= d.global()[dim];
    }
    f(i, at);
  }
}

/// What this rank holds of `whole` in a layout: S its piece, I and R the value, P its term.
template <class T>
std::vector<T> shard_of(const Shape& shape, Spec spec, const Grid& grid, const Values& whole) {
  int number = 0, terms = 1;
  for (int a = 0; a < grid.axes; ++a) {
    if (spec[a].kind != Kind::partial) continue;
    number = number * grid.size[a] + grid.coordinate[a];
    terms *= grid.size[a];
  }
  const Distribution d(shape, spec, grid);
  std::vector<T> values(static_cast<std::size_t>(d.local().count()));
  for_each_element(d, [&](std::int64_t i, std::int64_t at) {
    values[static_cast<std::size_t>(i)] =
        static_cast<T>(term(whole[static_cast<std::size_t>(at)], at, number, terms));
  });
  return values;
}

inline unsigned axes_in(Spec spec, const Grid& grid, bool (*is)(Kind)) {
  unsigned mask = 0;
  for (int a = 0; a < grid.axes; ++a)
    if (is(spec[a].kind)) mask |= 1u << a;
  return mask;
}

/// How far what the ranks hold is from being `whole` in this layout, by the definition of the states.
template <class World, class Mesh>
double off_layout(const World& world, const Mesh& mesh, const Shape& shape, Spec spec, const Buffer& shard,
                  const Values& whole) {
  const Grid& grid = mesh.grid();
  const Distribution d(shape, spec, grid);
  const std::int64_t n = d.local().count();
  Values local(static_cast<std::size_t>(n));
  detail::copy_to_host(mesh, static_cast<const double*>(shard.as<double>()), local.data(), n);
  double worst = 0;
  const auto differ = [&](double is, double expected) { worst = std::fmax(worst, std::fabs(is - expected)); };
  if (axes_in(spec, grid, [](Kind k) { return k == Kind::partial; }) == 0) {
    // Pieces of the value, or the value itself.
    for_each_element(d, [&](std::int64_t i, std::int64_t at) {
      differ(local[static_cast<std::size_t>(i)], whole[static_cast<std::size_t>(at)]);
    });
    return worst;
  }
  // I and R: the same on all ranks along these axes.
  const unsigned same =
      axes_in(spec, grid, [](Kind k) { return k == Kind::invariant || k == Kind::replicate; });
  if (grid.ranks(same) > 1) {
    Values most = local;
    mesh.communicator(same).inner().all_reduce(local.data(), most.data(), n, Element::f64,
                                               comm::Reduction::max);
    for (std::size_t i = 0; i < local.size(); ++i) differ(local[i], most[i]);
  }
  // What the first of those hold adds up to the value.
  bool first = true;
  for (int a = 0; a < grid.axes; ++a) first = first && (!(same >> a & 1u) || grid.coordinate[a] == 0);
  Values sum(whole.size(), 0.0);
  if (first)
    for_each_element(d, [&](std::int64_t i, std::int64_t at) {
      sum[static_cast<std::size_t>(at)] = local[static_cast<std::size_t>(i)];
    });
  world.inner().all_reduce(sum.data(), sum.data(), static_cast<std::int64_t>(sum.size()), Element::f64,
                           comm::Reduction::sum);
  for (std::size_t i = 0; i < sum.size(); ++i) differ(sum[i], whole[i]);
  return worst;
}

/// A tensor as a test describes it: its layout, extents and values.
template <class T, int N, class L>
struct Given {
  Shape shape;
  Values values;
};

template <class T, class... Placements, std::size_t N>
auto given(Layout<Placements...>, const std::int64_t (&extents)[N], Values values) {
  Shape shape;
  for (const std::int64_t e : extents) shape.push_back(e);
  return Given<T, static_cast<int>(N), layout_t<Placements...>>{shape, std::move(values)};
}

template <class Mesh, class T, int N, class L>
DTensor<T, N, L, Mesh> put(const Mesh& mesh, const Given<T, N, L>& x) {
  auto tensor = detail::make_tensor<T, N, L>(mesh, x.shape);
  const std::vector<T> mine = shard_of<T>(x.shape, tensor.spec, mesh.grid(), x.values);
  detail::copy_from_host(mesh, mine.data(), tensor.data(), tensor.local_count());
  return tensor;
}

}  // namespace tpx::test
