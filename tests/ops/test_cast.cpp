// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/autodiff/backward.hpp>
#include <tpx/comm/shared_memory.hpp>
#include <tpx/ops/add.hpp>
#include <tpx/ops/cast.hpp>
#include <tpx/ops/redistribute_async.hpp>

#include <cstdint>
#include <type_traits>
#include <vector>

#include "support/check_op.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

Values rounded(Values x) {
  for (double& v : x) v = static_cast<float>(bfloat16(v));
  return x;
}

constexpr bool has_terms(Spec spec) { return !detail::no_axis_is(spec, Kind::partial); }

/// Bytes that this rank's collectives have moved.
std::int64_t sent(const comm::CommLog& log) {
  std::int64_t n = 0;
  for (const comm::CommEntry& entry : log.entries()) n += entry.bytes;
  return n;
}

/// There and back in bfloat16: to the bit where nothing is summed, else near, because each of up to four terms,
/// of up to four in size, was rounded.
template <class To, class From, class Mesh>
void there_and_back(const Mesh& mesh, From from) {
  const Shape shape{13, 24};
  const Values x = rounded(random_values(13 * 24, 1)), dy = rounded(random_values(13 * 24, 2));
  Tape<Mesh> tape(mesh);
  const auto leaf = tape.watch(put(mesh, given<bfloat16>(from, {13, 24}, x)));
  const auto y = redistribute<To>(leaf);
  constexpr Spec a = decltype(leaf)::spec, b = decltype(y)::spec;
  constexpr double near = has_terms(a) || has_terms(b) || has_terms(dual(a)) || has_terms(dual(b)) ? 0.05 : 0;
  CAPTURE(leaf.describe());
  CAPTURE(y.describe());
  CHECK(off(gather(y), x) <= near);
  if (!has_terms(b)) CHECK(off(local_values(y), shard_of<double>(shape, b, mesh.grid(), x)) <= near);
  backward(y, put(mesh, Given<bfloat16, 2, dual_t<typename decltype(y)::layout_type>>{shape, dy}));
  CHECK(off(gather(tape.gradient(leaf)), dy) <= near);
}

template <class Mesh>
void all_moves(const Mesh& mesh) {
  const auto go = [&]<class To, class From>(From from, To) { there_and_back<To>(mesh, from); };
  go(layout<Shard<1, tp>>, layout<Replicate<tp>>);
  go(layout<Shard<0, Balanced, tp>>, layout<>);
  go(layout<Shard<0, Balanced, tp>>, layout<Shard<1, tp>>);
  go(layout<Partial<tp>>, layout<>);
  go(layout<Partial<tp>>, layout<Shard<0, Balanced, tp>>);
  go(layout<Shard<1, tp>>, layout<Partial<tp>>);
  go(layout<Partial<dp, tp>>, layout<Replicate<dp>>);
  go(layout<Shard<1, dp, tp>>, layout<Shard<1, tp, dp>>);
}

/// Column- and row-parallel layers whose activations are split over the rows between them.
struct Layers {
  template <class Element, class To, class X>
  static auto as(const X& x) {
    return cast<float>(redistribute<To>(cast<Element>(x)));
  }
  /// The terms of the row-parallel product are summed in float, in a reduce-scatter: only their sums are
  /// rounded.
  template <class Element, class X, class W>
  static auto run(const X& x, const W& w1, const W& w2) {
    const auto h = gelu(matmul(as<Element, Replicate<tp>>(x), redistribute<Shard<1, tp>>(w1)));
    return as<Element, Invariant<tp>>(redistribute<Shard<0, tp>>(matmul(h, redistribute<Shard<0, tp>>(w2))));
  }
};

}  // namespace

TEST_CASE("redistribute in bfloat16 and its backward, over MPI and through shared memory") {
  for_each_mesh([](const World&, const auto& mesh) { all_moves(mesh); });
  const comm::SharedMemory node = comm::SharedMemory::over(comm::Mpi::world());
  all_moves(make_mesh<dp, tp>(node, {ranks() == 4 ? 2 : 1, 0}));

  // Rounded after each addition the sum would stay 256: 257 lies between 256 and 258, of which the former is
  // even.
  const auto mesh = make_mesh<tp>(node);
  const auto x = detail::make_tensor<bfloat16, 2, layout_t<Partial<tp>>>(mesh, Shape{3, 24});
  const std::vector<bfloat16> terms(3 * 24, bfloat16(mesh.rank() == 0 ? 256 : 1));
  detail::copy_from_host(mesh, terms.data(), x.data(), 3 * 24);
  const std::vector<bfloat16> sums(3 * 24, bfloat16(255 + ranks()));
  CHECK(gather(x) == sums);
  CHECK(gather(redistribute<Shard<1, tp>>(x)) == sums);
}

