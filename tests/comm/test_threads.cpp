// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/comm/threads.hpp>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <ctime>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "suite.hpp"

using tpx::Element;
using tpx::comm::Reduction;
using tpx::comm::run_threads;
using tpx::comm::Threads;

static_assert(tpx::comm::Communicator<Threads>);
static_assert(Threads::host_driven);
static_assert(!std::is_copy_constructible_v<Threads>);

namespace {

/// What check(world) returns, of all ranks: the thread that runs the test is the one that asserts.
template <class Check>
std::string on_ranks(int ranks, Check check) {
  std::vector<std::string> found(static_cast<std::size_t>(ranks));
  run_threads(ranks, [&](Threads world) { found[static_cast<std::size_t>(world.rank())] = check(world); });
  std::string all;
  for (int rank = 0; rank < ranks; ++rank)
    if (const std::string& one = found[static_cast<std::size_t>(rank)]; !one.empty())
      all += "rank " + std::to_string(rank) + ": " + one;
  return all;
}

/// What each rank's call throws, when all ranks make it and then leave.
template <class Call>
std::vector<std::string> errors_on_ranks(int ranks, Call call) {
  std::vector<std::string> errors(static_cast<std::size_t>(ranks));
  run_threads(ranks, [&](Threads world) {
    errors[static_cast<std::size_t>(world.rank())] = suite::error_of([&] { call(world); });
  });
  return errors;
}

}  // namespace

TEST_CASE_TEMPLATE("threads: every collective", T, float, double, std::int32_t, std::int64_t, unsigned char,
                   tpx::bfloat16) {
  for (int ranks = 1; ranks <= 4; ++ranks)
    for (const std::int64_t n : suite::lengths)
      CHECK(on_ranks(ranks, [&](const Threads& world) { return suite::collectives<T>(world, n); }) == "");
}

TEST_CASE("threads: sums of bfloat16 are rounded once") {
  CHECK(on_ranks(4, [](const Threads& world) { return suite::sums_of_bfloat16(world, 5000); }) == "");
}

TEST_CASE("threads: groups") {
  for (int ranks = 1; ranks <= 4; ++ranks) {
    CHECK(on_ranks(ranks, [&](const Threads& w) { return suite::rows_and_columns(w, 1, ranks); }) == "");
    CHECK(on_ranks(ranks, [&](const Threads& w) { return suite::rows_and_columns(w, ranks, 1); }) == "");
    CHECK(on_ranks(ranks, [](const Threads& w) { return suite::unequal_groups(w); }) == "");
    if (ranks > 1)
      CHECK(on_ranks(ranks, [](const Threads& w) {
              return suite::contradictory_groups(w) + suite::contradictory_blocks(w, true);
            }) == "");
  }
  CHECK(on_ranks(4, [](const Threads& w) { return suite::rows_and_columns(w, 2, 2); }) == "");
  CHECK(on_ranks(6, [](const Threads& w) { return suite::rows_and_columns(w, 2, 3); }) == "");
}

TEST_CASE("threads: messages, agreement, nothing and bad arguments") {
  for (int ranks = 1; ranks <= 4; ++ranks) {
    CHECK(on_ranks(ranks, [](const Threads& w) { return suite::messages_keep_their_order(w); }) == "");
    CHECK(on_ranks(ranks, [](const Threads& w) { return suite::agreement(w); }) == "");
    CHECK(on_ranks(ranks, [](const Threads& w) { return suite::nothing(w); }) == "");
    CHECK(on_ranks(ranks, [](const Threads& w) { return suite::bad_arguments(w); }) == "");
  }
}

TEST_CASE("threads: a sum has the same bits on every rank, those of the order of the ranks") {
  constexpr std::int64_t n = 3001;
  const auto term = [](int rank, std::int64_t i) {
    return 1.0F / static_cast<float>(1 + (i * 7919 + rank * 104729) % 1000);
  };
  const std::string found = on_ranks(4, [&](const Threads& world) {
    std::vector<float> x(n);
    for (std::int64_t i = 0; i < n; ++i) x[static_cast<std::size_t>(i)] = term(world.rank(), i);
    world.all_reduce(x.data(), x.data(), n, Element::f32, Reduction::sum);
    suite::Differences differences;
    differences.compare("sum", x, n, [&](std::int64_t i) {
      float sum = term(0, i);
      for (int rank = 1; rank < 4; ++rank) sum += term(rank, i);
      return sum;
    });
    return differences.text();
  });
  CHECK(found == "");
}

