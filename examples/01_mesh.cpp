// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A mesh arranges ranks along named axes: from the launch, from a communicator that is adopted, in part.

#include <tpx/tpx.hpp>

#include "support/check.hpp"

using namespace tpx;
using namespace tpx::axes;

int main(int argc, char** argv) {
  Environment env(argc, argv);
  return env.run([&] {
    const comm::Mpi world = env.world();
    const int ranks = world.size();
    bool ok = true;

    // From the launch: two rows where the ranks divide; 0 takes what is left. The last axis is innermost.
    //
    //   4 ranks, dp=2, tp=2        tp=0  tp=1
    //                       dp=0   0     1
    //                       dp=1   2     3
    const auto mesh = make_mesh<dp, tp>(world, {ranks % 2 == 0 ? 2 : 1, 0});
    ok = ok && mesh.size() == ranks && mesh.size<dp>() * mesh.size<tp>() == ranks;
    ok = ok && mesh.rank() == world.rank();
    ok = ok && mesh.coordinate<dp>() == world.rank() / mesh.size<tp>();
    ok = ok && mesh.coordinate<tp>() == world.rank() % mesh.size<tp>();
    if (mesh.rank() == 0) std::cout << "from the launch: " << example::sizes(mesh) << std::endl;

    // A communicator for every set of axes that has more than one rank. Tensors use them by themselves; here
    // the ranks along tp add up their numbers.
    constexpr unsigned along_tp = 1u << 1;  // one bit an axis, in the order of the mesh
    std::int64_t sum = mesh.rank();
    if (mesh.size<tp>() > 1)
      mesh.communicator(along_tp).all_reduce(&sum, &sum, 1, Element::i64, comm::Reduction::sum);
    std::int64_t want = 0;
    for (int c = 0; c < mesh.size<tp>(); ++c) want += mesh.coordinate<dp>() * mesh.size<tp>() + c;
    ok = ok && sum == want;

    // The mesh of one axis through this rank: its row.
    const auto row = mesh.submesh<tp>();
    ok = ok && row.size() == mesh.size<tp>() && row.rank() == mesh.coordinate<tp>();

    // From a communicator that the program has, here the same ranks counted from the end. It is duplicated,
    // so tpx's messages never meet the program's, and it stays the program's to free.
    MPI_Comm theirs = MPI_COMM_NULL;
    if (MPI_Comm_split(MPI_COMM_WORLD, 0, -world.rank(), &theirs) != MPI_SUCCESS) return 1;
    const auto reversed = make_mesh<tp>(comm::Mpi::adopt(theirs));
    if (MPI_Comm_free(&theirs) != MPI_SUCCESS) return 1;
    ok = ok && reversed.size<tp>() == ranks && reversed.rank() == ranks - 1 - world.rank();

    // A size may stand in the type; then it is a constant, and a launch that does not fit is an error.
    const auto sized = make_mesh<Sized<dp, 1>, tp>(world);
    ok = ok && sized.size<dp>() == 1 && sized.size<tp>() == ranks;

    // Sizes that do not fit the ranks are refused on every rank, before anything is sent.
    std::string refusal;
    try {
      make_mesh<dp, tp>(world, {ranks, 2});
    } catch (const Error& error) {
      refusal = error.what();
    }
    ok = ok && refusal.find("the axis sizes multiply to the number of ranks") != std::string::npos;
    if (mesh.rank() == 0) std::cout << "refused: " << refusal << std::endl;

    return example::finish("01_mesh", example::sizes(mesh), ok, {{"ranks", ranks}, {"row", row.size()}});
  });
}
