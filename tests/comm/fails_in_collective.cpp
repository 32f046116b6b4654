// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   tpx_fails_in_collective mpi|window|nodes CALL VICTIM
//
// The ranks make CALL over and over, by MPI, in the window that they share, or by both where the last rank
// counts as a node of its own, until rank VICTIM is killed at a random moment. The others say which call they
// were in when they are told to end, and what they were thrown out with.
#include <sys/time.h>

#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/comm/mpi.hpp>
#include <tpx/comm/nodes.hpp>
#include <tpx/comm/shared_memory.hpp>
#include <tpx/core/error.hpp>

namespace {

using tpx::Element;
using tpx::comm::Reduction;

constexpr std::int64_t n = 100000;
constexpr Element f32 = Element::f32;

struct Buffers {
  std::vector<float> in, out;
  std::shared_ptr<void> symmetric;  ///< n floats, where the communicator has such memory
  std::vector<std::int64_t> counts;
};

/// False where there is no such call.
template <class Comm>
bool make(const Comm& w, Buffers& b, std::string_view what) {
  float* const in = b.in.data();
  float* const out = b.out.data();
  const int p = w.size();
  const int next = (w.rank() + 1) % p;
  const int previous = (w.rank() + p - 1) % p;
  if (what == "barrier") {
    w.barrier();
  } else if (what == "all_reduce_symmetric") {
    float* const sum = static_cast<float*>(b.symmetric.get());
    w.all_reduce(sum, sum, n, f32, Reduction::max);
  } else if (what == "all_reduce") {
    w.all_reduce(in, out, n, f32, Reduction::max);
  } else if (what == "all_gather") {
    w.all_gather(in, out, n, f32);
  } else if (what == "reduce_scatter") {
    w.reduce_scatter(in, out, n, f32, Reduction::max);
  } else if (what == "all_to_all") {
    w.all_to_all(in, out, n, f32);
  } else if (what == "all_gather_uneven") {
    w.all_gather(in, out, b.counts, f32);
  } else if (what == "reduce_scatter_uneven") {
    w.reduce_scatter(in, out, b.counts, f32, Reduction::max);
  } else if (what == "all_to_all_uneven") {
    w.all_to_all(in, b.counts, out, b.counts, f32);
  } else if (what == "broadcast") {
    w.broadcast(in, n, f32, p - 1);
  } else if (what == "send_recv") {
    w.send_recv(in, n, next, out, n, previous, f32, 0);
  } else if (what == "recv" && w.rank() < p - 1) {
    w.recv(out, n, f32, p - 1, 0);
  } else if (what == "recv") {
    for (int to = 0; to < p - 1; ++to) w.send(in, n, f32, to, 0);
  } else if (what == "send" && w.rank() < p - 1) {
    w.send(in, n, f32, p - 1, 0);
  } else if (what == "send") {
    for (int from = 0; from < p - 1; ++from) w.recv(out, n, f32, from, 0);
  } else {
    return false;
  }
  return true;
}

/// Kills this process at a random moment of the next milliseconds.
bool kill_soon() {
  std::random_device seed;
  itimerval timer{};
  timer.it_value.tv_usec = 1 + static_cast<suseconds_t>(seed() % 20000);
  return std::signal(SIGALRM, [](int) { (void)std::raise(SIGKILL); }) != SIG_ERR &&
         ::setitimer(ITIMER_REAL, &timer, nullptr) == 0;
}

template <class Comm>
int run(Comm world, std::string_view what, int victim) {
  world.set_label("tp");
  const std::size_t p = static_cast<std::size_t>(world.size());
  Buffers buffers;
  buffers.in.resize(static_cast<std::size_t>(n) * p);
  buffers.out.resize(buffers.in.size());
  buffers.counts.assign(p, n / 2);
  if constexpr (requires { world.symmetric_memory(); }) buffers.symmetric = world.symmetric_memory()(n * 4);
  try {
    for (int round = 0;; ++round) {
      if (round == 20 && world.rank() == victim && !kill_soon()) return 2;
      if (!make(world, buffers, what)) return 2;
    }
  } catch (const tpx::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (MPI_Init(&argc, &argv) != MPI_SUCCESS) return 3;
  tpx::comm::report_on_termination();
  const std::string_view by = argc == 4 ? argv[1] : "";
  const std::string_view last = argc == 4 ? argv[3] : "";
  int victim = -1;
  int result = 2;
  if (std::from_chars(last.data(), last.data() + last.size(), victim).ec == std::errc()) {
    tpx::comm::Mpi world = tpx::comm::Mpi::world();
    if (by == "window") result = run(tpx::comm::SharedMemory::over(world), argv[2], victim);
    tpx::comm::Node node{};
    node[0] = world.rank() == world.size() - 1 ? 'b' : 'a';
    if (by == "nodes")
      result = run(tpx::comm::Nodes<tpx::comm::Mpi>::over(std::move(world), node), argv[2], victim);
    if (by == "mpi") result = run(std::move(world), argv[2], victim);
  }
  // Not MPI_Finalize: it would wait for the dead.
  std::_Exit(result);
}
