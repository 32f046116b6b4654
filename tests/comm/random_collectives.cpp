// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//   tpx_random_collectives CALLS ROUNDS
//
// CALLS collectives through shared memory and by MPI, of random kind, size, alignment and element, on buffers
// in ordinary and in symmetric memory: both give the same. Then ROUNDS meetings of the flag protocol: what a
// rank wrote before it came is there for all others, and stays while they read. Exit code 0 where all is right.
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

/// What one call is, the same on every rank; where its buffers are is each rank's own.
struct Call {
  std::int64_t kind, n, before;
  std::vector<std::vector<std::int64_t>> counts;  ///< counts[r][k] goes from r to k in an uneven all_to_all
  Reduction reduction;
  int root, far;
  bool symmetric_send, symmetric_recv, in_place;
};

class Calls {
 public:
  static constexpr std::int64_t kinds = 9;
  static constexpr std::int64_t room = 12 << 20;  ///< bytes of a buffer

  Calls(const SharedMemory& tested, const Mpi& oracle, std::uint64_t seed)
      : tested_(tested), oracle_(oracle), numbers_(seed), p_(oracle.size()), me_(oracle.rank()) {
    const tpx::comm::MemorySource symmetric = tested.symmetric_memory();
    for (std::shared_ptr<void>* const buffer : {&symmetric_in_, &symmetric_out_}) {
      *buffer = symmetric(room);
      if (*buffer == nullptr) tpx::fail("random_collectives: there is no symmetric memory");
    }
    for (std::vector<std::max_align_t>* const buffer : {&in_, &out_, &expected_})
      buffer->resize(room / sizeof(std::max_align_t));
  }

  /// How the two differ in the next call; empty where they do not.
  std::string next() {
    switch (numbers_.below(6)) {
      case 0:
        return next<float>();
      case 1:
        return next<double>();
      case 2:
        return next<std::int32_t>();
      case 3:
        return next<std::int64_t>();
      case 4:
        return next<tpx::bfloat16>();
      default:
        return next<unsigned char>();
    }
  }

 private:
  Call draw(std::int64_t element_bytes) {
    Call call;
    call.kind = numbers_.below(kinds);
    // Mostly small; some beyond one slot, or just at its end.
    const std::int64_t size = numbers_.below(32);
    call.n = numbers_.below(size < 20 ? 40 : size < 31 ? 3000 : 100000);
    if (size == 30) call.n = 128 * 1024 / element_bytes + call.n % 3 - 1;
    call.before = numbers_.below(17);
    call.reduction = suite::reductions[static_cast<std::size_t>(numbers_.below(3))];
    call.root = static_cast<int>(numbers_.below(p_));
    call.far = static_cast<int>(numbers_.below(p_));
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
    return call;
  }

  template <class T>
  std::string next() {
    const Call call = draw(sizeof(T));
    const std::int64_t elements = call.before + me_ + p_ * call.n + 1;
    if (2 * elements * static_cast<std::int64_t>(sizeof(T)) > room) return "a call is too large; ";
    // Each at its own distance from an aligned address.
    T* const send = static_cast<T*>(call.symmetric_send ? symmetric_in_.get() : in_.data()) + call.before + me_;
    T* const recv = static_cast<T*>(call.symmetric_recv ? symmetric_out_.get() : out_.data()) + call.before;
    T* const expected = reinterpret_cast<T*>(expected_.data()) + call.before;
    const std::int64_t n = p_ * call.n;
    for (std::int64_t i = 0; i < n; ++i) send[i] = suite::value<T>(me_ + static_cast<int>(call.before), i);
    std::fill_n(recv, n + 1, T{99});
    std::fill_n(expected, n + 1, T{99});
    make(tested_, call, send, recv);
    make(oracle_, call, send, expected);
    if (std::memcmp(recv, expected, static_cast<std::size_t>(n + 1) * sizeof(T)) == 0) return {};
    std::int64_t i = 0;
    while (recv[i] == expected[i]) ++i;
    return "kind " + std::to_string(call.kind) + " of " + std::to_string(call.n) + " " +
           tpx::name(tpx::element_v<T>) + (call.symmetric_send ? ", symmetric send" : "") +
           (call.symmetric_recv ? ", symmetric recv" : "") + ": element " + std::to_string(i) + "; ";
  }

  template <class Comm, class T>
  void make(const Comm& comm, const Call& call, const T* send, T* recv) const {
    const Element element = tpx::element_v<T>;
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
        if (me_ == call.root) std::copy_n(send, call.n, recv);
        return comm.broadcast(recv, call.n, element, call.root);
      case 4:
        return comm.send_recv(send, call.n, (me_ + call.far) % p_, recv, call.n, (me_ - call.far + p_) % p_,
                              element, call.root);
      case 5:
        return comm.all_gather(send, recv, counts, element);
      case 6:
        return comm.reduce_scatter(send, recv, counts, element, call.reduction);
      case 7:
        for (const std::vector<std::int64_t>& row : call.counts)
          incoming.push_back(row[static_cast<std::size_t>(me_)]);
        return comm.all_to_all(send, call.counts[static_cast<std::size_t>(me_)], recv, incoming, element);
      default:
        if (call.in_place) std::copy_n(send, call.n, recv);
        return comm.all_reduce(call.in_place ? recv : send, recv, call.n, element, call.reduction);
    }
  }

  const SharedMemory& tested_;
  const Mpi& oracle_;
  Numbers numbers_;
  int p_;
  int me_;
  std::shared_ptr<void> symmetric_in_, symmetric_out_;
  std::vector<std::max_align_t> in_, out_, expected_;
};

/// -1 where it is no number.
std::int64_t number(const char* text) {
  const std::string_view all = text;
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(all.data(), all.data() + all.size(), value);
  return error == std::errc() && end == all.data() + all.size() ? value : -1;
}

int run(std::int64_t calls, std::int64_t rounds) {
  const Mpi oracle = Mpi::world();
  const SharedMemory tested = SharedMemory::over(oracle);
  std::string found;
  Calls random(tested, oracle, 20260101);
  for (std::int64_t i = 0; i < calls && found.size() < 1000; ++i)
    if (const std::string wrong = random.next(); !wrong.empty())
      found += "call " + std::to_string(i) + ": " + wrong;
  if (!found.empty()) std::fprintf(stderr, "rank %d: %s\n", oracle.rank(), found.c_str());
  if (!tpx::comm::agree(oracle, found.empty())) return 1;
  litmus(oracle, rounds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (MPI_Init(&argc, &argv) != MPI_SUCCESS) return 3;
  int result = 2;
  try {
    if (argc == 3 && number(argv[1]) >= 0 && number(argv[2]) >= 0) {
      result = run(number(argv[1]), number(argv[2]));
    } else {
      std::fputs("usage: tpx_random_collectives CALLS ROUNDS\n", stderr);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tpx_random_collectives: %s\n", error.what());
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  return MPI_Finalize() == MPI_SUCCESS ? result : 3;
}
