// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/autodiff/backward.hpp>
#include <tpx/autodiff/tape.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tpx/ops/add.hpp>
#include <tpx/ops/cross_entropy.hpp>
#include <tpx/ops/dropout.hpp>
#include <tpx/ops/embedding.hpp>
#include <tpx/ops/layer_norm.hpp>
#include <tpx/ops/matmul.hpp>
#include <tpx/ops/pointwise.hpp>
#include <tpx/ops/recompute.hpp>
#include <tpx/ops/redistribute.hpp>

#include "comm/count_allocations.hpp"
#include "support/distributed.hpp"
#include "support/reference.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

constexpr std::int64_t n = 12;
const Values x0 = random_values(n * n, 1), w0 = random_values(n * n, 2), g0 = random_values(n * n, 3);

Values sum(Values a, const Values& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

template <class Mesh, class L>
auto square(const Mesh& mesh, L l, const Values& v) {
  return put(mesh, given<double>(l, {n, n}, v));
}

/// sum(y * g0): with y Invariant.
template <class Y>
auto loss_of(const Y& y) {
  return matmul<2>(y, square(y.mesh(), layout<>, g0));
}

template <class F>
void on_a_mesh(F&& f) {
  const World all = world();
  f(all, make_mesh<dp, tp>(all, {all.size() % 2 == 0 ? 2 : 1, 0}));
}

/// An embedding, a norm, a product that shares the table (tied), and a loss: everything that a language model
/// does, once.
template <class Mesh>
struct Model {
  Mesh mesh;
  Parameter<double, 2, layout_t<Replicate<dp>, Shard<0, tp>>, Mesh> table =
      make_parameter("table", normal<double>(mesh, layout<Replicate<dp>, Shard<0, tp>>, {24, 8}, {1, 1}));
  Parameter<double, 1, layout_t<Replicate<dp>>, Mesh> gamma =
      make_parameter("gamma", uniform<double>(mesh, layout<Replicate<dp>>, {8}, {1, 2}, 0.5, 1.5));
  Parameter<double, 1, layout_t<Replicate<dp>>, Mesh> beta =
      make_parameter("beta", zeros<double>(mesh, layout<Replicate<dp>>, {8}));
  Parameter<double, 2, layout_t<Replicate<dp>, Shard<1, tp>>, Mesh> head =
      make_parameter("head", normal<double>(mesh, layout<Replicate<dp>, Shard<1, tp>>, {8, 24}, {1, 3}));

  template <class Ids, class Targets>
  auto operator()(const Ids& ids, const Targets& targets) const {
    const auto e = redistribute<Invariant<tp>>(embedding(ids, table));
    const auto h = redistribute<Replicate<tp>>(gelu(layer_norm(e, gamma, beta)));
    return cross_entropy<over<tp>>(matmul(h, head), targets);
  }
  void reset() const {
    table.track().state->filled = gamma.track().state->filled = beta.track().state->filled =
        head.track().state->filled = false;
  }
};

template <class Mesh>
auto ids_on(const Mesh& mesh, std::int64_t first, std::int64_t rows, std::int64_t factor) {
  return from_function<std::int32_t>(mesh, layout<Shard<0, dp>>, {rows, 4},
                                     [=](const auto& i) { return ((first + i[0]) * 5 + i[1] * factor) % 24; });
}

}  // namespace

TEST_CASE("the gradient of a watched leaf, of its dual layout") {
  on_a_mesh([](const World&, const auto& mesh) {
    Tape<std::decay_t<decltype(mesh)>> tape(mesh);
    const auto x = tape.watch(square(mesh, layout<Replicate<tp>>, x0));
    const auto w = tape.watch(square(mesh, layout<Shard<0, tp>>, w0));
    const auto y = redistribute<Invariant<tp>>(matmul(redistribute<Shard<1, tp>>(x), w));
    CHECK(tape.size() == 3);
    backward(loss_of(y));
    const auto g = reference::matmul_backward(x0, w0, g0, n, n, n);
    const auto dx = tape.gradient(x);
    static_assert(std::is_same_v<typename decltype(dx)::layout_type, layout_t<Partial<tp>>>);
    CHECK(off(gather(dx), g.da) <= 1e-12);
    CHECK(off(gather(tape.gradient(w)), g.db) <= 1e-12);
    CHECK(tape.size() == 0);
  });
}

