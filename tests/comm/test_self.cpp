// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/comm/self.hpp>

#include <doctest/doctest.h>

#include "suite.hpp"

using tpx::comm::Self;

static_assert(tpx::comm::Communicator<Self>);
static_assert(Self::host_driven);
static_assert(!std::is_copy_constructible_v<Self>);

TEST_CASE_TEMPLATE("self: every collective", T, float, double, std::int32_t, std::int64_t, unsigned char,
                   tpx::bfloat16) {
  const Self self;
  for (const std::int64_t n : suite::lengths) CHECK(suite::collectives<T>(self, n) == "");
}

TEST_CASE("self: groups, agreement, nothing and bad arguments") {
  const Self self;
  CHECK(suite::rows_and_columns(self, 1, 1) == "");
  CHECK(suite::agreement(self) == "");
  CHECK(suite::nothing(self) == "");
  CHECK(suite::bad_arguments(self) == "");
}

TEST_CASE("self: a lone send or recv would wait for ever") {
  const Self self;
  int x = 0;
  CHECK(suite::contains(suite::error_of([&] { self.send(&x, 1, tpx::Element::i32, 0, 0); }),
                        "nobody to receive"));
  CHECK(suite::contains(suite::error_of([&] { self.recv(&x, 1, tpx::Element::i32, 0, 0); }), "nobody to send"));
}
