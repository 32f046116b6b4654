// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <tpx/comm/combine.hpp>
#include <tpx/comm/communicator.hpp>
#include <tpx/comm/mpi_support.hpp>

namespace tpx::comm::detail {

/// What MPI calls: inout = the extreme of in and inout.
template <Reduction R, class T>
void combine_for_mpi(void* in, void* inout, int* count, MPI_Datatype*) {
  const T* const a = static_cast<const T*>(in);
  T* const b = static_cast<T*>(inout);
  for (int i = 0; i < *count; ++i) b[i] = combined<R, T>(a[i], b[i]);
}

/// The largest or smallest fraction, a NaN where there is one: MPI_MAX and MPI_MIN keep or drop it by its
/// place. Made once, and kept while MPI runs.
template <Reduction R, class T>
MPI_Op extreme_op() {
  static const MPI_Op op = [] {
    MPI_Op made = MPI_OP_NULL;
    check_mpi(MPI_Op_create(&combine_for_mpi<R, T>, 1, &made), "MPI_Op_create");
    return made;
  }();
  return op;
}

template <Reduction R>
MPI_Op extreme_op(Element element, MPI_Op of_integers) {
  if (element == Element::f32) return extreme_op<R, float>();
  if (element == Element::f64) return extreme_op<R, double>();
  return of_integers;
}

/// Of all elements but bfloat16, of which MPI has no reductions.
inline MPI_Op mpi_op(Reduction reduction, Element element) {
  switch (reduction) {
    case Reduction::sum:
      return MPI_SUM;
    case Reduction::max:
      return extreme_op<Reduction::max>(element, MPI_MAX);
    case Reduction::min:
      return extreme_op<Reduction::min>(element, MPI_MIN);
  }
  return MPI_OP_NULL;
}

}  // namespace tpx::comm::detail
