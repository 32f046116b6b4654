// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/comm/shared_memory.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <tpx/comm/abstract.hpp>
#include <tpx/comm/mpi.hpp>
#include <tpx/comm/recording.hpp>

#include "count_allocations.hpp"
#include "suite.hpp"

using tpx::Element;
using tpx::comm::Mpi;
using tpx::comm::Node;
using tpx::comm::Reduction;
using tpx::comm::SharedMemory;

static_assert(tpx::comm::Communicator<SharedMemory>);
static_assert(SharedMemory::host_driven);
static_assert(!std::is_copy_constructible_v<SharedMemory>);

namespace {

SharedMemory shared_world() { return SharedMemory::over(Mpi::world()); }

Node node_named(char letter) {
  Node node{};
  node[0] = letter;
  return node;
}

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

/// A call with the same arguments on both communicators; how their results differ, if they do.
template <class T>
std::string random_call(const SharedMemory& tested, const Mpi& oracle, Numbers& numbers) {
  const int p = oracle.size();
  const int me = oracle.rank();
  const std::int64_t kind = numbers.below(6);
  // Mostly small; some beyond one slot, or just at its end.
  const std::int64_t size = numbers.below(16);
  std::int64_t n = numbers.below(size < 10 ? 40 : size < 15 ? 5000 : 150000);
  if (size == 15 && kind == 5) n = 128 * 1024 / static_cast<std::int64_t>(sizeof(T)) + n % 3 - 1;
  const std::int64_t before = numbers.below(17);
  const Reduction reduction = suite::reductions[static_cast<std::size_t>(numbers.below(3))];
  const int root = static_cast<int>(numbers.below(p));
  const int far = static_cast<int>(numbers.below(p));
  const bool in_place = numbers.below(2) == 0;
  const Element element = tpx::element_v<T>;

  // Each at its own distance from an aligned address.
  std::vector<T> sent = suite::held<T>(me + static_cast<int>(before), before + me + p * n);
  std::vector<T> a(static_cast<std::size_t>(before + p * n + 1), T{99});
  T* const send = sent.data() + before + me;
  const auto both = [&](auto call) {
    std::vector<T> b = a;
    call(tested, a.data() + before);
    call(oracle, b.data() + before);
    if (a == b) return std::string();
    std::size_t i = 0;
    while (a[i] == b[i]) ++i;
    return "kind " + std::to_string(kind) + " of " + std::to_string(n) + " " + tpx::name(element) +
           ", element " + std::to_string(i) + "; ";
  };
  switch (kind) {
    case 0:
      return both([&](const auto& comm, T* out) { comm.all_gather(send, out, n, element); });
    case 1:
      return both([&](const auto& comm, T* out) { comm.reduce_scatter(send, out, n, element, reduction); });
    case 2:
      return both([&](const auto& comm, T* out) { comm.all_to_all(send, out, n, element); });
    case 3:
      return both([&](const auto& comm, T* out) {
        if (me == root) std::copy_n(send, n, out);
        comm.broadcast(out, n, element, root);
      });
    case 4:
      return both([&](const auto& comm, T* out) {
        comm.send_recv(send, n, (me + far) % p, out, n, (me - far + p) % p, element, root);
      });
    default:
      return both([&](const auto& comm, T* out) {
        if (in_place) std::copy_n(send, n, out);
        comm.all_reduce(in_place ? out : send, out, n, element, reduction);
      });
  }
}

}  // namespace

TEST_CASE_TEMPLATE("shared memory: every collective", T, float, double, std::int32_t, std::int64_t,
                   unsigned char) {
  const SharedMemory world = shared_world();
  for (const std::int64_t n : suite::lengths) CHECK(suite::collectives<T>(world, n) == "");
  for (const std::int64_t n : {16 * 1024 - 1, 32 * 1024, 50000, 200001})
    CHECK(suite::collectives<T>(world, n) == "");
}

