// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ranks that this process starts by fork call one another through shared memory, until it kills one of them at
// a random moment.
#include <tpx/comm/shared_memory.hpp>

#include <doctest/doctest.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <new>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <tpx/comm/self.hpp>

using tpx::Element;
using tpx::comm::Collective;
using tpx::comm::Queue;
using tpx::comm::Reduction;
using tpx::comm::SharedMemory;
using tpx::comm::detail::SharedFile;
using tpx::comm::detail::SharedWindow;

namespace {

constexpr int ranks = 3;
constexpr std::int64_t n = 100000;
constexpr Element f32 = Element::f32;
constexpr Reduction max = Reduction::max;

/// What the ranks and their parent see of one another.
struct Shared {
  struct Rank {
    std::atomic<int> rounds{0};
    std::array<char, 2000> error{};
  };
  std::atomic<int> claimed{0};
  std::array<Rank, ranks> each;
};

/// The ranks before they share memory: of a communicator, what SharedMemory::over calls.
class Forked : public tpx::comm::Self {
 public:
  explicit Forked(std::unique_ptr<SharedWindow> window) : window_(std::move(window)) {}

  int rank() const { return window_->rank(); }
  int size() const { return window_->ranks(); }
  Forked duplicate() const { tpx::fail("Forked: there is one group"); }
  Forked subgroup(std::span<const int>) const { return duplicate(); }

  using Self::all_gather;
  void all_gather(const void* send, void* recv, std::int64_t count, Element element, Queue = {}) const {
    tpx::comm::detail::slots::all_gather(*window_, {count, -1, Collective::all_gather, element}, send, recv,
                                         tpx::comm::detail::Blocks(count));
  }
  void all_reduce(const void* send, void* recv, std::int64_t count, Element element, Reduction reduction,
                  Queue = {}) const {
    tpx::comm::detail::slots::all_reduce(*window_, {count, -1, Collective::all_reduce, element, reduction},
                                         send, recv);
  }
  void broadcast(void* buffer, std::int64_t count, Element element, int root, Queue = {}) const {
    tpx::comm::detail::slots::broadcast(*window_, {count, root, Collective::broadcast, element}, buffer);
  }

 private:
  std::unique_ptr<SharedWindow> window_;
};

struct Buffers {
  explicit Buffers(const SharedMemory& w)
      : here(2 * ranks * n),
        there(w.symmetric_memory()(2 * ranks * n * 4)),
        counts{n / 2, 0, n},
        own(ranks, counts[static_cast<std::size_t>(w.rank())]),
        in(here.data()),
        out(in + ranks * n),
        symmetric_in(static_cast<float*>(there.get())),
        symmetric_out(symmetric_in + ranks * n) {
    if (there == nullptr) tpx::fail("there is no symmetric memory");
  }

