// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/comm/shared_memory.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <tpx/comm/threads.hpp>

#include "suite.hpp"

using tpx::comm::run_threads;
using tpx::comm::SharedMemory;
using tpx::comm::Threads;

// Ranks that are threads map the memory several times: more ranks than a test may start processes.
TEST_CASE("shared memory: five to eight ranks") {
  for (int ranks = 5; ranks <= 8; ++ranks) {
    std::vector<std::string> found(static_cast<std::size_t>(ranks));
    run_threads(ranks, [&](Threads threads) {
      const SharedMemory world = SharedMemory::over(threads);
      std::string& mine = found[static_cast<std::size_t>(world.rank())];
      for (const std::int64_t n : {0, 1, 7, 1000, 20011}) mine += suite::collectives<float>(world, n);
      mine += suite::collectives<double>(world, 4096);
      mine += suite::collectives<unsigned char>(world, 40001);
      mine += suite::unequal_groups(world);
      if (ranks % 2 == 0) mine += suite::rows_and_columns(world, 2, ranks / 2);
    });
    for (const std::string& text : found) CHECK(text == "");
  }
}

TEST_CASE("shared memory: at most 64 ranks") {
  const std::string text =
      suite::error_of([] { run_threads(65, [](Threads threads) { SharedMemory::over(threads); }); });
  CHECK(suite::contains(text, "the ranks are at most 64; size = 65"));
}
