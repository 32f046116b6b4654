// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/comm/shared_memory.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tpx/comm/threads.hpp>

#include "litmus.hpp"
#include "suite.hpp"

using tpx::Element;
using tpx::comm::Reduction;
using tpx::comm::run_threads;
using tpx::comm::SharedMemory;
using tpx::comm::Threads;

// Ranks that are threads: more of them than a test may start processes.
TEST_CASE("shared memory: five to eight ranks") {
  for (int ranks = 5; ranks <= 8; ++ranks) {
    std::vector<std::string> found(static_cast<std::size_t>(ranks));
    run_threads(ranks, [&](Threads threads) {
      const SharedMemory world = SharedMemory::over(threads);
      std::string& mine = found[static_cast<std::size_t>(world.rank())];
      for (const std::int64_t n : {0, 1, 7, 1000, 20011}) mine += suite::collectives<float>(world, n);
      mine += suite::collectives<double>(world, 4096);
      mine += suite::collectives<unsigned char>(world, 40001);
      mine += suite::collectives<tpx::bfloat16>(world, 777);
      mine += suite::sums_of_bfloat16(world, 20011);
      mine += suite::unequal_groups(world);
      if (ranks % 2 == 0) mine += suite::rows_and_columns(world, 2, ranks / 2);
    });
    for (const std::string& text : found) CHECK(text == "");
  }
}

// They see one another's memory at the same addresses, so that a thread sanitizer finds what is not ordered.
TEST_CASE("shared memory: the protocol, and symmetric memory") {
  for (int ranks = 1; ranks <= 4; ++ranks) {
    std::vector<std::string> found(static_cast<std::size_t>(ranks));
    run_threads(ranks, [&](Threads threads) {
      litmus(threads, 2000);
      message_litmus(threads, 500);
      const SharedMemory world = SharedMemory::over(threads);
      const std::int64_t p = world.size();
      const tpx::comm::MemorySource symmetric = world.symmetric_memory();
      suite::Differences differences;
      for (const std::int64_t n : {std::int64_t{3000}, std::int64_t{20000}}) {
        const std::shared_ptr<void> in = symmetric(n * p * 4);
        const std::shared_ptr<void> out = symmetric(n * p * 4);
        std::int32_t* const send = static_cast<std::int32_t*>(in.get());
        std::int32_t* const recv = static_cast<std::int32_t*>(out.get());
        const std::vector<std::int64_t> counts(static_cast<std::size_t>(p), n);
        for (int round = 0; round < 3; ++round) {
          for (std::int64_t i = 0; i < n * p; ++i)
            send[i] = suite::value<std::int32_t>(world.rank() + round, i);
          const auto sum = [&](std::int64_t i) {
            std::int32_t all = 0;
            for (int rank = 0; rank < p; ++rank) all += suite::value<std::int32_t>(rank + round, i);
            return all;
          };
          const std::int64_t first = world.rank() * n;
          const int last = static_cast<int>(p) - 1;
          world.all_reduce(send, recv, n, Element::i32, Reduction::sum);
          differences.expect("all_reduce", recv[n - 1] == sum(n - 1));
          world.all_gather(send, recv, n, Element::i32);
          differences.expect("all_gather", recv[n * p - 1] == suite::value<std::int32_t>(last + round, n - 1));
          world.reduce_scatter(send, recv, counts, Element::i32, Reduction::sum);
          differences.expect("reduce_scatter", recv[n - 1] == sum(first + n - 1));
          world.all_to_all(send, counts, recv, counts, Element::i32);
          differences.expect("all_to_all",
                             recv[n * p - 1] == suite::value<std::int32_t>(last + round, first + n - 1));
          world.broadcast(send, n, Element::i32, 0);
          differences.expect("broadcast", send[n - 1] == suite::value<std::int32_t>(round, n - 1));
          send[n - 1] = 1;
          world.all_reduce(send, send, n, Element::i32, Reduction::sum);
          differences.expect("all_reduce in place", send[n - 1] == p);
        }
      }
      found[static_cast<std::size_t>(world.rank())] = differences.text();
    });
    for (const std::string& text : found) CHECK(text == "");
  }
}

TEST_CASE("shared memory: at most 64 ranks") {
  const std::string text =
      suite::error_of([] { run_threads(65, [](Threads threads) { SharedMemory::over(threads); }); });
  CHECK(suite::contains(text, "the ranks are at most 64; size = 65"));
}