  std::vector<float> here;
  std::shared_ptr<void> there;
  std::vector<std::int64_t> counts, own;  ///< own: as many to every rank, on each another number
  float *in, *out, *symmetric_in, *symmetric_out;
};

struct Kind {
  std::string said;  ///< how the survivors' calls begin
  void (*make)(const SharedMemory& w, Buffers& b);
  std::string other = said;  ///< or so
};

int next(const SharedMemory& w) { return (w.rank() + 1) % ranks; }
int previous(const SharedMemory& w) { return (w.rank() + ranks - 1) % ranks; }

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {"barrier", [](const SharedMemory& w, Buffers&) { w.barrier(); }},
      {"all_reduce of 16 f32 (max)",
       [](const SharedMemory& w, Buffers& b) { w.all_reduce(b.in, b.out, 16, f32, max); }},
      {"all_reduce of 100000 f32 (max)",
       [](const SharedMemory& w, Buffers& b) { w.all_reduce(b.in, b.out, n, f32, max); }},
      {"all_reduce of 10000 f32",  // symmetric: every rank reads everything
       [](const SharedMemory& w, Buffers& b) {
         w.all_reduce(b.symmetric_in, b.symmetric_out, 10000, f32, Reduction::sum);
       }},
      {"all_reduce of 100000 f32",  // symmetric: each writes into the buffers of all
       [](const SharedMemory& w, Buffers& b) {
         w.all_reduce(b.symmetric_in, b.symmetric_out, n, f32, Reduction::sum);
       }},
      {"all_reduce of 99999 f32 (max)",
       [](const SharedMemory& w, Buffers& b) {
         w.all_reduce(b.symmetric_in, b.symmetric_in, 99999, f32, max);
       }},
      {"all_reduce of 99998 f32",
       [](const SharedMemory& w, Buffers& b) {
         const auto zeros = [](std::span<const void* const>, std::span<void* const> sums) {
           for (void* const sum : sums) std::fill_n(static_cast<float*>(sum), 99998, 0.0F);
         };
         if (!w.sum_in_place(b.symmetric_in, b.symmetric_out, 99998, f32, zeros)) tpx::fail("not in place");
       }},
      {"all_gather of 100000 f32",
       [](const SharedMemory& w, Buffers& b) { w.all_gather(b.in, b.out, n, f32); }},
      {"all_gather of 99999 f32",
       [](const SharedMemory& w, Buffers& b) { w.all_gather(b.symmetric_in, b.symmetric_out, 99999, f32); }},
      {"all_gather of 150000 f32 in uneven blocks",
       [](const SharedMemory& w, Buffers& b) { w.all_gather(b.in, b.out, b.counts, f32); }},
      {"all_gather of 77 f32",
       [](const SharedMemory& w, Buffers& b) {
         const auto copy = [&](std::span<const void* const> buffers) {
           std::copy_n(static_cast<const float*>(buffers[static_cast<std::size_t>(next(w))]), n, b.out);
         };
         if (!w.read_in_place(Collective::all_gather, b.symmetric_in, n, 77, f32, copy))
           tpx::fail("not in place");
       }},
      {"reduce_scatter of 100000 f32",
       [](const SharedMemory& w, Buffers& b) { w.reduce_scatter(b.in, b.out, n, f32, Reduction::sum); }},
      {"reduce_scatter of 99999 f32 (max)",
       [](const SharedMemory& w, Buffers& b) {
         w.reduce_scatter(b.symmetric_in, b.symmetric_out, 99999, f32, max);
       }},
      {"reduce_scatter of 150000 f32 (max) in uneven blocks",
       [](const SharedMemory& w, Buffers& b) { w.reduce_scatter(b.in, b.out, b.counts, f32, max); }},
      {"all_to_all of 100000 f32",
       [](const SharedMemory& w, Buffers& b) { w.all_to_all(b.in, b.out, n, f32); }},
      {"all_to_all of 99999 f32",
       [](const SharedMemory& w, Buffers& b) { w.all_to_all(b.symmetric_in, b.symmetric_out, 99999, f32); }},
      {"all_to_all of f32 in uneven blocks",
       [](const SharedMemory& w, Buffers& b) { w.all_to_all(b.symmetric_in, b.own, b.out, b.counts, f32); }},
      {"broadcast of 100000 f32, root 2",
       [](const SharedMemory& w, Buffers& b) { w.broadcast(b.in, n, f32, 2); }},
      {"broadcast of 99999 f32, root 1",
       [](const SharedMemory& w, Buffers& b) { w.broadcast(b.symmetric_in, 99999, f32, 1); }},
      {"send_recv of 100000 f32",
       [](const SharedMemory& w, Buffers& b) { w.send_recv(b.in, n, next(w), b.out, n, previous(w), f32, 0); },
       "send of 100000 f32"},
      {"send of 100000 f32",
       [](const SharedMemory& w, Buffers& b) {
         if (w.rank() < ranks - 1) return w.send(b.in, n, f32, ranks - 1, 0);
         for (int from = 0; from < ranks - 1; ++from) w.recv(b.out, n, f32, from, 0);
       },
       "recv of 100000 f32"},
      {"recv of 100000 f32",
       [](const SharedMemory& w, Buffers& b) {
         if (w.rank() > 0) return w.recv(b.out, n, f32, 0, 0);
         for (int to = 1; to < ranks; ++to) w.send(b.in, n, f32, to, 0);
       },
       "send of 100000 f32"},
      {"all_gather of 3 i64", [](const SharedMemory& w, Buffers&) { (void)w.duplicate(); },
       "all_reduce of 1 i32 (min)"},
  };
  return all;
}

