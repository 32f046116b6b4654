// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

#include <tpx/core/error.hpp>

namespace {

static_assert(std::is_base_of_v<std::runtime_error, tpx::Error>);
static_assert(tpx::check_level >= tpx::check_level_cheap, "these tests look at the checks");

/// What `f` throws as tpx::Error; empty where it throws nothing.
template <class F>
std::string thrown_by(F&& f) {
  try {
    f();
  } catch (const tpx::Error& e) {
    return e.what();
  }
  return {};
}

int times(int a, int b) { return a * b; }

void plain(int n) { TPX_EXPECTS(n > 0); }
void with_values(int n, int p) { TPX_EXPECTS(n % p == 0, n, p); }
void with_remark(int n) { TPX_EXPECTS(n > 0, "a mesh has at least one rank", n); }
void with_calls(const std::vector<int>& v) {
  TPX_EXPECTS(v.empty(), times(v[0], 2), (v[0] == 1 ? "one" : "many"), v.size());
}
void with_comma(int n) { TPX_EXPECTS((std::is_same_v<int, long>), n); }

/// Sets who is speaking, and who was when it ends.
class Speaking {
 public:
  Speaking(int rank, const std::string& coordinate) : before_(tpx::detail::whereabouts()) {
    tpx::detail::whereabouts() = {rank, coordinate};
  }
  ~Speaking() { tpx::detail::whereabouts() = before_; }

 private:
  tpx::detail::Whereabouts before_;
};

}  // namespace

TEST_CASE("error: an expectation names the function, the expression and the values") {
  CHECK(thrown_by([] { plain(1); }).empty());
  CHECK(thrown_by([] { plain(0); }) == "tpx::plain: expected n > 0");
  CHECK(thrown_by([] { with_values(12, 4); }).empty());
  CHECK(thrown_by([] { with_values(10, 4); }) == "tpx::with_values: expected n % p == 0; n = 10; p = 4");
}

TEST_CASE("error: a literal is a remark; commas inside brackets separate nothing") {
  CHECK(thrown_by([] { with_remark(0); }) ==
        "tpx::with_remark: expected n > 0; a mesh has at least one rank; n = 0");
  CHECK(thrown_by([] {
          with_calls({3, 4});
        }) ==
        "tpx::with_calls: expected v.empty(); times(v[0], 2) = 6; (v[0] == 1 ? \"one\" : \"many\") = many; "
        "v.size() = 2");
  CHECK(thrown_by([] { with_comma(7); }) == "tpx::with_comma: expected (std::is_same_v<int, long>); n = 7");
}

TEST_CASE("error: values are evaluated on failure only, the condition once") {
  int conditions = 0, values = 0;
  const auto check = [&](bool holds) { TPX_EXPECTS((++conditions, holds), ++values); };
  CHECK_NOTHROW(check(true));
  CHECK(conditions == 1);
  CHECK(values == 0);
  CHECK_THROWS_AS(check(false), tpx::Error);
  CHECK(conditions == 2);
  CHECK(values == 1);
}

TEST_CASE("error: an expectation is one statement") {
  const auto check = [](int n) {
    if (n > 0)
      TPX_EXPECTS(n > 1, n);
    else
      TPX_EXPECTS(n > -1, "else");
  };
  CHECK(thrown_by([&] { check(2); }).empty());
  CHECK(thrown_by([&] { check(1); }).find("n > 1; n = 1") != std::string::npos);
  CHECK(thrown_by([&] { check(0); }).empty());
  CHECK(thrown_by([&] { check(-1); }).find("n > -1; else") != std::string::npos);
}

TEST_CASE("error: a failure is signed by the rank and its place on the mesh") {
  CHECK(thrown_by([] { tpx::fail("tpx: no"); }) == "tpx: no");
  {
    const Speaking rank(3, "");
    CHECK(thrown_by([] { tpx::fail("tpx: no"); }) == "tpx: no (rank 3)");
  }
  {
    const Speaking rank(0, "dp=0,tp=1");
    CHECK(thrown_by([] { tpx::fail("tpx: no"); }) == "tpx: no (rank 0, dp=0,tp=1)");
    CHECK(thrown_by([] { with_values(5, 2); }) ==
          "tpx::with_values: expected n % p == 0; n = 5; p = 2 (rank 0, dp=0,tp=1)");
    // A thread that is a rank has a place of its own.
    std::string other;
    std::thread([&] {
      tpx::detail::whereabouts() = {1, "dp=0,tp=2"};
      other = thrown_by([] { tpx::fail("tpx: no"); });
    }).join();
    CHECK(other == "tpx: no (rank 1, dp=0,tp=2)");
    CHECK(thrown_by([] { tpx::fail("tpx: no"); }) == "tpx: no (rank 0, dp=0,tp=1)");
  }
  CHECK(tpx::detail::signature().empty());
}
