// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A layout says what the ranks hold; redistribute changes it. A walk along the table of moves, with the plan
// that the compiler made for each step beside what was sent at run time.

#include <tpx/tpx.hpp>

#include "support/check.hpp"

using namespace tpx;
using namespace tpx::axes;

// The entry x[i, j], whatever the layout.
static double entry(std::array<std::int64_t, 2> i) { return static_cast<double>(24 * i[0] + i[1]); }

// Whether each rank holds its part of the tensor. What is Partial is held in terms, so it is summed first.
template <class X>
bool holds_its_part(const X& x) {
  const Distribution part = x.distribution();
  const auto local = local_values(x);  // row-major
  if constexpr (detail::no_axis_is(X::spec, Kind::partial)) {
    for (std::int64_t i = 0; i < part.piece(0).extent; ++i)
      for (std::int64_t j = 0; j < part.piece(1).extent; ++j)
        if (local[static_cast<std::size_t>(i * part.piece(1).extent + j)] !=
            entry({part.to_global(0, {i}).value, part.to_global(1, {j}).value}))
          return false;
  }
  const auto whole = gather(x);
  for (std::int64_t i = 0; i < 12; ++i)
    for (std::int64_t j = 0; j < 24; ++j)
      if (whole[static_cast<std::size_t>(24 * i + j)] != entry({i, j})) return false;
  return true;
}

// Changes x's layout, prints the plan, and compares what it costs with what was counted.
template <class... To, class X>
auto step(const X& x, comm::CommLog& log, bool& ok) {
  log.clear();
  auto y = redistribute<To...>(x);
  using Y = decltype(y);
  constexpr Plan plan = plan_v<X::spec.bits, Y::spec.bits>;  // a constant: the layouts are types
  std::int64_t planned = 0, sent = 0;
  std::string moves;
  for (int i = 0; i < plan.count; ++i) {
    planned += elements(plan.step[i], x.shape(), x.mesh().grid());
    moves += std::string(i > 0 ? ", " : "") + name(plan.step[i].move);
  }
  for (const comm::CommEntry& entry : log.entries()) sent += entry.elements;
  ok = ok && planned == sent && holds_its_part(y);
  if (x.mesh().rank() == 0)
    std::cout << x.describe() << "  ->  " << y.describe() << ":  " << moves << "; elements planned " << planned
              << ", counted " << sent << std::endl;
  return y;
}

int main(int argc, char** argv) {
  Environment env(argc, argv);
  return env.run([&] {
    const comm::Recording world(env.world());  // counts every collective
    const int ranks = world.size();
    const auto mesh = make_mesh<dp, tp>(world, {ranks % 2 == 0 ? 2 : 1, 0});
    comm::CommLog& log = world.log();
    bool ok = true;

    // A layout is one type, however it is written; axes that are not named are Invariant.
    static_assert(std::is_same_v<layout_t<Replicate<tp>, Shard<0, dp>>, layout_t<Shard<0, dp>, Replicate<tp>>>);
    static_assert(std::is_same_v<layout_t<Shard<0, dp>, Invariant<tp>>, layout_t<Shard<0, dp>>>);

    auto x = from_function<double>(mesh, layout<Shard<0, dp>>, {12, 24}, entry);  // f64[12@dp,24]
    ok = ok && holds_its_part(x);

    auto s = step<Shard<1, tp>>(x, log, ok);   // f64[12@dp,24@tp]        I -> S
    auto r = step<Replicate<tp>>(s, log, ok);  // f64[12@dp,24]{R:tp}     S -> R
    auto p = step<Partial<tp>>(r, log, ok);    // f64[12@dp,24]{P:tp}     R -> P
    auto n = step<Shard<0, tp>>(p, log, ok);   // f64[12@dp@tp,24]        P -> S, nested in dp's pieces
    auto t = step<Shard<1, tp>>(n, log, ok);   // f64[12@dp,24@tp]        S(0) -> S(1)
    auto q = step<Partial<tp>>(t, log, ok);    // f64[12@dp,24]{P:tp}     S -> P
    auto i = step<Invariant<tp>>(q, log, ok);  // f64[12@dp,24]           P -> I
    auto f = step<Replicate<tp>>(i, log, ok);  // f64[12@dp,24]{R:tp}     I -> R
    auto b = step<Invariant<tp>>(f, log, ok);  // f64[12@dp,24]           R -> I
    // A whole layout instead of one placement: both axes change.
    auto turned = step<layout_t<Shard<1, dp>, Replicate<tp>>>(b, log, ok);  // f64[12,24@dp]{R:tp}
    auto back = step<layout_t<>>(turned, log, ok);                          // f64[12,24]

    ok = ok && local_values(back) == gather(x);
    return example::finish("02_layout", example::sizes(mesh), ok, {{"elements", back.local_count()}});
  });
}
