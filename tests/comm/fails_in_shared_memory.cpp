// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   tpx_fails_in_shared_memory CALL
//
// The ranks make CALL over and over, until the last is killed. The others print what they were thrown out with.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <tpx/comm/mpi.hpp>
#include <tpx/comm/shared_memory.hpp>
#include <tpx/core/error.hpp>

namespace {

using tpx::Element;
using tpx::comm::Reduction;
using tpx::comm::SharedMemory;

constexpr std::int64_t n = 100000;

struct Buffers {
  std::vector<float> in, out;
};
using Call = void (*)(const SharedMemory&, Buffers&);

const std::map<std::string, Call> calls{
    {"barrier", [](const SharedMemory& w, Buffers&) { w.barrier(); }},
    {"all_reduce_small",
     [](const SharedMemory& w, Buffers& b) {
       w.all_reduce(b.in.data(), b.out.data(), 16, Element::f32, Reduction::max);
     }},
    {"all_reduce",
     [](const SharedMemory& w, Buffers& b) {
       w.all_reduce(b.in.data(), b.out.data(), n, Element::f32, Reduction::max);
     }},
    {"all_gather",
     [](const SharedMemory& w, Buffers& b) { w.all_gather(b.in.data(), b.out.data(), n, Element::f32); }},
    {"reduce_scatter",
     [](const SharedMemory& w, Buffers& b) {
       w.reduce_scatter(b.in.data(), b.out.data(), n, Element::f32, Reduction::max);
     }},
    {"all_to_all",
     [](const SharedMemory& w, Buffers& b) { w.all_to_all(b.in.data(), b.out.data(), n, Element::f32); }},
    {"broadcast", [](const SharedMemory& w, Buffers& b) { w.broadcast(b.in.data(), n, Element::f32, 0); }},
    {"send_recv",
     [](const SharedMemory& w, Buffers& b) {
       const int p = w.size();
       w.send_recv(b.in.data(), n, (w.rank() + 1) % p, b.out.data(), n, (w.rank() + p - 1) % p, Element::f32,
                   0);
     }},
    {"subgroup", [](const SharedMemory& w, Buffers&) { (void)w.duplicate(); }},
};

int run(const std::string& what) {
  const tpx::comm::Mpi mpi = tpx::comm::Mpi::world();
  const auto call = calls.find(what);
  if (call == calls.end()) return 2;
  const SharedMemory world = SharedMemory::over(mpi);
  Buffers buffers;
  buffers.in.resize(static_cast<std::size_t>(n * world.size()));
  buffers.out.resize(buffers.in.size());
  try {
    for (int round = 0;; ++round) {
      if (round == 20 && world.rank() == world.size() - 1) (void)std::raise(SIGKILL);
      call->second(world, buffers);
    }
  } catch (const tpx::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // The launcher asks the others to end as soon as one did; after a second it insists.
  if (std::signal(SIGTERM, SIG_IGN) == SIG_ERR || MPI_Init(&argc, &argv) != MPI_SUCCESS) return 3;
  const int result = argc == 2 ? run(argv[1]) : 2;
  // Not MPI_Finalize: it would wait for the dead.
  std::_Exit(result);
}
