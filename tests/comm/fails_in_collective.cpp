// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   tpx_fails_in_collective mpi|window CALL
//
// The ranks make CALL over and over, by MPI or in the window that they share, until the last is killed. The
// others say which call they were in when they are told to end, and what they were thrown out with.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <tpx/comm/mpi.hpp>
#include <tpx/comm/shared_memory.hpp>
#include <tpx/core/error.hpp>

namespace {

using tpx::Element;
using tpx::comm::Reduction;

constexpr std::int64_t n = 100000;
constexpr Element f32 = Element::f32;

struct Buffers {
  std::vector<float> in, out;
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
  } else if (what == "all_reduce_small") {
    w.all_reduce(in, out, 16, f32, Reduction::max);
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
  } else if (what == "subgroup") {
    (void)w.duplicate();
  } else {
    return false;
  }
  return true;
}

template <class Comm>
int run(Comm world, std::string_view what) {
  world.set_label("tp");
  const std::size_t p = static_cast<std::size_t>(world.size());
  Buffers buffers;
  buffers.in.resize(static_cast<std::size_t>(n) * p);
  buffers.out.resize(buffers.in.size());
  buffers.counts.assign(p, n / 2);
  try {
    for (int round = 0;; ++round) {
      if (round == 20 && world.rank() == world.size() - 1) (void)std::raise(SIGKILL);
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
  const std::string_view by = argc == 3 ? argv[1] : "";
  int result = 2;
  if (by == "mpi") result = run(tpx::comm::Mpi::world(), argv[2]);
  if (by == "window") result = run(tpx::comm::SharedMemory::over(tpx::comm::Mpi::world()), argv[2]);
  // Not MPI_Finalize: it would wait for the dead.
  std::_Exit(result);
}
