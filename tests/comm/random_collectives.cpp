// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   tpx_random_collectives CALLS ROUNDS [SEED]
//
// CALLS calls through shared memory, of random kind, size, alignment, element and group, on buffers in ordinary
// and in symmetric memory. They come in batches of 8 to 32, back to back: nothing else keeps the ranks in step,
// every call finds new numbers in the buffers of the one before, which are overwritten as soon as it returns.
// Then MPI makes the same calls, and gives the same. Then ROUNDS meetings of the flag protocol and a tenth
// as many messages: what a rank wrote before is there for the others, and stays while they read. Exit code 0
// where all is right.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <tpx/comm/mpi.hpp>
#include <tpx/comm/shared_memory.hpp>

#include "litmus.hpp"
#include "suite.hpp"

namespace {

using tpx::Element;
using tpx::comm::Mpi;
using tpx::comm::Reduction;
using tpx::comm::SharedMemory;

/// xorshift64*: the same numbers on every rank.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}
  std::int64_t below(std::int64_t n) {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<std::int64_t>((state_ * 2685821657736338717U >> 33) % static_cast<std::uint64_t>(n));
  }

 private:
  std::uint64_t state_;
};

/// Ranks that call one another both ways.
struct Group {
  SharedMemory tested;
  Mpi oracle;
};

/// What one call is, the same on every rank but for what group it is in and where its buffers are.
struct Call {
  std::int64_t kind, n, before;
  std::vector<std::vector<std::int64_t>> counts;  ///< counts[r][k] goes from r to k in an uneven all_to_all
  const Group* group;
  Element element;
  Reduction reduction;
  std::int64_t root, far;  ///< less than 840, which every number of ranks up to 8 divides
  int first;               ///< decides which numbers are sent
  bool symmetric_send, symmetric_recv, in_place;
  std::int64_t kept;  ///< where its result is

  int p() const { return group->oracle.size(); }
  int me() const { return group->oracle.rank(); }
};

class Calls {
 public:
  static constexpr std::int64_t kinds = 11;
  static constexpr std::int64_t room = 12 << 20;  ///< bytes of a buffer

  Calls(const SharedMemory& tested, const Mpi& oracle, std::uint64_t seed)
      : numbers_(seed), p_(oracle.size()), me_(oracle.rank()) {
    const tpx::comm::MemorySource symmetric = tested.symmetric_memory();
    for (std::shared_ptr<void>* const buffer : {&symmetric_in_, &symmetric_out_}) {
      *buffer = symmetric(room);
      if (*buffer == nullptr) tpx::fail("random_collectives: there is no symmetric memory");
    }
    for (std::vector<std::max_align_t>* const buffer : {&in_, &out_, &kept_})
      buffer->resize(room / sizeof(std::max_align_t));
    // All, and the ways to part them: the first k, of more than four at least five, and the others backwards.
    for (int k = p_ > 4 ? 5 : 1; k <= p_; ++k) {
      std::vector<int> members;
      if (me_ < k) {
        for (int r = 0; r < k; ++r) members.push_back(r);
      } else {
        for (int r = p_ - 1; r >= k; --r) members.push_back(r);
      }
      groups_.push_back({tested.subgroup(members), oracle.subgroup(members)});
    }
  }

  /// Makes a batch of at most `most` calls, and says how the two differ; empty where they do not.
  std::string batch(std::int64_t most) {
    calls_.clear();
    std::int64_t used = 0;
    const std::int64_t count = std::min(most, 8 + numbers_.below(25));
    while (static_cast<std::int64_t>(calls_.size()) < count) {
      Call call = draw();
      call.first = static_cast<int>(numbers_.below(53));
      call.kept = used;
      // A line between results, and no more than there is room for: the same on every rank.
      used += ((p_ * call.n + 1) * tpx::element_size(call.element) + 127) / 64 * 64;
      if (used > room) break;
      calls_.push_back(std::move(call));
      with_type(calls_.back(), [&]<class T>(T) { test<T>(calls_.back()); });
    }
    made_ += static_cast<std::int64_t>(calls_.size());
    std::string found;
    for (const Call& call : calls_) with_type(call, [&]<class T>(T) { found += compare<T>(call); });
    return found;
  }

