// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An existing Kokkos + MPI program, the power iteration on a dense symmetric operator whose rows are split over
// the ranks, and the same with tpx on the program's own communicator and Views. Nothing is copied.
//
//   A[i,j] = min(i, j) + 1,   largest eigenvalue 1 / (4 sin^2(pi / (4n + 2)))

#include <cmath>

#include <tpx/tpx.hpp>

#include "support/check.hpp"

using Matrix = Kokkos::View<double**, Kokkos::LayoutRight>;
using Vector = Kokkos::View<double*>;

static constexpr int n = 240, iterations = 30;

// ---- the program as it was; an error in MPI ends the job, as is MPI's default ------------------------------

// This rank's rows of A, from `first` on.
static void fill(const Matrix& a, const Vector& x, int first) {
  using Both = Kokkos::MDRangePolicy<Kokkos::Rank<2>>;
  const auto rows = static_cast<int>(a.extent(0));
  Kokkos::parallel_for(
      "operator", Both({0, 0}, {rows, n}),
      KOKKOS_LAMBDA(int i, int j) { a(i, j) = (first + i < j ? first + i : j) + 1.0; });
  Kokkos::deep_copy(x, 1.0);
}

// x = A x / |A x|; the result is x' A x of the last, normalised x.
static double power_iteration(const Matrix& a, const Vector& x, MPI_Comm comm) {
  const auto rows = static_cast<int>(a.extent(0));
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  const Vector y("y", a.extent(0));
  const Kokkos::RangePolicy<Kokkos::IndexType<int>> each(0, rows);
  double eigenvalue = 0, norm2 = 0;
  for (int it = 0; it < iterations; ++it) {
    Kokkos::parallel_for(
        "multiply", each, KOKKOS_LAMBDA(int i) {
          y(i) = 0;
          for (int j = 0; j < n; ++j) y(i) += a(i, j) * x(j);
        });
    const int first = rank * rows;
    Kokkos::parallel_reduce(
        "x' y", each, KOKKOS_LAMBDA(int i, double& sum) { sum += x(first + i) * y(i); }, eigenvalue);
    Kokkos::parallel_reduce(
        "y' y", each, KOKKOS_LAMBDA(int i, double& sum) { sum += y(i) * y(i); }, norm2);
    MPI_Allreduce(MPI_IN_PLACE, &eigenvalue, 1, MPI_DOUBLE, MPI_SUM, comm);
    MPI_Allreduce(MPI_IN_PLACE, &norm2, 1, MPI_DOUBLE, MPI_SUM, comm);
    const double scale = 1 / std::sqrt(norm2);
    Kokkos::parallel_for(
        "scale", each, KOKKOS_LAMBDA(int i) { y(i) *= scale; });
    Kokkos::fence();
    MPI_Allgather(y.data(), rows, MPI_DOUBLE, x.data(), rows, MPI_DOUBLE, comm);
  }
  return eigenvalue;
}

// ---- the same on the same memory ---------------------------------------------------------------------------

static double with_tpx(const Matrix& a_view, const Vector& x_view, MPI_Comm comm) {
  using namespace tpx;
  using namespace tpx::axes;
  const auto mesh = make_mesh<tp>(comm::Mpi::adopt(comm));
  const auto a = wrap(mesh, layout<Shard<0, tp>>, a_view);  // f64[240@tp,240]
  auto x = wrap(mesh, layout<Replicate<tp>>, x_view);       // f64[240]{R:tp}
  if (a.data() != a_view.data() || x.data() != x_view.data()) fail("wrap shares the View's memory");
  double eigenvalue = 0;
  for (int it = 0; it < iterations; ++it) {
    const auto y = matmul(a, x);                                           // f64[240@tp]
    const auto xy = matmul(redistribute<Shard<0, tp>>(x), y);              // f64[]{P:tp}
    const auto yy = matmul(y, y);                                          // f64[]{P:tp}
    eigenvalue = item(redistribute<Invariant<tp>>(xy));                    // one all-reduce
    const double norm = std::sqrt(item(redistribute<Invariant<tp>>(yy)));  // one all-reduce
    x = redistribute<Replicate<tp>>(scale(y, 1 / norm));                   // one all-gather
  }
  return eigenvalue;
}

static int run(MPI_Comm theirs) {
  int rank = 0, ranks = 0;
  MPI_Comm_rank(theirs, &rank);
  MPI_Comm_size(theirs, &ranks);
  if (n % ranks != 0) {
    if (rank == 0)
      std::cerr << "error: " << n << " rows are split over ranks whose number divides them" << std::endl;
    return 2;
  }
  const Matrix a("a", static_cast<std::size_t>(n / ranks), n);
  const Vector x("x", n);

  fill(a, x, rank * (n / ranks));
  const double before = power_iteration(a, x, theirs);
  Kokkos::deep_copy(x, 1.0);
  const double after = with_tpx(a, x, theirs);
  const double known = 0.25 / std::pow(std::sin(std::acos(-1.0) / (4 * n + 2)), 2);

  const bool ok = std::abs(after / before - 1) < 1e-12 && std::abs(after / known - 1) < 1e-12;
  return example::finish("06_power_iteration", "tp=" + std::to_string(ranks), ok,
                         {{"eigenvalue", after}, {"kokkos_and_mpi", before}, {"known", known}});
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  Kokkos::initialize(argc, argv);
  MPI_Comm theirs = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &theirs);
  const int code = run(theirs);
  MPI_Comm_free(&theirs);
  Kokkos::finalize();
  MPI_Finalize();
  return code;
}