TEST_CASE("threads: each thread knows its rank, and the thread that started them keeps its own") {
  const int before = tpx::detail::whereabouts().rank;
  CHECK(on_ranks(3, [](const Threads& world) {
          return tpx::detail::whereabouts().rank == world.rank() ? std::string() : std::string("wrong rank");
        }) == "");
  CHECK(tpx::detail::whereabouts().rank == before);
}

TEST_CASE("threads: a rank that throws releases the others from any call") {
  using Call = void (*)(const Threads&);
  constexpr std::array<std::pair<const char*, Call>, 8> calls{{
      {"barrier", [](const Threads& w) { w.barrier(); }},
      {"all_reduce",
       [](const Threads& w) {
         float x = 0;
         w.all_reduce(&x, &x, 1, Element::f32, Reduction::sum);
       }},
      {"broadcast",
       [](const Threads& w) {
         float x = 0;
         w.broadcast(&x, 1, Element::f32, 0);
       }},
      {"subgroup", [](const Threads& w) { (void)w.duplicate(); }},
      {"send",
       [](const Threads& w) {
         float x = 0;
         w.send(&x, 1, Element::f32, 1, 0);
       }},
      {"recv",
       [](const Threads& w) {
         float x = 0;
         w.recv(&x, 1, Element::f32, 1, 0);
       }},
      {"send_recv",
       [](const Threads& w) {
         float x = 0;
         float y = 0;
         w.send_recv(&x, 1, 1, &y, 1, 1, Element::f32, 0);
       }},
      {"barrier",
       [](const Threads& w) {  // entered only after the failure
         std::this_thread::sleep_for(std::chrono::milliseconds(20));
         w.barrier();
       }},
  }};
  for (const auto& named : calls) {
    const char* const what = named.first;
    const Call call = named.second;
    INFO(what);
    std::vector<std::string> errors(3);
    std::string thrown;
    try {
      run_threads(3, [&](Threads world) {
        if (world.rank() == 1) throw std::out_of_range("no such page");
        errors[static_cast<std::size_t>(world.rank())] = suite::error_of([&] { call(world); });
      });
    } catch (const std::out_of_range& error) {
      thrown = error.what();
    }
    CHECK(thrown == "no such page");
    for (const int rank : {0, 2}) {
      const std::string& text = errors[static_cast<std::size_t>(rank)];
      CHECK(suite::contains(text, std::string("tpx::comm::Threads: ") + what + " was given up"));
      CHECK(suite::contains(text, "rank 1 failed: no such page"));
      CHECK(suite::contains(text, "(rank " + std::to_string(rank) + ")"));
    }
  }
}

TEST_CASE("threads: the exception that comes out is the cause, not what it did to the others") {
  std::string thrown;
  try {
    run_threads(4, [](Threads world) {
      if (world.rank() == 3) throw 7;
      world.barrier();
    });
  } catch (const int cause) {
    thrown = std::to_string(cause);
  }
  CHECK(thrown == "7");
}

TEST_CASE("threads: a failure reaches ranks that wait in another group") {
  const std::string thrown = suite::error_of([] {
    run_threads(4, [](Threads world) {
      const int row = world.rank() / 2;
      const std::vector<int> members{2 * row, 2 * row + 1};
      const Threads pair = world.subgroup(members);
      if (world.rank() == 3) tpx::fail("rank 3 gives up");
      pair.barrier();
      world.barrier();
    });
  });
  CHECK(suite::contains(thrown, "rank 3 gives up"));
}

