// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The communicators over MPI and shared memory with checks that communicate.
#undef TPX_CHECK_LEVEL
#define TPX_CHECK_LEVEL 3
#include <tpx/comm/mpi.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <tpx/comm/shared_memory.hpp>

#include "suite.hpp"

using tpx::Element;
using tpx::comm::Mpi;
using tpx::comm::Reduction;
using tpx::comm::SharedMemory;

namespace {

void contains(const std::string& text, const std::string& part) {
  CHECK_MESSAGE(suite::contains(text, part), text);
}

/// TPX_TIMEOUT for as long as it lives.
class Timeout {
 public:
  explicit Timeout(const char* seconds) { CHECK(::setenv("TPX_TIMEOUT", seconds, 1) == 0); }
  Timeout(const Timeout&) = delete;
  Timeout& operator=(const Timeout&) = delete;
  ~Timeout() { CHECK(::unsetenv("TPX_TIMEOUT") == 0); }
};

/// Calls of several kinds and sizes that are not the same on every rank.
template <class Comm>
void calls_differ(Comm& world) {
  world.set_label("tp");
  const int last = world.size() - 1;
  std::vector<double> x(100);
  std::vector<double> y(100);
  tpx::detail::op_in_progress() = world.rank() == last ? "tpx::embedding" : "tpx::matmul";
  const std::string kinds = suite::error_of([&] {
    if (world.rank() == last) {
      world.broadcast(x.data(), 1, Element::f64, 1);
    } else {
      world.all_reduce(x.data(), x.data(), 90, Element::f64, Reduction::max);
    }
  });
  contains(kinds,
           "the ranks of a group make the same call over tp: rank 0 is in all_reduce of 90 f64 (max), called "
           "by tpx::matmul, rank " +
               std::to_string(last) +
               " in broadcast of 1 f64, root 1, called by "
               "tpx::embedding");
  tpx::detail::op_in_progress() = "";
  const std::string sizes =
      suite::error_of([&] { world.all_gather(x.data(), y.data(), world.rank() == 0 ? 0 : 7, Element::u8); });
  contains(sizes, "rank 0 is in all_gather of 0 u8, rank 1 in all_gather of 7 u8");
  const std::string blocks = suite::error_of([&] {
    const std::int64_t more = world.rank() == 0 ? 3 : 2;
    std::vector<std::int64_t> counts(static_cast<std::size_t>(world.size()), 0);
    counts[0] = more;
    counts[1] = 5 - more;
    world.reduce_scatter(x.data(), y.data(), counts, Element::f32, Reduction::sum);
  });
  contains(blocks, "in reduce_scatter of 5 f32 in uneven blocks of other sizes");
  const std::string barrier = suite::error_of([&] {
    if (world.rank() == 0) world.barrier();
    if (world.rank() != 0) world.all_reduce(x.data(), x.data(), 5, Element::i32, Reduction::sum);
  });
  contains(barrier, "rank 0 is in barrier, rank 1 in all_reduce of 5 i32");
  CHECK(suite::collectives<float>(world, 1000) == "");
}

/// Three ranks that wait for one another: in collectives over two axes, and in a message.
template <class Comm>
void wait_in_a_circle(Comm& tp, Comm& dp) {
  tp.set_label("tp");
  dp.set_label("dp");
  std::vector<double> x(100);
  // Who is late by less than that is waited for.
  if (tp.rank() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(300));
  tp.barrier();
  tpx::detail::op_in_progress() = "tpx::matmul";
  const std::string text = suite::error_of([&] {
    if (tp.rank() == 0) tp.all_reduce(x.data(), x.data(), 90, Element::f64, Reduction::max);
    if (tp.rank() == 1) dp.all_gather(x.data(), x.data() + 10, 1, Element::f64);
    if (tp.rank() == 2) tp.recv(x.data(), 3, Element::f64, 0, 0);
  });
  tpx::detail::op_in_progress() = "";
  contains(text, " was given up on rank " + std::to_string(tp.rank()) + " of 3: ");
  contains(text,
           "rank 0 waits in all_reduce of 90 f64 (max) over tp, called by tpx::matmul, "
           "rank 1 waits in all_gather of 1 f64 over dp, called by tpx::matmul, "
           "rank 2 waits in recv of 3 f64 over tp, called by tpx::matmul");
}

}  // namespace

TEST_CASE("checked mpi: it does what it does unchecked") {
  const Mpi world = Mpi::world();
  CHECK(suite::collectives<float>(world, 7) == "");
  CHECK(suite::collectives<double>(world, 1000) == "");
  CHECK(suite::bad_arguments(world) == "");
  CHECK(suite::unequal_groups(world) == "");
}

TEST_CASE("checked shared memory: it does what it does unchecked") {
  const SharedMemory world = SharedMemory::over(Mpi::world());
  CHECK(suite::collectives<float>(world, 7) == "");
  CHECK(suite::collectives<double>(world, 50000) == "");
  CHECK(suite::unequal_groups(world) == "");
  const std::shared_ptr<void> memory = world.symmetric_memory()(80000);
  CHECK(world.is_symmetric(memory.get(), 80000));
}

TEST_CASE("checked: collectives that differ are an error on all ranks, which name both and may go on") {
  Mpi world = Mpi::world();
  if (world.size() == 1) return;
  SharedMemory shared = SharedMemory::over(world);
  calls_differ(world);
  calls_differ(shared);
}

TEST_CASE("checked: the time to wait is a number of seconds") {
  const Mpi world = Mpi::world();
  for (const char* const wrong : {"", "0", "-3", "soon", "1.5", "7s"}) {
    const Timeout set(wrong);
    const std::string rule = "TPX_TIMEOUT is a number of seconds, at least 1; TPX_TIMEOUT = ";
    contains(suite::error_of([] { Mpi::world(); }), rule + wrong);
    contains(suite::error_of([&] { SharedMemory::over(world); }), rule + wrong);
  }
}

TEST_CASE("checked shared memory: ranks that wait for one another give up, and say what each waits in") {
  const Mpi mpi = Mpi::world();
  if (mpi.size() != 3) return;
  const Timeout set("1");
  SharedMemory tp = SharedMemory::over(mpi);
  SharedMemory dp = tp.duplicate();
  wait_in_a_circle(tp, dp);
  mpi.barrier();
}

// The last: MPI still works on the calls that were given up.
TEST_CASE("checked mpi: ranks that wait for one another give up, and say what each waits in") {
  Mpi tp = Mpi::world();
  if (tp.size() != 3) return;
  const Timeout set("1");
  Mpi dp = tp.duplicate();
  wait_in_a_circle(tp, dp);
}
