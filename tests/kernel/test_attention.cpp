// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/kernel/attention.hpp>

#include "kernel_test.hpp"

using namespace kernel_test;
namespace kernel = tpx::kernel;

namespace {

reference::AttentionShape oracle_shape(const kernel::AttentionShape& n) {
  std::vector<std::int32_t> lengths;
  if (n.lengths != nullptr) lengths.assign(n.lengths, n.lengths + n.batch);
  return {n.batch,  n.queries, n.keys,  n.heads,   n.kv_heads,  n.head_dim,
          n.causal, n.scale,   lengths, n.sharing, n.first_head};
}

/// Inputs, results and expected results of one shape.
template <class T>
struct Case {
  kernel::AttentionShape n;
  std::int64_t query_count, key_count, rows;
  reference::Array q, k, v, d_o;
  std::vector<T> qf, kf, vf, d_of, o, lse, delta, dq, dk, dv;
  reference::Attention forward;
  reference::AttentionGradient backward;

  explicit Case(const kernel::AttentionShape& shape)
      : n(shape),
        query_count(n.batch * n.queries * n.heads * n.head_dim),
        key_count(n.batch * n.keys * n.kv_heads * n.head_dim),
        rows(n.batch * n.heads * n.queries),
        q(noise(query_count, 1, 2.0)),
        k(noise(key_count, 2, 2.0)),
        v(noise(key_count, 3)),
        d_o(noise(query_count, 4)),
        qf(to<T>(q)),
        kf(to<T>(k)),
        vf(to<T>(v)),
        d_of(to<T>(d_o)),
        forward(reference::attention(q, k, v, oracle_shape(n))),
        backward(reference::attention_backward(q, k, v, d_o, oracle_shape(n))) {
    forget();
  }

  void forget() {
    o = unset<T>(query_count);
    lse = delta = unset<T>(rows);
    dq = unset<T>(query_count);
    dk = dv = unset<T>(key_count);
  }

  void check() {
    CAPTURE(n.queries);
    CAPTURE(n.keys);
    CAPTURE(n.heads);
    CAPTURE(n.kv_heads);
    CAPTURE(n.head_dim);
    CAPTURE(n.causal);
    CHECK(difference(o, forward.o) < tolerance<T>(64));
    // a query without keys has an infinite lse, in both
    for (std::size_t i = 0; i < lse.size(); ++i) {
      if (std::isinf(forward.lse[i])) {
        CHECK(static_cast<double>(lse[i]) == forward.lse[i]);
        lse[i] = 0;
        forward.lse[i] = 0;
      }
    }
    CHECK(difference(lse, forward.lse) < tolerance<T>(64));
    CHECK(difference(dq, backward.dq) < tolerance<T>(128));
    CHECK(difference(dk, backward.dk) < tolerance<T>(128));
    CHECK(difference(dv, backward.dv) < tolerance<T>(128));
  }
};

const std::int32_t lengths[] = {70, 0, 33};

const kernel::AttentionShape shapes[] = {
    {2, 5, 5, 2, 2, 4, true, 0.5},      // less than one register
    {1, 64, 64, 3, 3, 16, true, 0.25},  // one tile
    {2, 65, 65, 4, 2, 17, true, 0.25},  // one row and one dim beyond
    {1, 130, 130, 9, 3, 32, true, 0.2},
    {1, 130, 130, 2, 1, 64, false, 0.125},
    {1, 3, 70, 4, 4, 8, true, 0.3},  // decoding: few queries, many keys
    {1, 1, 200, 4, 2, 24, true, 0.3},
    {1, 70, 33, 2, 2, 8, false, 0.3},   // more queries than keys
    {1, 70, 33, 2, 2, 8, true, 0.3},    // the first 37 see nothing
    {1, 80, 80, 1, 1, 160, true, 0.1},  // a head too wide for the largest tile
    {1, 20, 20, 2, 2, 4, true, -0.5},
    {1, 20, 20, 2, 2, 4, true, 0.0},
    {0, 4, 4, 2, 2, 4, true, 1.0},
    {1, 0, 4, 2, 2, 4, true, 1.0},
    {1, 4, 0, 2, 2, 4, false, 1.0},
    {1, 4, 4, 0, 0, 4, true, 1.0},
    {1, 4, 4, 2, 2, 0, true, 1.0},
    // samples of different lengths, one of them empty
    {3, 70, 70, 3, 1, 8, false, 0.3, lengths},
    {3, 66, 70, 4, 2, 8, true, 0.3, lengths},
    {3, 1, 70, 4, 2, 8, false, 0.3, lengths},
    // heads 5 to 7 of 9, of which three share a key head
    {2, 20, 20, 3, 3, 8, true, 0.3, nullptr, 3, 5},
    {3, 1, 70, 2, 3, 8, false, 0.3, lengths, 3, 7},
};

}  // namespace