TEST_CASE("an intermediate that is used twice gets the sum of its gradients, whoever is first") {
  // y = a w + a + a with a = x + x: the sums share their gradient's memory, the product adds to it.
  const Values da = sum(sum(reference::matmul_backward(x0, w0, g0, n, n, n).da, g0), g0);
  on_a_mesh([&](const World&, const auto& mesh) {
    for (const bool product_first : {true, false}) {
      CAPTURE(product_first);
      Tape<std::decay_t<decltype(mesh)>> tape(mesh);
      const auto x = tape.watch(square(mesh, layout<>, x0));
      const auto bystander = tape.watch(square(mesh, layout<>, w0));
      const auto w = square(mesh, layout<>, w0);
      const auto a = add(x, x);
      const auto b = product_first ? add(add(matmul(a, w), add(a, bystander)), a)
                                   : add(add(a, bystander), add(a, matmul(a, w)));
      backward(loss_of(b));
      CHECK(off(gather(tape.gradient(x)), sum(da, da)) <= 1e-12);
      CHECK(off(gather(tape.gradient(bystander)), g0) <= 1e-12);  // what a got was not added to it
    }
  });
}

TEST_CASE("a parameter that is used twice is tied: its gradients add") {
  on_a_mesh([](const World&, const auto& mesh) {
    Tape<std::decay_t<decltype(mesh)>> tape(mesh);
    const auto w = make_parameter("w", square(mesh, layout<>, w0));
    const auto x = square(mesh, layout<>, x0);
    const auto h = matmul(tape.input(x), w);
    backward(loss_of(matmul(h, w)));
    const Values hidden = reference::matmul(x0, w0, n, n, n);
    const auto second = reference::matmul_backward(hidden, w0, g0, n, n, n);
    const auto first = reference::matmul_backward(x0, w0, second.da, n, n, n);
    CHECK(off(gather(gradient(w)), sum(first.db, second.db)) <= 1e-12);
  });
}

TEST_CASE("a parameter alone is put on the tape by input: an op on it is recorded") {
  on_a_mesh([](const World&, const auto& mesh) {
    Tape<std::decay_t<decltype(mesh)>> tape(mesh);
    const auto w = make_parameter("w", square(mesh, layout<Shard<0, tp>>, w0));
    const auto whole = redistribute<Invariant<tp>>(tape.input(w));  // gathered before use
    const auto y = add(matmul(square(mesh, layout<>, x0), whole), redistribute<Invariant<tp>>(tape.input(w)));
    backward(loss_of(y));
    const Values dw = sum(reference::matmul_backward(x0, w0, g0, n, n, n).db, g0);
    CHECK(off(gather(gradient(w)), dw) <= 1e-12);
    static_assert(std::is_same_v<typename decltype(gradient(w))::layout_type, layout_t<Shard<0, tp>>>);
  });
}

TEST_CASE("gradients over micro-batches add up to that of the batch") {
  on_a_mesh([](const World&, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    const Model<Mesh> model{mesh};
    Tape<Mesh> tape(mesh);
    const auto step = [&](std::int64_t first, std::int64_t rows, double share) {
      const auto loss = model(tape.input(ids_on(mesh, first, rows, 3)), ids_on(mesh, first, rows, 7));
      static_assert(std::is_same_v<typename decltype(loss)::layout_type, layout_t<Partial<dp>>>);
      backward(scale(loss, share));
      tape.clear();
    };
    step(0, 12, 1.0);
    const Values table = gather(gradient(model.table)), gamma = gather(gradient(model.gamma)),
                 head = gather(gradient(model.head));
    model.reset();
    for (const std::int64_t first : {0, 4, 8}) step(first, 4, 1.0 / 3);
    CHECK(off(gather(gradient(model.table)), table) <= 1e-12);
    CHECK(off(gather(gradient(model.gamma)), gamma) <= 1e-12);
    CHECK(off(gather(gradient(model.head)), head) <= 1e-12);
    CHECK(reference::Array(table) != Values(table.size(), 0.0));
  });
}