TEST_CASE("cast rounds to the nearest, and its gradient is cast back and adds up") {
  for_each_mesh([]<class Mesh>(const World& world, const Mesh& mesh) {
    const Values x = random_values(12 * 24, 1), dy = random_values(12 * 24, 2);
    Tape<Mesh> tape(mesh);
    const auto leaf = tape.watch(put(mesh, given<double>(layout<Shard<0, dp>>, {12, 24}, x)));
    world.log().clear();
    const auto y = cast<double>(cast<bfloat16>(leaf));
    static_assert(std::is_same_v<decltype(cast<double>(leaf)), std::decay_t<decltype(leaf)>>);
    const auto z = redistribute<Shard<0, dp>>(y);
    CHECK(off(gather(z), rounded(x)) == 0);
    const auto w = put(mesh, given<double>(layout<Shard<0, dp>>, {12, 24}, dy));
    backward(add(matmul<2>(y, w), matmul<2>(cast<double>(cast<float>(leaf)), w)));
    Values expected = rounded(dy);
    for (std::size_t i = 0; i < dy.size(); ++i) expected[i] += static_cast<float>(dy[i]);
    CHECK(off(gather(tape.gradient(leaf)), expected) == 0);
  });
}

TEST_CASE("terms become double one by one, which no rounding hides") {
  for_each_mesh([]<class Mesh>(const World&, const Mesh& mesh) {
    const Values x = random_values(24, 1), dy = random_values(24, 2);
    Tape<Mesh> tape(mesh);
    const auto leaf = tape.watch(put(mesh, given<float>(layout<Partial<tp>>, {24}, x)));
    const auto y = cast<double>(leaf);
    static_assert(std::is_same_v<typename decltype(y)::layout_type, layout_t<Partial<tp>>>);
    CHECK(off(gather(y), x) <= 1e-6);
    backward(y, put(mesh, given<double>(layout<Replicate<tp>>, {24}, dy)));
    CHECK(off(gather(tape.gradient(leaf)), Values(as_double(std::vector<float>(dy.begin(), dy.end())))) == 0);
  });
}

TEST_CASE("parallel layers that send activations and gradients in bfloat16, in half the bytes") {
  for_each_mesh([]<class Mesh>(const World& world, const Mesh& mesh) {
    const Values x = random_values(24 * 12, 1), w1 = random_values(12 * 24, 2), w2 = random_values(24 * 12, 3);
    const Values dy = random_values(24 * 12, 4);
    std::vector<Values> found[2];
    std::int64_t bytes[2];
    const auto run = [&]<class Element>(Element, std::size_t i) {
      Tape<Mesh> tape(mesh);
      const auto a = tape.watch(put(mesh, given<float>(layout<Shard<0, tp>>, {24, 12}, x)));
      const auto b = tape.watch(put(mesh, given<float>(layout<Replicate<tp>>, {12, 24}, w1)));
      const auto c = tape.watch(put(mesh, given<float>(layout<Replicate<tp>>, {24, 12}, w2)));
      world.log().clear();
      const auto y = Layers::run<Element>(a, b, c);
      const auto loss = weighted_sum(y, dy);
      backward(loss);
      bytes[i] = sent(world.log());
      found[i] = {whole(y), whole(tape.gradient(a)), whole(tape.gradient(b)), whole(tape.gradient(c))};
    };
    run(float(), 0);
    run(bfloat16(), 1);
    for (std::size_t i = 0; i < 4; ++i) {
      CAPTURE(i);
      CHECK(off(found[1][i], found[0][i]) <= 0.03);
      CHECK(off(found[1][i], found[0][i]) > 0);
    }
    // Of 24 x 12 numbers: gathered twice and their gradient reduced once in bfloat16; reduced once, and the
    // gradient gathered once, in float.
    CHECK(bytes[0] == (mesh.template size<tp>() > 1 ? 5 * 24 * 12 * 4 : 0));
    CHECK(bytes[1] == (mesh.template size<tp>() > 1 ? (3 * 2 + 2 * 4) * 24 * 12 : 0));
  });
}

TEST_CASE("bfloat16 goes while one computes") {
  for_each_mesh([]<class Mesh>(const World&, const Mesh& mesh) {
    const Values x = rounded(random_values(12 * 24, 1));
    const auto split = put(mesh, given<bfloat16>(layout<Shard<0, tp>>, {12, 24}, x));
    auto gathered = redistribute_async<Replicate<tp>>(split);
    auto summed =
        redistribute_async<Shard<1, tp>>(put(mesh, given<bfloat16>(layout<Partial<tp>>, {12, 24}, x)));
    CHECK(off(gather(gathered.wait()), x) == 0);
    CHECK(off(gather(summed.wait()), x) <= 0.05);
  });
}