TEST_CASE_TEMPLATE("attention, forward and backward", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const auto& n : shapes) {
    Case<T> c(n);
    kernel::attention(exec, n, c.qf.data(), c.kf.data(), c.vf.data(), c.o.data(), c.lse.data());
    kernel::attention_backward(exec, n, c.qf.data(), c.kf.data(), c.vf.data(), c.o.data(), c.lse.data(),
                               c.d_of.data(), c.delta.data(), c.dq.data(), c.dk.data(), c.dv.data());
    exec.fence();
    c.check();
  }
}

TEST_CASE_TEMPLATE("attention in groups, what a device runs", Types, TPX_KERNEL_TEST_TYPES) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  for (const auto& n : shapes) {
    Case<T> c(n);
    kernel::impl::attention_in_groups(exec, n, c.qf.data(), c.kf.data(), c.vf.data(), c.o.data(), c.lse.data());
    kernel::for_groups(exec, "delta", n.batch * n.queries * n.heads,
                       kernel::impl::AttentionDelta<T>{n, c.o.data(), c.d_of.data(), c.delta.data()});
    kernel::impl::attention_backward_in_groups(exec, n, c.qf.data(), c.kf.data(), c.vf.data(), c.lse.data(),
                                               c.d_of.data(), c.delta.data(), c.dq.data(), c.dk.data(),
                                               c.dv.data());
    exec.fence();
    c.check();
  }
}

TEST_CASE("attention survives scores that overflow an unshifted exponential") {
  const Kokkos::DefaultHostExecutionSpace exec;
  Case<float> c({1, 40, 40, 1, 1, 8, true, 100.0});
  kernel::attention(exec, c.n, c.qf.data(), c.kf.data(), c.vf.data(), c.o.data(), c.lse.data());
  exec.fence();
  CHECK(difference(c.o, c.forward.o) < 2e-3);
  CHECK(difference(c.lse, c.forward.lse) < 1e-5);
}

TEST_CASE("heads that do not share key heads evenly are refused") {
  const Kokkos::DefaultHostExecutionSpace exec;
  const kernel::AttentionShape n{1, 4, 4, 5, 2, 4, true, 1.0};
  std::vector<float> x(200);
  CHECK_THROWS_WITH_AS(kernel::attention(exec, n, x.data(), x.data(), x.data(), x.data(), x.data()),
                       doctest::Contains("n.heads = 5; n.kv_heads = 2"), tpx::Error);
  const kernel::AttentionShape part{1, 4, 4, 3, 2, 4, true, 1.0, nullptr, 2, 2};
  CHECK_THROWS_WITH_AS(kernel::attention(exec, part, x.data(), x.data(), x.data(), x.data(), x.data()),
                       doctest::Contains("each query head has a key head"), tpx::Error);
}

TEST_CASE("the oracle's attention agrees with finite differences") {
  const reference::AttentionShape n{2, 4, 5, 4, 2, 3, true, 0.7};
  const auto q = noise(n.b * n.s * n.h * n.d, 1, 2.0), k = noise(n.b * n.t * n.hk * n.d, 2, 2.0);
  const auto v = noise(n.b * n.t * n.hk * n.d, 3), d_o = noise(n.b * n.s * n.h * n.d, 4);
  const auto slope = [&](reference::Array x, const auto& forward) {
    constexpr double h = 1e-5;
    reference::Array out(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double at = x[i];
      x[i] = at + h;
      const auto up = forward(x).o;
      x[i] = at - h;
      const auto down = forward(x).o;
      x[i] = at;
      for (std::size_t j = 0; j < up.size(); ++j) out[i] += (up[j] - down[j]) / (2 * h) * d_o[j];
    }
    return out;
  };
  const auto g = reference::attention_backward(q, k, v, d_o, n);
  CHECK(difference(slope(q, [&](const auto& x) { return reference::attention(x, k, v, n); }), g.dq) < 1e-7);
  CHECK(difference(slope(k, [&](const auto& x) { return reference::attention(q, x, v, n); }), g.dk) < 1e-7);
  CHECK(difference(slope(v, [&](const auto& x) { return reference::attention(q, k, x, n); }), g.dv) < 1e-7);
}