TEST_CASE("shared memory: groups") {
  const SharedMemory world = shared_world();
  CHECK(suite::rows_and_columns(world, 1, world.size()) == "");
  CHECK(suite::rows_and_columns(world, world.size(), 1) == "");
  if (world.size() == 4) CHECK(suite::rows_and_columns(world, 2, 2) == "");
  CHECK(suite::unequal_groups(world) == "");
  if (world.size() > 1) CHECK(suite::contradictory_groups(world) == "");
  if (world.size() > 1) CHECK(suite::contradictory_blocks(world, true) == "");
}

TEST_CASE("shared memory: messages, agreement, nothing and bad arguments") {
  const SharedMemory world = shared_world();
  CHECK(suite::messages_keep_their_order(world) == "");
  CHECK(suite::agreement(world) == "");
  CHECK(suite::nothing(world) == "");
  CHECK(suite::bad_arguments(world) == "");
}

TEST_CASE("shared memory: random calls give what MPI gives") {
  const Mpi oracle = Mpi::world();
  const SharedMemory tested = SharedMemory::over(oracle);
  Numbers numbers(20260101);
  std::string found;
  for (int i = 0; i < 3000; ++i) {
    switch (numbers.below(5)) {
      case 0:
        found += random_call<float>(tested, oracle, numbers);
        break;
      case 1:
        found += random_call<double>(tested, oracle, numbers);
        break;
      case 2:
        found += random_call<std::int32_t>(tested, oracle, numbers);
        break;
      case 3:
        found += random_call<std::int64_t>(tested, oracle, numbers);
        break;
      default:
        found += random_call<unsigned char>(tested, oracle, numbers);
    }
  }
  CHECK(found == "");
}

TEST_CASE("shared memory: a sum has the same bits on every rank, those of the order of the ranks") {
  const SharedMemory world = shared_world();
  const auto term = [](int rank, std::int64_t i) {
    return 1.0F / static_cast<float>(1 + (i * 7919 + rank * 104729) % 1000);
  };
  for (const std::int64_t n : {100, 3001, 100003}) {
    std::vector<float> x(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) x[static_cast<std::size_t>(i)] = term(world.rank(), i);
    std::vector<float> blocks;
    for (int block = 0; block < world.size(); ++block) blocks.insert(blocks.end(), x.begin(), x.end());
    std::vector<float> scattered(x.size());
    world.reduce_scatter(blocks.data(), scattered.data(), n, Element::f32, Reduction::sum);
    world.all_reduce(x.data(), x.data(), n, Element::f32, Reduction::sum);
    suite::Differences differences;
    const auto right = [&](std::int64_t i) {
      float sum = term(0, i);
      for (int rank = 1; rank < world.size(); ++rank) sum += term(rank, i);
      return sum;
    };
    differences.compare("all_reduce", x, n, right);
    differences.compare("reduce_scatter", scattered, n, right);
    CHECK(differences.text() == "");
  }
}

TEST_CASE("shared memory: the steady state allocates nothing") {
  const SharedMemory world = shared_world();
  const int p = world.size();
  const std::int64_t n = 50000;
  std::vector<float> in(static_cast<std::size_t>(n * p), 1.0F);
  std::vector<float> out(in.size());
  std::vector<std::int64_t> counts(static_cast<std::size_t>(p));
  const std::vector<std::int64_t> nothing(counts.size(), 0);
  const long before = allocations();
  for (const std::int64_t count : {std::int64_t{1}, n}) {
    world.all_reduce(in.data(), out.data(), count, Element::f32, Reduction::sum);
    world.all_gather(in.data(), out.data(), count, Element::f32);
    world.reduce_scatter(in.data(), out.data(), count, Element::f32, Reduction::max);
    world.all_to_all(in.data(), out.data(), count, Element::f32);
    world.broadcast(out.data(), count, Element::f32, p - 1);
    std::fill(counts.begin(), counts.end(), count);
    counts[0] = 0;
    world.all_gather(in.data(), out.data(), counts, Element::f32);
    world.reduce_scatter(in.data(), out.data(), counts, Element::f32, Reduction::sum);
    world.all_to_all(in.data(), world.rank() == 0 ? nothing : counts, out.data(),
                     world.rank() == 0 ? nothing : counts, Element::f32);
    world.send_recv(in.data(), count, (world.rank() + 1) % p, out.data(), count, (world.rank() + p - 1) % p,
                    Element::f32, 0);
    world.barrier();
  }
  CHECK(allocations() == before);
}