TEST_CASE("the gradients do not depend on how the loss comes together: Partial, Invariant by sum") {
  on_a_mesh([](const World&, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    const Model<Mesh> model{mesh};
    Tape<Mesh> tape(mesh);
    const auto ids = ids_on(mesh, 0, 12, 3), targets = ids_on(mesh, 0, 12, 7);
    const auto terms = model(tape.input(ids), targets);
    backward(terms);
    const Values table = gather(gradient(model.table)), beta = gather(gradient(model.beta));
    const double value = item(redistribute<Invariant<dp>>(terms));
    tape.clear();
    model.reset();
    const auto whole = redistribute<Invariant<dp>>(model(tape.input(ids), targets));
    backward(whole);
    CHECK(item(whole) == value);
    CHECK(gather(gradient(model.table)) == table);
    CHECK(gather(gradient(model.beta)) == beta);
  });
}

TEST_CASE("detach blocks, and what does not influence the loss has a gradient of zeros") {
  on_a_mesh([](const World&, const auto& mesh) {
    Tape<std::decay_t<decltype(mesh)>> tape(mesh);
    const auto x = tape.watch(square(mesh, layout<>, x0));
    const auto w = tape.watch(square(mesh, layout<>, w0));
    const auto idle = tape.watch(square(mesh, layout<Replicate<tp>>, w0));
    const auto unused = gelu(idle);
    const auto y = matmul(x, detach(gelu(w)));
    backward(loss_of(y));
    CHECK(off(gather(tape.gradient(x)), reference::matmul_backward(x0, reference::gelu(w0), g0, n, n, n).da) <=
          1e-12);
    CHECK(gather(tape.gradient(w)) == Values(n * n, 0.0));
    CHECK(gather(tape.gradient(idle)) == Values(n * n, 0.0));
    (void)unused;
  });
}

TEST_CASE("without a tape, without leaves, and after backward nothing is recorded") {
  on_a_mesh([](const World&, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    Tape<Mesh> tape(mesh);
    const auto w = make_parameter("w", square(mesh, layout<>, w0));
    const auto plain = matmul(square(mesh, layout<>, x0), w);
    static_assert(std::is_same_v<typename decltype(plain)::track_type, OffTape>);
    static_assert(std::is_same_v<typename decltype(detach(plain))::track_type, NoTape>);
    static_assert(sizeof(DTensor<double, 2, layout_t<>, Mesh>) <
                  sizeof(DTensor<double, 2, layout_t<>, Mesh, OnTape<Mesh>>));
    const auto y = gelu(tape.input(square(mesh, layout<>, x0)));
    CHECK(tape.size() == 0);
    const auto z = matmul(y, w);
    CHECK(tape.size() == 1);
    const auto loss = loss_of(z);
    backward(loss);
    (void)scale(loss, 2.0);
    CHECK(tape.size() == 0);
    CHECK(mesh.context().pool().in_use() > 0);
  });
}

