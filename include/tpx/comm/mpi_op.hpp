// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>

#include <tpx/comm/combine.hpp>
#include <tpx/comm/mpi_support.hpp>
#include <tpx/comm/shared_memory_reduce.hpp>

/// MPI's reductions of our elements. MPI has none of bfloat16; ours take two terms, in float, and round what
/// they make of them, because it goes to MPI, and maybe to another rank, as a bfloat16 again: a sum of p terms
/// is rounded up to p - 1 times, in an order that is MPI's.
namespace tpx::comm::detail {

template <Reduction R>
void reduce_bfloat16(void* in, void* into, int* count, MPI_Datatype*) {
  bfloat16* const terms = static_cast<bfloat16*>(into);
  combine_two<R>(terms, static_cast<const bfloat16*>(in), terms, *count);
}

/// The ops of bfloat16, as Reductions are numbered. They live until MPI_Finalize, which deletes the attributes
/// of MPI_COMM_SELF first.
struct Bfloat16Ops {
  MPI_Op op[3] = {MPI_OP_NULL, MPI_OP_NULL, MPI_OP_NULL};

  Bfloat16Ops() {
    make(Reduction::sum, &reduce_bfloat16<Reduction::sum>);
    make(Reduction::max, &reduce_bfloat16<Reduction::max>);
    make(Reduction::min, &reduce_bfloat16<Reduction::min>);
    int key = MPI_KEYVAL_INVALID;
    check_mpi(MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, &release, &key, nullptr), "MPI_Comm_create_keyval");
    check_mpi(MPI_Comm_set_attr(MPI_COMM_SELF, key, this), "MPI_Comm_set_attr");
    check_mpi(MPI_Comm_free_keyval(&key), "MPI_Comm_free_keyval");  // once its attribute is gone
  }
  Bfloat16Ops(const Bfloat16Ops&) = delete;
  Bfloat16Ops& operator=(const Bfloat16Ops&) = delete;

 private:
  void make(Reduction reduction, MPI_User_function* function) {
    constexpr int commutes = 1;
    check_mpi(MPI_Op_create(function, commutes, &op[static_cast<std::size_t>(reduction)]), "MPI_Op_create");
  }

  static int release(MPI_Comm, int, void* ops, void*) {
    int first = MPI_SUCCESS;
    for (MPI_Op& op : static_cast<Bfloat16Ops*>(ops)->op) {
      const int code = MPI_Op_free(&op);
      if (first == MPI_SUCCESS) first = code;
    }
    return first;
  }
};

inline MPI_Op mpi_op(Reduction reduction, Element element) {
  if (element == Element::bf16) {
    static Bfloat16Ops ops;  // made where they are first needed
    return ops.op[static_cast<std::size_t>(reduction)];
  }
  switch (reduction) {
    case Reduction::sum:
      return MPI_SUM;
    case Reduction::max:
      return MPI_MAX;
    case Reduction::min:
      return MPI_MIN;
  }
  return MPI_OP_NULL;
}

}  // namespace tpx::comm::detail