TEST_CASE("shared memory: ranks of two nodes are refused, on all ranks") {
  const Mpi world = Mpi::world();
  const int half = (world.size() + 1) / 2;
  const Node node = node_named(world.rank() < half ? 'a' : 'b');
  if (world.size() > 1) {
    const std::string text = suite::error_of([&] { SharedMemory::over(world, node); });
    CHECK(suite::contains(text, "the ranks share one node; rank 0 and rank " + std::to_string(half) +
                                    " are on two [on rank 0 of " + std::to_string(world.size()) + "]"));
  }
  CHECK(suite::contains(suite::error_of([&] { SharedMemory::over(world, Node{}); }), "which node this is"));
  // The ranks of each may share its memory.
  std::vector<int> members;
  for (int r = world.rank() < half ? 0 : half; r < (world.rank() < half ? half : world.size()); ++r)
    members.push_back(r);
  CHECK(suite::collectives<float>(SharedMemory::over(world.subgroup(members), node), 1000) == "");
}

TEST_CASE("shared memory: calls that differ are an error on all ranks, which name both and may go on") {
  const SharedMemory world = shared_world();
  if (world.size() == 1) return;
  const int last = world.size() - 1;
  std::vector<double> x(100000);
  const std::string kinds = suite::error_of([&] {
    if (world.rank() == last) {
      world.broadcast(x.data(), 1, Element::f64, 1);
    } else {
      world.all_reduce(x.data(), x.data(), 90000, Element::f64, Reduction::max);
    }
  });
  CHECK(suite::contains(kinds, "rank 0 is in all_reduce of 90000 f64 (max), rank " + std::to_string(last) +
                                   " in broadcast of 1 f64, root 1"));
  const std::string sizes = suite::error_of(
      [&] { world.all_gather(x.data(), x.data() + 1, world.rank() == 0 ? 0 : 7, Element::u8); });
  CHECK(suite::contains(sizes, "rank 0 is in all_gather of 0 u8, rank 1 in all_gather of 7 u8"));
  const std::string blocks = suite::error_of([&] {
    const std::int64_t more = world.rank() == 0 ? 3 : 2;
    std::vector<std::int64_t> counts(static_cast<std::size_t>(world.size()), 0);
    counts[0] = more;
    counts[1] = 5 - more;
    world.all_gather(x.data(), x.data() + 50, counts, Element::u8);
  });
  CHECK(suite::contains(blocks,
                        "rank 0 is in all_gather of 5 u8 in uneven blocks, rank 1 in all_gather of 5 u8 "
                        "in uneven blocks of other sizes"));
  const std::string barrier = suite::error_of([&] {
    if (world.rank() == 0) world.barrier();
    if (world.rank() != 0) world.all_reduce(x.data(), x.data(), 5, Element::i32, Reduction::sum);
  });
  CHECK(suite::contains(barrier, "rank 0 is in barrier, rank 1 in all_reduce of 5 i32"));
  CHECK(suite::collectives<float>(world, 1000) == "");
}