TEST_CASE("threads: calls that differ are an error on every rank, naming both") {
  for (const std::string& text : errors_on_ranks(3, [](const Threads& world) {
         float x = 0;
         if (world.rank() == 2) {
           world.broadcast(&x, 1, Element::f32, 1);
         } else {
           world.all_reduce(&x, &x, 1, Element::f32, Reduction::max);
         }
       })) {
    CHECK(suite::contains(text, "rank 0 is in all_reduce of 1 f32 (max)"));
    CHECK(suite::contains(text, "rank 2 in broadcast of 1 f32, rank 1"));
  }
  for (const std::string& text : errors_on_ranks(2, [](const Threads& world) {
         std::vector<double> x(8);
         world.all_reduce(x.data(), x.data(), 7 + world.rank(), Element::f64, Reduction::sum);
       })) {
    CHECK(suite::contains(text, "all_reduce of 7 f64"));
    CHECK(suite::contains(text, "all_reduce of 8 f64"));
  }
  // It is no failure of a rank: they may go on.
  CHECK(on_ranks(2, [](const Threads& world) {
          const std::string error = suite::error_of([&] {
            float x = 0;
            world.broadcast(&x, 1, Element::f32, world.rank());
          });
          if (!suite::contains(error, "all ranks make the same call")) return "got '" + error + "'";
          return suite::collectives<float>(world, 7);
        }) == "");
}

TEST_CASE("threads: a message of another length or element is an error on both sides") {
  for (const std::string& text : errors_on_ranks(2, [](const Threads& world) {
         std::vector<float> x(4);
         if (world.rank() == 0) world.send(x.data(), 4, Element::f32, 1, 0);
         if (world.rank() == 1) world.recv(x.data(), 3, Element::f32, 0, 0);
       }))
    CHECK(suite::contains(text, "rank 0 sent 4 f32, rank 1 expected 3 f32"));
  for (const std::string& text : errors_on_ranks(2, [](const Threads& world) {
         std::vector<float> x(4);
         if (world.rank() == 0) world.send(x.data(), 4, Element::f32, 1, 0);
         if (world.rank() == 1) world.recv(x.data(), 4, Element::i32, 0, 0);
       }))
    CHECK(suite::contains(text, "sent 4 f32, rank 1 expected 4 i32"));
}

TEST_CASE("threads: a rank that returns while others wait for it is an error, not a hang") {
  const std::vector<std::string> errors = errors_on_ranks(3, [](const Threads& world) {
    if (world.rank() != 1) world.barrier();
  });
  for (const std::size_t rank : {0U, 2U}) {
    CHECK(suite::contains(errors[rank], "barrier was given up: all ranks wait for one another"));
    CHECK(suite::contains(errors[rank], "rank 1 has returned"));
  }
  CHECK(errors[1] == "(none)");
}

TEST_CASE("threads: ranks that wait for one another are an error, not a hang") {
  for (const std::string& text : errors_on_ranks(2, [](const Threads& world) {
         float x = 0;
         world.recv(&x, 1, Element::f32, 1 - world.rank(), 0);
       }))
    CHECK(suite::contains(
        text, "all ranks wait for one another: rank 0 is in recv of 1 f32, rank 1, rank 1 is in recv"));
  // Two groups, entered in different orders.
  for (const std::string& text : errors_on_ranks(2, [](const Threads& world) {
         const Threads other = world.duplicate();
         if (world.rank() == 0) {
           world.barrier();
         } else {
           other.barrier();
         }
       }))
    CHECK(suite::contains(text, "all ranks wait for one another: rank 0 is in barrier"));
}

TEST_CASE("threads: waiting burns no processor time") {
  const std::clock_t before = std::clock();
  run_threads(4, [](Threads world) {
    if (world.rank() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(400));
    world.barrier();
  });
  const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  CHECK(seconds < 0.2);  // three ranks that spin would take at least 0.4
}

TEST_CASE("threads: many rounds of different groups do not mix") {
  CHECK(on_ranks(4, [](const Threads& world) {
          const std::vector<int> members{world.rank() % 2, world.rank() % 2 + 2};
          const Threads pair = world.subgroup(members);
          std::int64_t x = world.rank() + 1;
          for (int round = 0; round < 500; ++round) {
            std::int64_t sum = x;
            pair.all_reduce(&sum, &sum, 1, Element::i64, Reduction::sum);
            world.all_reduce(&sum, &sum, 1, Element::i64, Reduction::max);
            const std::int64_t right = round + 6 + round;  // of ranks 1 and 3: 2 + 4, and one more each round
            if (sum != right) return "round " + std::to_string(round) + ": " + std::to_string(sum);
            ++x;
          }
          return std::string();
        }) == "");
}

TEST_CASE("threads: there is at least one rank") {
  CHECK(suite::contains(suite::error_of([] { run_threads(0, [](Threads) {}); }), "there is at least one rank"));
}