/// Makes the call until it throws.
[[noreturn]] void run_rank(const Kind& kind, SharedFile file, int rank, Shared& shared) {
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string error;
  try {
    auto window = std::make_unique<SharedWindow>(std::move(file), rank, ranks);
    error = window->claim();
    if (!error.empty()) tpx::fail(error);
    ++shared.claimed;
    while (shared.claimed.load() < ranks) std::this_thread::yield();
    SharedMemory world = SharedMemory::over(Forked(std::move(window)));
    world.set_label("tp");
    Buffers buffers(world);
    world.barrier();
    for (;;) {
      kind.make(world, buffers);
      ++shared.each[static_cast<std::size_t>(rank)].rounds;
    }
  } catch (const tpx::Error& thrown) {
    error = thrown.what();
  }
  std::array<char, 2000>& said = shared.each[static_cast<std::size_t>(rank)].error;
  error.copy(said.data(), said.size() - 1);
  ::_exit(0);
}

using Clock = std::chrono::steady_clock;

/// True when it came true in time.
template <class F>
bool within_ten_seconds(F f) {
  const auto end = Clock::now() + std::chrono::seconds(10);
  while (!f()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return true;
}

/// How a rank said that `victim` is dead, in the call or the other.
bool names(const std::string& said, const Kind& kind, int rank, int victim, pid_t process) {
  const std::string rest = " over tp was given up on rank " + std::to_string(rank) + " of 3: rank " +
                           std::to_string(victim) + " is dead: its process " + std::to_string(process) +
                           " has ended";
  return said == "tpx::comm::SharedMemory: " + kind.said + rest ||
         said == "tpx::comm::SharedMemory: " + kind.other + rest;
}

void kill_one(const Kind& kind, int victim, std::chrono::microseconds delay) {
  void* const page = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  Shared& shared = *new (page) Shared;
  std::array<pid_t, ranks> processes{};
  {
    SharedFile file;
    REQUIRE(file.create(SharedWindow::bytes(ranks)) == "");
    SharedWindow::construct(file.memory(), ranks);
    for (int rank = 0; rank < ranks; ++rank) {
      const pid_t child = ::fork();
      if (child == 0) run_rank(kind, std::move(file), rank, shared);
      processes[static_cast<std::size_t>(rank)] = child;
    }
  }
  CHECK(within_ten_seconds([&] {
    return std::all_of(shared.each.begin(), shared.each.end(), [](auto& each) { return each.rounds > 2; });
  }));
  std::this_thread::sleep_for(delay);
  CHECK(::kill(processes[static_cast<std::size_t>(victim)], SIGKILL) == 0);
  for (int rank = 0; rank < ranks; ++rank) {
    const pid_t process = processes[static_cast<std::size_t>(rank)];
    int status = 0;
    const bool ended = within_ten_seconds([&] { return ::waitpid(process, &status, WNOHANG) == process; });
    CHECK_MESSAGE(ended, "rank ", rank, " goes on");
    if (!ended) {
      (void)::kill(process, SIGKILL);
      (void)::waitpid(process, &status, 0);
    }
    const std::string said = shared.each[static_cast<std::size_t>(rank)].error.data();
    if (rank == victim) {
      CHECK(WIFSIGNALED(status));
    } else {
      CHECK(WIFEXITED(status));
      CHECK_MESSAGE(names(said, kind, rank, victim, processes[static_cast<std::size_t>(victim)]), said);
    }
  }
  CHECK(::munmap(page, sizeof(Shared)) == 0);
}

}  // namespace

TEST_CASE("killed: wherever a rank dies in a call, the others name it, the call and the axis") {
  std::random_device seed;
  std::mt19937 numbers(seed());
  std::uniform_int_distribution<int> microseconds(0, 3000);
  for (const Kind& kind : kinds())
    for (int victim = 0; victim < ranks; ++victim) {
      const std::chrono::microseconds delay(microseconds(numbers));
      INFO(kind.said, ", rank ", victim, " after ", delay.count(), " us");
      kill_one(kind, victim, delay);
    }
  for (const auto& file : std::filesystem::directory_iterator("/dev/shm"))
    CHECK(file.path().filename().string().find("tpx") == std::string::npos);
}