  std::int64_t made() const { return made_; }

 private:
  template <class F>
  static void with_type(const Call& call, F f) {
    tpx::detail::with_element(call.element, [&]<class T>(std::type_identity<T>) { f(T{}); });
  }

  Call draw() {
    Call call{};
    call.element = static_cast<Element>(numbers_.below(6));
    call.kind = numbers_.below(kinds);
    // Mostly small; some beyond one slot, or just at its end.
    const std::int64_t size = numbers_.below(64);
    call.n = numbers_.below(size < 40 ? 40 : size < 63 ? 3000 : 100000);
    if (size == 62) call.n = 128 * 1024 / tpx::element_size(call.element) + call.n % 3 - 1;
    call.before = numbers_.below(17);
    call.reduction = suite::reductions[static_cast<std::size_t>(numbers_.below(3))];
    call.root = numbers_.below(840);
    call.far = numbers_.below(840);
    call.in_place = numbers_.below(2) == 0;
    for (int from = 0; from < p_; ++from) {
      std::vector<std::int64_t>& row = call.counts.emplace_back();
      for (int to = 0; to < p_; ++to) row.push_back(numbers_.below(4) == 0 ? 0 : numbers_.below(call.n + 1));
    }
    // On no rank, on every rank, or on some.
    const std::int64_t send = numbers_.below(4);
    const std::int64_t recv = numbers_.below(4);
    const std::int64_t some = numbers_.below(std::int64_t{1} << p_);
    call.symmetric_send = send > 1 || (send == 1 && (some >> me_ & 1) != 0);
    call.symmetric_recv = recv > 1 || (recv == 1 && (some >> me_ & 1) != 0);
    // Mostly all ranks; the others call one after the other, so that groups run apart.
    const std::int64_t last = static_cast<std::int64_t>(groups_.size()) - 1;
    call.group = &groups_[static_cast<std::size_t>(std::min(last, numbers_.below(2 * last + 2)))];
    const std::size_t ranks = static_cast<std::size_t>(call.p());
    call.counts.resize(ranks);
    for (std::vector<std::int64_t>& row : call.counts) row.resize(ranks);
    return call;
  }

  // Each at its own distance from an aligned address.
  template <class T>
  T* send_buffer(const Call& call) {
    return static_cast<T*>(call.symmetric_send ? symmetric_in_.get() : in_.data()) + call.before + me_;
  }
  template <class T>
  void fill(const Call& call, T* send, T* recv) {
    const std::int64_t n = call.p() * call.n;
    // Less than 32, so that sums of 8 are exact in bfloat16.
    for (std::int64_t i = 0; i < n; ++i)
      send[i] = static_cast<T>(suite::value<std::int32_t>(me_ + call.first, i) % 32);
    std::fill_n(recv, n + 1, T{99});
  }

  template <class T>
  void test(const Call& call) {
    T* const send = send_buffer<T>(call);
    T* const recv = static_cast<T*>(call.symmetric_recv ? symmetric_out_.get() : out_.data()) + call.before;
    fill(call, send, recv);
    make(call.group->tested, call, send, recv);
    const std::int64_t n = call.p() * call.n;
    std::fill_n(send, n, T{98});
    std::copy_n(recv, n + 1, kept<T>(call));
    std::fill_n(recv, n, T{97});
  }

  template <class T>
  std::string compare(const Call& call) {
    T* const expected = reinterpret_cast<T*>(out_.data()) + call.before;
    T* const send = send_buffer<T>(call);
    fill(call, send, expected);
    make(call.group->oracle, call, send, expected);
    const T* const got = kept<T>(call);
    const std::int64_t n = call.p() * call.n;
    if (std::memcmp(got, expected, static_cast<std::size_t>(n + 1) * sizeof(T)) == 0) return {};
    std::int64_t i = 0;
    while (got[i] == expected[i]) ++i;
    return "kind " + std::to_string(call.kind) + " of " + std::to_string(call.n) + " " +
           tpx::name(call.element) + " on " + std::to_string(call.p()) +
           (call.symmetric_send ? ", symmetric send" : "") + (call.symmetric_recv ? ", symmetric recv" : "") +
           ": element " + std::to_string(i) + "; ";
  }

