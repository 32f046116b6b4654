// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/comm/mpi.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include <tpx/comm/abstract.hpp>
#include <tpx/comm/async_mpi.hpp>
#include <tpx/comm/recording.hpp>

#include "suite.hpp"

using tpx::comm::Mpi;

static_assert(tpx::comm::Communicator<Mpi>);
static_assert(Mpi::host_driven);
static_assert(!std::is_copy_constructible_v<Mpi>);

namespace {

/// A lower limit of elements a call, for a scope.
class Limit {
 public:
  explicit Limit(std::int64_t limit) : before_(std::exchange(tpx::comm::detail::max_count(), limit)) {}
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;
  ~Limit() { tpx::comm::detail::max_count() = before_; }

 private:
  std::int64_t before_;
};

}  // namespace

TEST_CASE_TEMPLATE("mpi: every collective", T, float, double, std::int32_t, std::int64_t, unsigned char,
                   tpx::bfloat16) {
  const Mpi world = Mpi::world();
  for (const std::int64_t n : suite::lengths) CHECK(suite::collectives<T>(world, n) == "");
}

TEST_CASE_TEMPLATE("mpi: messages beyond the limit of one call are split", T, float, double, std::int32_t,
                   std::int64_t, unsigned char, tpx::bfloat16) {
  const Mpi world = Mpi::world();
  CHECK(tpx::comm::detail::max_count() == INT32_MAX);
  const Limit lowered(1000);
  for (const std::int64_t n : {std::int64_t{0}, std::int64_t{999}, std::int64_t{1000}, std::int64_t{1001},
                               std::int64_t{2500}, std::int64_t{3000}})
    CHECK(suite::collectives<T>(world, n) == "");
}

TEST_CASE("mpi: sums of bfloat16 are rounded once") {
  CHECK(suite::sums_of_bfloat16(Mpi::world(), 1000) == "");
  const Limit lowered(100);
  CHECK(suite::sums_of_bfloat16(Mpi::world(), 1000) == "");
}

TEST_CASE("mpi: sums of bfloat16 that are started are rounded once too") {
  using tpx::bfloat16;
  using Started = tpx::comm::Nonblocking<Mpi>;
  const Mpi world = Mpi::world();
  const std::vector<std::int64_t> counts = suite::uneven(world.size(), 1000, 0);
  const std::int64_t n = suite::sum_of(counts);
  std::vector<bfloat16> mine;
  for (std::int64_t i = 0; i < n; ++i) mine.push_back(suite::fraction(world.rank(), i));
  std::vector<bfloat16> right(mine.size()), got = mine;
  world.all_reduce(mine.data(), right.data(), n, tpx::Element::bf16, tpx::Reduction::sum);
  auto pending = Started::all_reduce(world, got.data(), got.data(), n, tpx::Element::bf16, tpx::Reduction::sum);
  pending.wait();
  CHECK(got == right);
  got.assign(mine.size(), bfloat16(0));
  pending =
      Started::reduce_scatter(world, mine.data(), got.data(), counts, tpx::Element::bf16, tpx::Reduction::sum);
  while (!pending.test()) {
  }
  const std::int64_t share = counts[static_cast<std::size_t>(world.rank())];
  CHECK(std::equal(got.begin(), got.begin() + share, right.begin() + suite::start_of(counts, world.rank())));
}

TEST_CASE("mpi: groups") {
  const Mpi world = Mpi::world();
  CHECK(suite::rows_and_columns(world, 1, world.size()) == "");
  CHECK(suite::rows_and_columns(world, world.size(), 1) == "");
  if (world.size() == 4) CHECK(suite::rows_and_columns(world, 2, 2) == "");
  CHECK(suite::unequal_groups(world) == "");
  if (world.size() > 1) CHECK(suite::contradictory_groups(world) == "");
  if (world.size() > 1) CHECK(suite::contradictory_blocks(world, false) == "");
}

TEST_CASE("mpi: messages, agreement, nothing and bad arguments") {
  const Mpi world = Mpi::world();
  CHECK(suite::messages_keep_their_order(world) == "");
  CHECK(suite::agreement(world) == "");
  CHECK(suite::nothing(world) == "");
  CHECK(suite::bad_arguments(world) == "");
}

TEST_CASE("mpi: an adopted communicator stays the caller's") {
  MPI_Comm theirs = MPI_COMM_NULL;
  int world_rank = 0;
  REQUIRE(MPI_Comm_rank(MPI_COMM_WORLD, &world_rank) == MPI_SUCCESS);
  // Ranks the other way round, so that the adopted order shows.
  REQUIRE(MPI_Comm_split(MPI_COMM_WORLD, 0, -world_rank, &theirs) == MPI_SUCCESS);
  {
    const Mpi mine = Mpi::adopt(theirs);
    CHECK(mine.native() != theirs);
    CHECK(mine.rank() == mine.size() - 1 - world_rank);
    int result = MPI_UNEQUAL;
    REQUIRE(MPI_Comm_compare(theirs, mine.native(), &result) == MPI_SUCCESS);
    CHECK(result == MPI_CONGRUENT);
    CHECK(suite::collectives<float>(mine, 7) == "");
  }
  int size = 0;
  CHECK(MPI_Comm_size(theirs, &size) == MPI_SUCCESS);
  CHECK(MPI_Comm_free(&theirs) == MPI_SUCCESS);
}

