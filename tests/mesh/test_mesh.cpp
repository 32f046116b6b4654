// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/mesh/device_mesh.hpp>

#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

#include <tpx/comm/mpi.hpp>
#include <tpx/comm/self.hpp>
#include <tpx/tensor/make_mesh.hpp>

#include "support/mpi_doctest.hpp"

using namespace tpx;
using namespace tpx::axes;
using comm::Mpi;
using Recorded = comm::Recording<Mpi>;
using tpx::test::rank;
using tpx::test::ranks;

namespace {

/// The world ranks of a communicator's members, in their order.
template <class Comm>
std::vector<int> members(const Comm& comm) {
  std::vector<int> all(static_cast<std::size_t>(comm.size()));
  const int mine = rank();
  comm.all_gather(&mine, all.data(), 1, Element::i32);
  return all;
}

/// What making the mesh throws, without who says it.
template <class... Axes>
std::string refusal(const Mpi& world, std::vector<int> sizes) {
  try {
    (void)make_mesh<Axes...>(world, std::move(sizes));
  } catch (const Error& error) {
    const std::string text = error.what();
    return text.substr(0, text.find(" (rank"));
  }
  return "none";
}

/// `text` as rank 0 has it.
bool same_everywhere(const std::string& text) {
  int length = static_cast<int>(text.size());
  MPI_Bcast(&length, 1, MPI_INT, 0, MPI_COMM_WORLD);
  std::string theirs = text;
  theirs.resize(static_cast<std::size_t>(length));
  MPI_Bcast(theirs.data(), length, MPI_CHAR, 0, MPI_COMM_WORLD);
  return theirs == text;
}

}  // namespace

TEST_CASE("one axis takes all ranks; of several the open one takes what is left") {
  const Mpi world = Mpi::world();
  const int p = ranks();
  const auto line = make_mesh<tp>(world);
  CHECK(line.size<tp>() == p);
  CHECK(line.coordinate<tp>() == rank());
  const auto left = make_mesh<dp, tp>(world, {0, 1});
  CHECK(left.size<dp>() == p);
  CHECK(left.coordinate<dp>() == rank());
  CHECK(left.coordinate<tp>() == 0);
  const auto cube = make_mesh<dp, pp, tp>(world, {1, p, 1});
  CHECK(cube.size() == p);
  CHECK(cube.size<pp>() == p);
  CHECK(cube.rank() == rank());
  CHECK(cube.coordinate_text() == "dp=0,pp=" + std::to_string(rank()) + ",tp=0");
  const auto four = make_mesh<dp, pp, cp, tp>(world, {1, 1, 0, 1});
  CHECK(four.size<cp>() == p);
}

TEST_CASE("a size that the type knows is a constant") {
  const Mpi world = Mpi::world();
  const auto mesh = make_mesh<dp, Sized<tp, 1>>(world);
  CHECK(mesh.size<dp>() == ranks());
  CHECK(mesh.size<tp>() == 1);
  static_assert(std::is_same_v<decltype(mesh)::axes, AxisList<dp, tp>>);
  CHECK(make_mesh<dp, Sized<tp, 1>>(world, {ranks(), 1}).size<dp>() == ranks());
  if (ranks() % 2 == 0) {
    const auto pairs = make_mesh<dp, Sized<tp, 2>>(world);
    CHECK(pairs.size<dp>() == ranks() / 2);
    CHECK(pairs.size<tp>() == 2);
    CHECK(pairs.coordinate<tp>() == rank() % 2);
  }
}

TEST_CASE("the communicator of a set of axes has the ranks that differ there, major axis first") {
  const Recorded world(Mpi::world());
  const int p = ranks();
  const int rows = p % 2 == 0 ? 2 : 1;
  const auto mesh = make_mesh<dp, tp>(world, {rows, 0});
  const int columns = p / rows, row = rank() / columns, column = rank() % columns;
  CHECK(mesh.rank() == rank());
  std::vector<int> in_row, in_column, all(static_cast<std::size_t>(p));
  for (int c = 0; c < columns; ++c) in_row.push_back(row * columns + c);
  for (int r = 0; r < rows; ++r) in_column.push_back(r * columns + column);
  std::iota(all.begin(), all.end(), 0);
  world.log().clear();
  world.log().keep_order(true);
  if (columns > 1) CHECK(members(mesh.communicator(2)) == in_row);
  if (rows > 1) CHECK(members(mesh.communicator(1)) == in_column);
  if (p > 1) CHECK(members(mesh.communicator(3)) == all);
  // They are labelled by their axes; axes of one rank are left out.
  std::vector<std::string> labels, expected;
  for (const auto& call : world.log().calls()) labels.push_back(call.label);
  if (columns > 1) expected.push_back("tp");
  if (rows > 1) expected.push_back("dp");
  if (p > 1) expected.push_back(rows == 1 ? "tp" : columns == 1 ? "dp" : "dp,tp");
  CHECK(labels == expected);
}

TEST_CASE("three axes, all sets of two") {
  if (ranks() != 4) return;
  const Mpi world = Mpi::world();
  const auto mesh = make_mesh<dp, pp, tp>(world, {2, 1, 2});
  const std::vector<int> row = rank() < 2 ? std::vector<int>{0, 1} : std::vector<int>{2, 3};
  const std::vector<int> column = rank() % 2 == 0 ? std::vector<int>{0, 2} : std::vector<int>{1, 3};
  CHECK(members(mesh.communicator(4)) == row);
  CHECK(members(mesh.communicator(6)) == row);
  CHECK(members(mesh.communicator(1)) == column);
  CHECK(members(mesh.communicator(3)) == column);
  CHECK(members(mesh.communicator(5)) == std::vector<int>{0, 1, 2, 3});
  CHECK(members(mesh.communicator(7)) == std::vector<int>{0, 1, 2, 3});
}