  template <class T>
  T* kept(const Call& call) {
    return reinterpret_cast<T*>(reinterpret_cast<char*>(kept_.data()) + call.kept);
  }

  template <class Comm, class T>
  void make(const Comm& comm, const Call& call, const T* send, T* recv) const {
    const Element element = call.element;
    const int p = call.p();
    const int me = call.me();
    const int root = static_cast<int>(call.root % p);
    const int far = static_cast<int>(call.far % p);
    const std::vector<std::int64_t>& counts = call.counts[0];
    std::vector<std::int64_t> incoming;
    switch (call.kind) {
      case 0:
        return comm.all_gather(send, recv, call.n, element);
      case 1:
        return comm.reduce_scatter(send, recv, call.n, element, call.reduction);
      case 2:
        return comm.all_to_all(send, recv, call.n, element);
      case 3:
        if (me == root) std::copy_n(send, call.n, recv);
        return comm.broadcast(recv, call.n, element, root);
      case 4:
        return comm.send_recv(send, call.n, (me + far) % p, recv, call.n, (me - far + p) % p, element, root);
      case 5:
        return comm.all_gather(send, recv, counts, element);
      case 6:
        return comm.reduce_scatter(send, recv, counts, element, call.reduction);
      case 7:
        for (const std::vector<std::int64_t>& row : call.counts)
          incoming.push_back(row[static_cast<std::size_t>(me)]);
        return comm.all_to_all(send, call.counts[static_cast<std::size_t>(me)], recv, incoming, element);
      case 8:
        return comm.barrier();
      case 9:  // one message
        if (far == root) return;
        if (me == root) comm.send(send, call.n, element, far, root);
        if (me == far) comm.recv(recv, call.n, element, root, root);
        return;
      default:
        if (call.in_place) std::copy_n(send, call.n, recv);
        return comm.all_reduce(call.in_place ? recv : send, recv, call.n, element, call.reduction);
    }
  }

  Numbers numbers_;
  int p_;
  int me_;
  std::int64_t made_ = 0;
  std::vector<Group> groups_;
  std::vector<Call> calls_;
  std::shared_ptr<void> symmetric_in_, symmetric_out_;
  std::vector<std::max_align_t> in_, out_, kept_;
};

/// -1 where it is no number.
std::int64_t number(const char* text) {
  const std::string_view all = text;
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(all.data(), all.data() + all.size(), value);
  return error == std::errc() && end == all.data() + all.size() ? value : -1;
}

int run(std::int64_t calls, std::int64_t rounds, std::int64_t seed) {
  const Mpi oracle = Mpi::world();
  const SharedMemory tested = SharedMemory::over(oracle);
  std::string found;
  Calls random(tested, oracle, static_cast<std::uint64_t>(seed) + 20260101);
  while (random.made() < calls) {
    const std::string wrong = random.batch(calls - random.made());
    if (!wrong.empty() && found.size() < 1000)
      found += "before call " + std::to_string(random.made()) + ": " + wrong;
  }
  if (!found.empty()) std::fprintf(stderr, "rank %d: %s\n", oracle.rank(), found.c_str());
  if (!tpx::comm::agree(oracle, found.empty())) return 1;
  litmus(oracle, rounds);
  message_litmus(oracle, rounds / 10);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (MPI_Init(&argc, &argv) != MPI_SUCCESS) return 3;
  int result = 2;
  try {
    const std::int64_t seed = argc == 4 ? number(argv[3]) : 0;
    if ((argc == 3 || argc == 4) && number(argv[1]) >= 0 && number(argv[2]) >= 0 && seed >= 0) {
      result = run(number(argv[1]), number(argv[2]), seed);
    } else {
      std::fputs("usage: tpx_random_collectives CALLS ROUNDS [SEED]\n", stderr);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tpx_random_collectives: %s\n", error.what());
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  return MPI_Finalize() == MPI_SUCCESS ? result : 3;
}