TEST_CASE("what is recomputed has the gradients of what is kept, bit for bit, and keeps less") {
  // Operands with and without gradients, parameters inside and outside, one of them on both sides, a part in a
  // part, dropout, a branch that leads nowhere, and a value from outside.
  struct Outcome {
    std::vector<Values> gradients;
    std::vector<std::string> final;
    std::int64_t kept, calls;
    bool operator==(const Outcome&) const = default;
  };
  on_a_mesh([](const World& all, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    auto& pool = mesh.context().pool();
    const auto w = make_parameter("w", square(mesh, layout<Shard<0, tp>>, w0));
    const auto v = make_parameter("v", square(mesh, layout<>, x0));
    const auto u = make_parameter("u", square(mesh, layout<>, g0));
    int runs = 0;
    const auto run = [&](bool again, bool inner_again) {
      for (const auto& p : {u.track().state, v.track().state, w.track().state}) p->filled = false;
      runs = 0;
      all.log().clear();
      Tape<Mesh> tape(mesh);
      const auto x = tape.watch(square(mesh, layout<>, x0));
      const auto y = tape.watch(square(mesh, layout<>, w0));
      const auto constant = tape.input(square(mesh, layout<>, g0));
      const auto h = matmul(x, u);
      const auto part = [&](const auto& a, const auto& b, const auto& c, const auto& p) {
        ++runs;
        const auto inner = [&w](const auto& in) {
          const auto split = redistribute<Shard<1, tp>>(redistribute<Replicate<tp>>(in));
          return gelu(redistribute<Invariant<tp>>(matmul(split, w)));
        };
        const auto d = dropout(inner_again ? recompute(inner, a) : inner(a), 0.3, {5, 6});
        (void)gelu(b);
        return add(add(matmul(d, p), multiply(b, d)), add(h, c));
      };
      const std::int64_t before = pool.in_use();
      const auto z = again ? recompute(part, h, y, constant, v) : part(h, y, constant, v);
      Outcome o{{}, {}, pool.in_use() - before, 0};
      const auto loss = loss_of(matmul(z, v));
      backward(loss, [&](ParameterState& p) { o.final.push_back(p.name); });
      o.gradients = {gather(tape.gradient(x)), gather(tape.gradient(y)), gather(gradient(w)),
                     gather(gradient(v)), gather(gradient(u))};
      o.calls = all.log().total("tp", comm::Collective::all_reduce).calls;
      CHECK(tape.size() == 0);
      CHECK(runs == (again ? 2 : 1));
      return o;
    };
    const Outcome plain = run(false, false);
    for (const Values& g : plain.gradients) CHECK(*std::max_element(g.begin(), g.end()) > 0);
    for (const bool inner_again : {false, true}) {
      for (const bool again : {false, true}) {
        CAPTURE(again);
        CAPTURE(inner_again);
        const Outcome here = run(again, inner_again);
        CHECK(here.gradients == plain.gradients);
        std::vector<std::string> final = here.final;
        CHECK(final.back() == "u");  // used first
        std::sort(final.begin(), final.end());
        CHECK(final == std::vector<std::string>{"u", "v", "w"});
        if (again || inner_again) CHECK(here.kept < plain.kept);
        // Of the result, no more: rounded up by the pool.
        if (again) CHECK(here.kept <= 2 * n * n * std::int64_t{sizeof(double)});
        if (mesh.template size<tp>() > 1)
          CHECK(here.calls == plain.calls + (again ? 1 : 0) + (inner_again ? 1 : 0));
      }
    }
  });
}

TEST_CASE("recompute off the tape, after backward, and where there is nothing to keep is the function") {
  on_a_mesh([](const World&, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    Tape<Mesh> tape(mesh);
    const auto plain = square(mesh, layout<>, x0);
    const auto w = make_parameter("w", square(mesh, layout<>, w0));
    int runs = 0;
    const auto twice = [&](const auto& a) { return ++runs, gelu(gelu(a)); };
    static_assert(std::is_same_v<typename decltype(recompute(twice, plain))::track_type, NoTape>);
    static_assert(std::is_same_v<typename decltype(recompute(twice, w))::track_type, OffTape>);
    const Values expected = gather(twice(plain));
    CHECK(gather(recompute(twice, plain)) == expected);
    CHECK(gather(recompute(twice, tape.input(plain))) == expected);
    CHECK(tape.size() == 0);
    const auto x = tape.watch(plain);
    const auto same = recompute([](const auto& a) { return (void)gelu(a), a; }, x);
    const auto parameter = recompute([&](const auto& a) { return (void)gelu(a), tape.input(w); }, x);
    const auto cut = recompute([](const auto& a) { return detach(gelu(a)); }, x);
    const auto y = recompute(twice, x);
    const auto loss = loss_of(add(add(same, parameter), add(cut, y)));
    runs = 0;
    backward(loss);
    CHECK(runs == 1);
    CHECK(gather(gradient(w)) == g0);
    const Values dx = gather(tape.gradient(x));
    CHECK(gather(recompute(twice, x)) == expected);
    CHECK(tape.size() == 0);
    tape.clear();
    const auto again = tape.watch(plain);
    backward(loss_of(add(again, twice(again))));
    CHECK(dx == gather(tape.gradient(again)));
  });
}

