// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/comm/shared_memory.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
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

}  // namespace

TEST_CASE_TEMPLATE("shared memory: every collective", T, float, double, std::int32_t, std::int64_t,
                   unsigned char, tpx::bfloat16) {
  const SharedMemory world = shared_world();
  for (const std::int64_t n : suite::lengths) CHECK(suite::collectives<T>(world, n) == "");
  for (const std::int64_t n : {16 * 1024 - 1, 32 * 1024, 50000, 200001})
    CHECK(suite::collectives<T>(world, n) == "");
}

TEST_CASE("shared memory: sums of bfloat16 are rounded once") {
  const SharedMemory world = shared_world();
  for (const std::int64_t n : {100, 70000}) CHECK(suite::sums_of_bfloat16(world, n) == "");
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

TEST_CASE("shared memory: a sum has the same bits on every rank, those of the order of the ranks") {
  const SharedMemory world = shared_world();
  const auto term = [](int rank, std::int64_t i) {
    return 1.0F / static_cast<float>(1 + (i * 7919 + rank * 104729) % 1000);
  };
  const auto right = [&](std::int64_t i) {
    float sum = term(0, i);
    for (int rank = 1; rank < world.size(); ++rank) sum += term(rank, i);
    return sum;
  };
  const tpx::comm::MemorySource symmetric = world.symmetric_memory();
  for (const std::int64_t n : {100, 3001, 16385, 100003}) {
    suite::Differences differences;
    std::vector<float> x(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) x[static_cast<std::size_t>(i)] = term(world.rank(), i);
    std::vector<float> blocks;
    for (int block = 0; block < world.size(); ++block) blocks.insert(blocks.end(), x.begin(), x.end());
    std::vector<float> sum(x.size());
    const auto reduce = [&](const char* what, const float* terms, const float* all_terms, float* in_place,
                            float* out) {
      world.reduce_scatter(all_terms, sum.data(), n, Element::f32, Reduction::sum);
      differences.compare(std::string("reduce_scatter ") + what, sum, n, right);
      world.all_reduce(terms, sum.data(), n, Element::f32, Reduction::sum);
      differences.compare(std::string("all_reduce ") + what, sum, n, right);
      world.all_reduce(terms, out, n, Element::f32, Reduction::sum);
      std::copy_n(out, n, sum.begin());
      differences.compare(std::string("all_reduce beside ") + what, sum, n, right);
      std::copy_n(terms, n, in_place);
      world.all_reduce(in_place, in_place, n, Element::f32, Reduction::sum);
      std::copy_n(in_place, n, sum.begin());
      differences.compare(std::string("all_reduce in place ") + what, sum, n, right);
    };
    std::vector<float> out(x.size());
    std::vector<float> in_place(x.size());
    reduce("anywhere", x.data(), blocks.data(), in_place.data(), out.data());
    const std::int64_t bytes = n * static_cast<std::int64_t>(sizeof(float));
    const std::shared_ptr<void> there = symmetric((3 + world.size()) * bytes);
    REQUIRE(there != nullptr);
    float* const terms = static_cast<float*>(there.get());
    std::copy(x.begin(), x.end(), terms);
    std::copy(blocks.begin(), blocks.end(), terms + 3 * n);
    reduce("in symmetric memory", terms, terms + 3 * n, terms + n, terms + 2 * n);
    CHECK(differences.text() == "");
  }
}

TEST_CASE("shared memory: symmetric memory is given out, given back, and used up") {
  const SharedMemory world = shared_world();
  const tpx::comm::MemorySource symmetric = world.symmetric_memory();
  std::shared_ptr<void> first = symmetric(1000);
  std::shared_ptr<void> second = symmetric(1000);
  std::shared_ptr<void> third = symmetric(1000);
  REQUIRE(third != nullptr);
  const auto distance = [&](const std::shared_ptr<void>& a, const std::shared_ptr<void>& b) {
    return static_cast<char*>(b.get()) - static_cast<char*>(a.get());
  };
  CHECK(distance(first, second) == 1024);
  CHECK(world.is_symmetric(second.get(), 1000));
  std::vector<char> elsewhere(1000);
  CHECK(!world.is_symmetric(elsewhere.data(), 1000));
  // What is given back is one hole, and filled again.
  void* const at = first.get();
  second.reset();
  first.reset();
  first = symmetric(2048);
  CHECK(first.get() == at);
  first.reset();
  third.reset();
  // All there is, but not more.
  std::int64_t part = std::int64_t{1} << 20;
  while (std::shared_ptr<void> more = symmetric(2 * part)) part *= 2;
  CHECK(symmetric(part) != nullptr);
  CHECK(symmetric(INT64_MAX / 2) == nullptr);
  const std::shared_ptr<void> most = symmetric(part);
  CHECK(!world.is_symmetric(most.get(), INT64_MAX / 2));
  world.barrier();
}

TEST_CASE("shared memory: groups share the symmetric memory of the world, whose pieces outlive them") {
  const Mpi mpi = Mpi::world();
  std::shared_ptr<void> kept;
  {
    const SharedMemory world = SharedMemory::over(mpi);
    // Backwards, so that the numbers of the ranks differ.
    std::vector<int> members;
    for (int r = world.size() - 1; r >= 0; --r) members.push_back(r);
    const SharedMemory back = world.subgroup(members);
    const tpx::comm::MemorySource symmetric = back.symmetric_memory();
    kept = symmetric(40000 * world.rank() + 128);  // so that the others' pieces start elsewhere
    const std::int64_t n = 5000;
    const std::shared_ptr<void> memory = symmetric(n * 4);
    REQUIRE(memory != nullptr);
    std::int32_t* const mine = static_cast<std::int32_t*>(memory.get());
    for (std::int64_t i = 0; i < n; ++i) mine[i] = suite::value<std::int32_t>(world.rank(), i);
    const SharedMemory copy = back.duplicate();
    suite::Differences found;
    int seen = 0;
    const bool in_place = copy.read_in_place(
        tpx::comm::Collective::all_gather, mine, n, n, Element::i32, [&](std::span<const void* const> buffers) {
          for (std::size_t k = 0; k < buffers.size(); ++k, ++seen)
            for (std::int64_t i = 0; i < n; i += 499)
              found.expect("read in place", static_cast<const std::int32_t*>(buffers[k])[i] ==
                                                suite::value<std::int32_t>(members[k], i));
        });
    CHECK(in_place);
    CHECK(seen == world.size());
    // On one rank elsewhere: then on none.
    std::vector<std::int32_t> plain(mine, mine + n);
    const std::int32_t* const buffer = copy.rank() == 0 ? plain.data() : mine;
    CHECK(!copy.read_in_place(tpx::comm::Collective::all_gather, buffer, n, n, Element::i32,
                              [&](std::span<const void* const>) { found.expect("was called", false); }));
    CHECK(found.text() == "");
    // Another world's memory is ordinary to this one.
    const SharedMemory other = SharedMemory::over(mpi);
    CHECK(!other.is_symmetric(mine, n));
    std::vector<std::int32_t> all(static_cast<std::size_t>(n * world.size()));
    other.all_gather(mine, all.data(), n, Element::i32);
    CHECK(all[static_cast<std::size_t>(n * world.size() - 1)] ==
          suite::value<std::int32_t>(world.size() - 1, n - 1));
  }
  static_cast<char*>(kept.get())[0] = 1;
  kept.reset();
  mpi.barrier();
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