TEST_CASE("mpi: a communicator moves") {
  Mpi a = Mpi::world();
  const MPI_Comm native = a.native();
  Mpi b = std::move(a);
  CHECK(b.native() == native);
  Mpi c = Mpi::world();
  c = std::move(b);
  CHECK(c.native() == native);
  CHECK(suite::collectives<double>(c, 7) == "");
}

TEST_CASE("mpi: a null or an inter-communicator is refused") {
  CHECK(suite::contains(suite::error_of([] { Mpi::adopt(MPI_COMM_NULL); }), "must not be MPI_COMM_NULL"));
  const Mpi world = Mpi::world();
  if (world.size() == 1) return;
  const int side = world.rank() == 0 ? 0 : 1;
  MPI_Comm half = MPI_COMM_NULL;
  MPI_Comm inter = MPI_COMM_NULL;
  REQUIRE(MPI_Comm_split(world.native(), side, 0, &half) == MPI_SUCCESS);
  REQUIRE(MPI_Intercomm_create(half, 0, world.native(), side == 0 ? 1 : 0, 9, &inter) == MPI_SUCCESS);
  CHECK(suite::contains(suite::error_of([&] { Mpi::adopt(inter); }), "must not be an inter-communicator"));
  CHECK(MPI_Comm_free(&inter) == MPI_SUCCESS);
  CHECK(MPI_Comm_free(&half) == MPI_SUCCESS);
}

TEST_CASE("mpi: an error of MPI's is an exception that names the call, the count and the rank") {
  const Mpi world = Mpi::world();
  const int me = world.rank();
  const std::vector<float> sent(50, 1.0F);
  std::vector<float> got(50, 0.0F);
  const std::string who = "failed on rank " + std::to_string(me) + " of " + std::to_string(world.size());

  // Too long: MPI itself notices. First from this rank to itself, so that one rank can be wrong alone.
  MPI_Request request = MPI_REQUEST_NULL;
  REQUIRE(MPI_Isend(sent.data(), 50, MPI_FLOAT, me, 1, world.native(), &request) == MPI_SUCCESS);
  const std::string longer = suite::error_of([&] { world.recv(got.data(), 30, tpx::Element::f32, me, 1); });
  CHECK(MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS);
  CHECK(suite::contains(longer, "recv of 30 elements " + who));
  CHECK(suite::contains(longer, "TRUNCATE"));

  // Then around the ring; alone it is tpx that notices.
  const int to = (me + 1) % world.size();
  const int from = (me + world.size() - 1) % world.size();
  const std::string ring = suite::error_of(
      [&] { world.send_recv(sent.data(), 50, to, got.data(), 30, from, tpx::Element::f32, 2); });
  if (world.size() > 1) CHECK(suite::contains(ring, "send_recv of 50 elements " + who));
  if (world.size() == 1) CHECK(suite::contains(ring, "sent 50, expected 30"));

  // Too short: MPI is content, tpx is not.
  const std::string shorter = suite::error_of(
      [&] { world.send_recv(sent.data(), 30, to, got.data(), 50, from, tpx::Element::f32, 3); });
  CHECK(suite::contains(shorter, "sent 30, expected 50"));

  // In several messages the same.
  {
    const Limit lowered(10);
    const std::string parts = suite::error_of(
        [&] { world.send_recv(sent.data(), 35, to, got.data(), 38, from, tpx::Element::f32, 4); });
    CHECK(suite::contains(parts, "sent 35, expected 38"));
  }

  // A moved-from communicator is MPI's null one.
  Mpi gone = Mpi::world();
  const Mpi taken = std::move(gone);
  CHECK(suite::contains(suite::error_of([&] { gone.barrier(); }), "moved-from"));
  CHECK(suite::contains(suite::error_of([&] { world.send(sent.data(), 1, tpx::Element::f32, me, 32767); }),
                        "a tag is less than 32767"));
  CHECK(suite::collectives<float>(world, 7) == "");
}

TEST_CASE("mpi: recorded, and predicted by the abstract communicator") {
  const tpx::comm::Recording<Mpi> world(Mpi::world());
  CHECK(suite::collectives<float>(world, 7) == "");
  CHECK(suite::unequal_groups(world) == "");
  const tpx::comm::Recording<tpx::comm::Abstract> nobody(tpx::comm::Abstract(world.size(), world.rank()));
  suite::collectives<float>(nobody, 7);
  suite::unequal_groups(nobody);
  CHECK(world.log().total("world", tpx::comm::Collective::broadcast).elements == 7 * world.size());
  CHECK(world.log().entries() == nobody.log().entries());
}