TEST_CASE("what recompute cannot do again is an error, and the tape is as good as new after clear()") {
  on_a_mesh([](const World&, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    Tape<Mesh> tape(mesh);
    const auto plain = square(mesh, layout<>, x0);
    std::optional<DTensor<double, 2, layout_t<>, Mesh, OnTape<Mesh>>> inside;
    const auto leaks = [&](const auto& a) { return inside = gelu(a), gelu(*inside); };
    const auto x = tape.watch(plain);
    const auto y = recompute(leaks, x);
    CHECK_THROWS_WITH_AS(add(y, *inside), doctest::Contains("only the result is used outside"), Error);
    CHECK_THROWS_WITH_AS(recompute([&](const auto& a) { return add(gelu(a), tape.watch(plain)); }, x),
                         doctest::Contains("watched outside of what is recomputed"), Error);
    const auto fails_then = [&](const auto& f, const char* words) {
      tape.clear();
      const auto loss = loss_of(recompute(f, tape.watch(plain)));
      CHECK_THROWS_WITH_AS(backward(loss), doctest::Contains(words), Error);
      CHECK_THROWS_WITH_AS(backward(loss), doctest::Contains("backward runs once for each forward"), Error);
    };
    int runs = 0;
    fails_then([&](const auto& a) { return ++runs == 1 ? gelu(a) : a; },
               "what is recomputed is what was computed");
    const auto throws = [&](const auto& a) {
      const auto b = gelu(a);
      if (++runs == 4) fail("no more");
      return b;
    };
    fails_then(throws, "no more");
    tape.clear();
    const auto again = tape.watch(plain);
    backward(loss_of(recompute(throws, again)));
    CHECK(off(gather(tape.gradient(again)), reference::gelu_backward(x0, g0)) <= 1e-12);
  });
}

TEST_CASE("misuse is an error that says what to do") {
  on_a_mesh([](const World&, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    Tape<Mesh> tape(mesh), other(mesh);
    const auto plain = square(mesh, layout<>, x0);
    const auto x = tape.watch(plain);
    const auto w = make_parameter("fc.weight", square(mesh, layout<>, w0));
    CHECK_THROWS_WITH_AS(tape.gradient(x), doctest::Contains("backward comes before gradient"), Error);
    CHECK_THROWS_WITH_AS(gradient(w), doctest::Contains("fc.weight"), Error);
    CHECK_THROWS_WITH_AS(add(x, other.watch(plain)), doctest::Contains("the operands of an op are on one tape"),
                         Error);
    CHECK_THROWS_WITH_AS(backward(loss_of(tape.input(plain))),
                         doctest::Contains("the loss depends on a watched tensor or a parameter"), Error);
    const auto y = gelu(x);
    const auto loss = loss_of(y);
    backward(loss);
    CHECK_THROWS_WITH_AS(backward(loss), doctest::Contains("backward runs once for each forward"), Error);
    CHECK_THROWS_WITH_AS(tape.gradient(y), doctest::Contains("a tensor that was watched on this tape"), Error);
    CHECK_THROWS_WITH_AS(other.gradient(x), doctest::Contains("used in the step"), Error);
    tape.clear();
    CHECK_THROWS_WITH_AS(gelu(x), doctest::Contains("watch it again after clear()"), Error);
    CHECK_THROWS_WITH_AS(backward(loss), doctest::Contains("watch it again after clear()"), Error);
    CHECK_THROWS_WITH_AS(tape.gradient(x), doctest::Contains("watch it again after clear()"), Error);
  });
}