TEST_CASE("shared memory: a message that is not the expected one is refused on both sides") {
  const SharedMemory world = shared_world();
  if (world.size() == 1) return;
  const int me = world.rank();
  std::vector<float> sent(50000);
  std::vector<float> got(50000);
  const auto refused = [&](std::int64_t n, int tag, std::int64_t m, int other, const std::string& text) {
    const std::string error = suite::error_of([&] {
      if (me == 0) world.send(sent.data(), n, Element::f32, 1, tag);
      if (me == 1) world.recv(got.data(), m, Element::f32, 0, other);
    });
    if (me < 2) CHECK(suite::contains(error, text));
  };
  refused(4, 1, 3, 1, "rank 0 sent 4 f32 with tag 1, rank 1 expected 3 f32 with tag 1");
  refused(50000, 1, 3, 1, "rank 0 sent 50000 f32 with tag 1, rank 1 expected 3 f32 with tag 1");
  refused(3, 1, 50000, 1, "rank 0 sent 3 f32 with tag 1, rank 1 expected 50000 f32 with tag 1");
  refused(0, 1, 0, 2, "rank 0 sent 0 f32 with tag 1, rank 1 expected 0 f32 with tag 2");
  // Around the ring, one message wrong: its two ranks hear of it, and nobody waits.
  const int to = (me + 1) % world.size();
  const int from = (me + world.size() - 1) % world.size();
  const std::string ring = suite::error_of(
      [&] { world.send_recv(sent.data(), me == 0 ? 40000 : 50, to, got.data(), 50, from, Element::f32, 2); });
  if (me < 2) CHECK(suite::contains(ring, "rank 0 sent 40000 f32 with tag 2, rank 1 expected 50 f32"));
  if (me >= 2) CHECK(ring == "(none)");
  CHECK(suite::contains(suite::error_of([&] { world.send(sent.data(), 1, Element::f32, me, 0); }),
                        "send: nobody receives while"));
  CHECK(suite::contains(suite::error_of([&] { world.recv(got.data(), 1, Element::f32, me, 0); }),
                        "recv: nobody sends while"));
  CHECK(suite::contains(
      suite::error_of([&] { world.send_recv(sent.data(), 1, me, got.data(), 1, to, Element::f32, 0); }),
      "is received by the same call"));
  CHECK(suite::collectives<float>(world, 1000) == "");
}

TEST_CASE("shared memory: a rank that leaves the group is named by those who wait for it") {
  const Mpi mpi = Mpi::world();
  if (mpi.size() == 1) return;
  const int last = mpi.size() - 1;
  std::string found;
  {
    const SharedMemory world = SharedMemory::over(mpi);
    float x = 0;
    float y = 0;
    world.barrier();
    if (mpi.rank() == 0)
      found = suite::error_of([&] { world.all_reduce(&x, &y, 1, Element::f32, Reduction::sum); });
    if (mpi.rank() == 1 && last != 1)
      found = suite::error_of([&] { world.recv(&x, 1, Element::f32, last, 0); });
  }
  if (mpi.rank() == 0) {
    CHECK(suite::contains(found, "all_reduce of 1 f32 was given up on rank 0"));
    CHECK(suite::contains(found, "has left the group"));
  }
  if (mpi.rank() == 1 && last != 1)
    CHECK(suite::contains(found, "recv of 1 f32 was given up on rank 1 of " + std::to_string(mpi.size()) +
                                     ": rank " + std::to_string(last) + " has left the group"));
  mpi.barrier();
}

TEST_CASE("shared memory: a communicator moves, and leaves no file open") {
  const Mpi mpi = Mpi::world();
  SharedMemory a = SharedMemory::over(mpi);
  const int free_before = ::dup(0);
  ::close(free_before);
  for (int i = 0; i < 20; ++i) {
    SharedMemory b = a.duplicate();
    SharedMemory c = std::move(a);
    a = std::move(c);
    CHECK(suite::contains(suite::error_of([&] { c.barrier(); }), "moved-from"));
    b.barrier();
  }
  const int free_after = ::dup(0);
  ::close(free_after);
  CHECK(free_after == free_before);
  CHECK(suite::collectives<double>(a, 7) == "");
}

TEST_CASE("shared memory: recorded, and predicted by the abstract communicator") {
  const tpx::comm::Recording<SharedMemory> world(shared_world());
  CHECK(suite::collectives<float>(world, 7) == "");
  const tpx::comm::Recording<tpx::comm::Abstract> nobody(tpx::comm::Abstract(world.size(), world.rank()));
  suite::collectives<float>(nobody, 7);
  CHECK(world.log().total("world", tpx::comm::Collective::broadcast).elements == 7 * world.size());
  CHECK(world.log().entries() == nobody.log().entries());
}
