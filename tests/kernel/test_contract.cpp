// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/kernel/contract.hpp>

#include <string>

#include "kernel_test.hpp"

using namespace kernel_test;
namespace kernel = tpx::kernel;

namespace {

/// Labels are letters; so are their extents in this test.
std::int64_t extent_of(char label, bool large) {
  switch (label) {
    case 'b':
      return 3;
    case 'h':
      return 2;
    case 's':
      return large ? 17 : 5;
    case 't':
      return large ? 13 : 4;
    case 'k':
      return large ? 19 : 6;
    case 'l':
      return 3;
    case 'z':
      return 0;
    default:
      return 1;
  }
}

kernel::Labelled labelled(const std::string& text, bool large) {
  kernel::Labelled x;
  for (const char l : text) x.push_back(l, extent_of(l, large));
  return x;
}

/// Every element of c by its indices, in plain loops over all labels.
reference::Array expected(const std::string& a, const std::string& b, const std::string& c,
                          const reference::Array& x, const reference::Array& y, bool large) {
  std::string all = c;
  for (const char l : a + b)
    if (all.find(l) == std::string::npos) all += l;
  std::int64_t n = 1;
  for (const char l : all) n *= extent_of(l, large);
  reference::Array z(static_cast<std::size_t>(labelled(c, large).count()), 0.0);
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t index[128] = {}, rest = i;
    for (std::size_t d = all.size(); d-- > 0;) {
      index[static_cast<std::size_t>(all[d])] = rest % extent_of(all[d], large);
      rest /= extent_of(all[d], large);
    }
    const auto at = [&](const std::string& labels) {
      std::int64_t place = 0;
      for (const char l : labels) place = place * extent_of(l, large) + index[static_cast<std::size_t>(l)];
      return static_cast<std::size_t>(place);
    };
    z[at(c)] += x[at(a)] * y[at(b)];
  }
  return z;
}

template <class Types>
void check(const std::string& a, const std::string& b, const std::string& c, bool large) {
  using T = typename Types::value_type;
  const typename Types::space exec;
  CAPTURE(a);
  CAPTURE(b);
  CAPTURE(c);
  const kernel::Labelled of_a = labelled(a, large), of_b = labelled(b, large), of_c = labelled(c, large);
  const auto x = noise(of_a.count(), 1), y = noise(of_b.count(), 2), before = noise(of_c.count(), 3);
  auto z = expected(a, b, c, x, y, large);
  const kernel::Contraction plan(of_a, of_b, of_c);
  const auto left = to<T>(x), right = to<T>(y);
  auto out = unset<T>(of_c.count()), scratch = unset<T>(plan.scratch());
  kernel::contract(exec, plan, left.data(), right.data(), out.data(), scratch.data());
  exec.fence();
  CHECK(difference(out, z) < tolerance<T>(64));
  out = to<T>(before);
  kernel::contract(exec, plan, left.data(), right.data(), out.data(), scratch.data(), true);
  exec.fence();
  for (std::size_t i = 0; i < z.size(); ++i) z[i] += before[i];
  CHECK(difference(out, z) < tolerance<T>(64));
}

std::int64_t copies(const std::string& a, const std::string& b, const std::string& c) {
  return kernel::Contraction(labelled(a, true), labelled(b, true), labelled(c, true)).scratch();
}

}  // namespace

TEST_CASE_TEMPLATE("products of arrays with dims in any order", Types, TPX_KERNEL_TEST_TYPES) {
  for (const bool large : {false, true}) {
    CAPTURE(large);
    std::string orders[][3] = {{"sk", "kt", "st"},     {"bsk", "kt", "bst"},    {"bshk", "bthk", "bhst"},
                               {"bskl", "klt", "bst"}, {"bskl", "lkt", "bst"},  {"sbk", "bkt", "stb"},
                               {"bs", "bs", "bs"},     {"s", "t", "st"},        {"k", "k", ""},
                               {"bk", "k", "b"},       {"bz", "zs", "bs"},      {"zb", "bs", "zs"},
                               {"osk", "kt", "sto"},   {"bhst", "bthk", "bshk"}};
    for (auto& [a, b, c] : orders) {
      check<Types>(a, b, c, large);
      check<Types>(b, a, c, large);
    }
    // Every order of the dims of each array of one product with all kinds of dims.
    std::string a = "bhks", b = "bhkt", c = "bhst";
    std::sort(c.begin(), c.end());
    do check<Types>(a, b, c, large);
    while (std::next_permutation(c.begin(), c.end()));
    c = "bhst";
    std::sort(a.begin(), a.end());
    do check<Types>(a, b, c, large);
    while (std::next_permutation(a.begin(), a.end()));
  }
}

TEST_CASE("what strides can say is not copied") {
  CHECK(copies("sk", "kt", "st") == 0);
  CHECK(copies("ks", "tk", "ts") == 0);
  CHECK(copies("bshk", "bthk", "bhst") == 0);  // attention's scores, heads inside
  CHECK(copies("bhst", "bthk", "bshk") == 0);  // and its values
  CHECK(copies("bskl", "klt", "bst") == 0);
  CHECK(copies("bskl", "lkt", "bst") == 3 * 19 * 13);
  CHECK(copies("sbk", "bkt", "stb") == 3 * 17 * 13);
}

TEST_CASE("products that a BLAS takes run in it") {
  const std::int64_t before = kernel::gemm_native_calls();
  check<On<float, Kokkos::DefaultHostExecutionSpace>>("bshk", "bthk", "bhst", true);
  check<On<double, Kokkos::DefaultHostExecutionSpace>>("bskl", "klt", "bts", true);
  CHECK(kernel::gemm_native_calls() == before);
}

TEST_CASE("extents beyond a BLAS' integers are split") {
  kernel::gemm_extent_limit() = 7;
  check<On<double, Kokkos::DefaultHostExecutionSpace>>("bshk", "bthk", "bhst", true);
  check<On<double, Kokkos::DefaultHostExecutionSpace>>("ks", "tk", "ts", true);
  kernel::gemm_extent_limit() = std::numeric_limits<int>::max();
}