TEST_CASE("an adopted communicator counts its own ranks, and stays its owner's") {
  MPI_Comm reversed = MPI_COMM_NULL;
  REQUIRE(MPI_Comm_split(MPI_COMM_WORLD, 0, ranks() - rank(), &reversed) == MPI_SUCCESS);
  {
    const auto mesh = make_mesh<tp>(Mpi::adopt(reversed));
    CHECK(mesh.coordinate<tp>() == ranks() - 1 - rank());
    if (ranks() > 1) {
      const std::vector<int> all = members(mesh.communicator(1));
      CHECK(all.front() == ranks() - 1);
      CHECK(all.back() == 0);
    }
  }
  int size = 0;
  CHECK(MPI_Comm_size(reversed, &size) == MPI_SUCCESS);
  CHECK(size == ranks());
  REQUIRE(MPI_Comm_free(&reversed) == MPI_SUCCESS);
}

TEST_CASE("a sub-mesh is the mesh of some axes through this rank, with the same context") {
  const Mpi world = Mpi::world();
  const int p = ranks(), rows = p % 2 == 0 ? 2 : 1, columns = p / rows;
  const auto mesh = make_mesh<dp, pp, tp>(world, {rows, 1, 0});
  const auto line = mesh.submesh<tp>();
  CHECK(line.size<tp>() == columns);
  CHECK(line.coordinate<tp>() == rank() % columns);
  CHECK(line.size() == columns);
  CHECK(&line.context() == &mesh.context());
  const auto alone = mesh.submesh<pp>();
  CHECK(alone.size() == 1);
  CHECK(alone.coordinate<pp>() == 0);
  CHECK(alone.submesh<pp>().size() == 1);
  const auto plane = mesh.submesh<dp, tp>();
  CHECK(plane.rank() == rank());
  CHECK(plane.submesh<dp>().coordinate<dp>() == rank() / columns);
  if (columns > 1) {
    std::vector<int> row;
    for (int c = 0; c < columns; ++c) row.push_back(rank() / columns * columns + c);
    CHECK(members(line.communicator(1)) == row);
  }
  // Errors go on naming the place in the whole mesh.
  CHECK(tpx::detail::whereabouts().coordinate == mesh.coordinate_text());
}

TEST_CASE("tensors and sub-meshes keep a mesh's communicators and context alive") {
  const Mpi world = Mpi::world();
  auto line = [&] { return make_mesh<dp, tp>(world, {1, 0}).submesh<tp>(); }();
  if (ranks() > 1) CHECK(members(line.communicator(1)).size() == static_cast<std::size_t>(ranks()));
  CHECK(line.context().pool().in_use() == 0);
}

TEST_CASE("sizes that do not fit are refused, in the same words on every rank") {
  const Mpi world = Mpi::world();
  const int p = ranks();
  const std::string n = std::to_string(p), more = std::to_string(p + 1);
  const auto expect = [&](const std::string& said, const std::string& expected) {
    CAPTURE(said);
    CHECK(said.find(expected) != std::string::npos);
    CHECK(same_everywhere(said));
  };
  expect(refusal<tp>(world, {p + 1}), "tpx::make_mesh: the axis sizes multiply to the number of ranks; tp=" +
                                          more + " are " + more + " ranks, the communicator has " + n);
  expect(refusal<dp, tp>(world, {p + 1, 0}), "multiply to the number of ranks; dp=" + more);
  expect(refusal<dp, tp>(world, {0, 0}), "one axis at most takes what is left");
  expect(refusal<dp, tp>(world, {}), "one axis at most takes what is left");
  expect(refusal<dp, tp>(world, {p}), "the mesh has 2 axes, given were 1 sizes");
  expect(refusal<tp>(world, {1, p}), "the mesh has 1 axes, given were 2 sizes");
  expect(refusal<tp>(world, {-p}), "an axis has at least one rank; given was tp=-" + n);
  expect(refusal<dp, Sized<tp, 7>>(world, {1, p}), "contradicts the mesh's type, where tp has 7 ranks");
  expect(refusal<dp, Sized<tp, 7>>(world, {}), "the axis sizes multiply to the number of ranks");
  expect(refusal<dp, pp, tp>(world, {1 << 30, 1 << 30, 1 << 30}),
         "the axis sizes multiply to the number of ranks");
  CHECK(refusal<tp>(world, {p}) == "none");
}

TEST_CASE("a mesh that is not here has the sizes that are asked for, seen from its first rank") {
  const auto mesh = make_abstract_mesh<dp, pp, tp>({4, 8, 2});
  CHECK(mesh.size() == 64);
  CHECK(mesh.size<pp>() == 8);
  CHECK(mesh.coordinate<pp>() == 0);
  CHECK(mesh.communicator(5).size() == 8);
  CHECK_THROWS_WITH_AS(make_abstract_mesh<tp>({0}),
                       doctest::Contains("an abstract mesh names all of its sizes"), Error);
  CHECK_THROWS_AS((make_abstract_mesh<dp, tp>({1 << 20, 1 << 20})), Error);
  CHECK(make_mesh<tp>(comm::Self()).size() == 1);
}