TEST_CASE("a backward that failed half-way is not taken up again; the tape is, after clear()") {
  on_a_mesh([](const World&, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    auto& pool = mesh.context().pool();
    Tape<Mesh> tape(mesh);
    const auto plain = square(mesh, layout<>, x0);
    const auto seed = square(mesh, layout<>, g0);
    const auto run = [&] {
      const auto x = tape.watch(plain);
      backward(matmul<2>(add(gelu(x), x), seed));
      return gather(tape.gradient(x));
    };
    const auto expected = run();
    // There is room for the gradients of the loss and of y, and not for that of x.
    tape.clear();
    const auto x = tape.watch(plain);
    const auto y = add(gelu(x), x);
    const auto loss = matmul<2>(y, seed);
    pool.set_limit(pool.in_use() + 256 + 1280);
    CHECK_THROWS_WITH_AS(backward(loss), doctest::Contains("exceeds the limit"), Error);
    pool.set_limit(0);
    CHECK_THROWS_WITH_AS(backward(loss), doctest::Contains("backward runs once for each forward"), Error);
    CHECK_THROWS_WITH_AS(tape.gradient(x), doctest::Contains("backward comes before gradient"), Error);
    tape.clear();
    CHECK(run() == expected);
    // An op that failed leaves nothing behind: the forward goes on after it.
    tape.clear();
    const auto again = tape.watch(plain);
    const auto half = gelu(again);
    pool.set_limit(pool.in_use());
    CHECK_THROWS_AS(add(half, again), Error);
    pool.set_limit(0);
    backward(matmul<2>(add(half, again), seed));
    CHECK(gather(tape.gradient(again)) == expected);
  });
}

TEST_CASE("a tape takes tensors of its own mesh, not of another that has the same type") {
  on_a_mesh([](const World& all, const auto& mesh) {
    Tape<std::decay_t<decltype(mesh)>> tape(mesh);
    const auto other = make_mesh<dp, tp>(all, {all.size(), 1});
    const auto x = square(other, layout<Shard<0, dp>>, x0);
    CHECK_THROWS_WITH_AS(tape.watch(x), doctest::Contains("the tape's own mesh"), Error);
    CHECK_THROWS_WITH_AS(tape.input(x), doctest::Contains("the tape's own mesh"), Error);
    CHECK_THROWS_WITH_AS(tape.input(make_parameter("w", x)), doctest::Contains("the tape's own mesh"), Error);
  });
}

TEST_CASE("a parameter meets a tape where another was, and may be gone before backward") {
  on_a_mesh([](const World&, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    const auto w = make_parameter("w", square(mesh, layout<>, w0));
    const Values dw = reference::matmul_backward(x0, w0, g0, n, n, n).db;
    alignas(Tape<Mesh>) std::byte place[sizeof(Tape<Mesh>)];
    for (int step = 0; step < 3; ++step) {  // at one address, as in a loop's body
      auto* tape = new (place) Tape<Mesh>(mesh);
      std::optional x = tape->input(square(mesh, layout<>, x0));
      for (int more = 0; more < step; ++more) (void)tape->watch(detach(*x));
      w.track().state->filled = false;
      backward(loss_of(matmul(*x, w)));
      CHECK(off(gather(gradient(w)), dw) <= 1e-12);
      std::destroy_at(tape);
    }
    Tape<Mesh> tape(mesh);
    const auto x = tape.watch(square(mesh, layout<>, x0));
    const auto loss = loss_of(matmul(x, make_parameter("short-lived", square(mesh, layout<>, w0))));
    backward(loss);
    CHECK(off(gather(tape.gradient(x)), reference::matmul_backward(x0, w0, g0, n, n, n).da) <= 1e-12);
  });
}

TEST_CASE("after the first step a step asks nobody for memory") {
  on_a_mesh([](const World&, const auto& mesh) {
    using Mesh = std::decay_t<decltype(mesh)>;
    const Model<Mesh> model{mesh};
    Tape<Mesh> tape(mesh);
    const auto ids = ids_on(mesh, 0, 12, 3), targets = ids_on(mesh, 0, 12, 7);
    long asked[5];
    std::int64_t taken[5], held[5];
    for (int step = 0; step < 5; ++step) {
      backward(model(tape.input(ids), targets));
      tape.clear();
      model.reset();
      asked[step] = allocations();
      taken[step] = mesh.context().pool().allocations();
      held[step] = mesh.context().pool().in_use();
    }
    CHECK(taken[1] == taken[0]);
    CHECK(taken[4] == taken[0]);
    CHECK(held[4] == held[0]);
    // What is left are names of kernels and of regions, which Kokkos and its GEMM take as strings.
    CHECK(asked[4] - asked[3] == asked[3] - asked[2]);
    CHECK(asked[4] - asked[3] <= 13);
  });
}
