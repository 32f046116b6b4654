// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MPI's profiling interface: these are called in place of MPI's own. All that the library calls are here, which
// tests/layers/mpi_calls.cmake holds true.
#include "support/count_mpi_calls.hpp"

#include <mpi.h>

#include <atomic>

namespace {

std::atomic<long> calls{0};

}  // namespace

long tpx::test::mpi_calls() { return calls.load(); }

#define COUNTED(name, parameters, arguments) \
  extern "C" int MPI_##name parameters {     \
    ++calls;                                 \
    return PMPI_##name arguments;            \
  }

// Collectives.
COUNTED(Barrier, (MPI_Comm comm), (comm))
COUNTED(Bcast, (void* data, int n, MPI_Datatype type, int root, MPI_Comm comm), (data, n, type, root, comm))
COUNTED(Reduce, (const void* in, void* out, int n, MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm),
        (in, out, n, type, op, root, comm))
COUNTED(Allreduce, (const void* in, void* out, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm),
        (in, out, n, type, op, comm))
COUNTED(Allgather, (const void* in, int n, MPI_Datatype type, void* out, int m, MPI_Datatype to, MPI_Comm comm),
        (in, n, type, out, m, to, comm))
COUNTED(Allgatherv,
        (const void* in, int n, MPI_Datatype type, void* out, const int m[], const int at[], MPI_Datatype to,
         MPI_Comm comm),
        (in, n, type, out, m, at, to, comm))
COUNTED(Alltoall, (const void* in, int n, MPI_Datatype type, void* out, int m, MPI_Datatype to, MPI_Comm comm),
        (in, n, type, out, m, to, comm))
COUNTED(Alltoallv,
        (const void* in, const int n[], const int from[], MPI_Datatype type, void* out, const int m[],
         const int at[], MPI_Datatype to, MPI_Comm comm),
        (in, n, from, type, out, m, at, to, comm))
COUNTED(Reduce_scatter, (const void* in, void* out, const int n[], MPI_Datatype type, MPI_Op op, MPI_Comm comm),
        (in, out, n, type, op, comm))
COUNTED(Reduce_scatter_block, (const void* in, void* out, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm),
        (in, out, n, type, op, comm))
COUNTED(Ibarrier, (MPI_Comm comm, MPI_Request* request), (comm, request))
COUNTED(Ireduce,
        (const void* in, void* out, int n, MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm,
         MPI_Request* request),
        (in, out, n, type, op, root, comm, request))
COUNTED(Iallreduce,
        (const void* in, void* out, int n, MPI_Datatype type, MPI_Op op, MPI_Comm comm, MPI_Request* request),
        (in, out, n, type, op, comm, request))
COUNTED(Iallgatherv,
        (const void* in, int n, MPI_Datatype type, void* out, const int m[], const int at[], MPI_Datatype to,
         MPI_Comm comm, MPI_Request* request),
        (in, n, type, out, m, at, to, comm, request))
COUNTED(Iallgather,
        (const void* in, int n, MPI_Datatype type, void* out, int m, MPI_Datatype to, MPI_Comm comm,
         MPI_Request* request),
        (in, n, type, out, m, to, comm, request))
COUNTED(Ireduce_scatter,
        (const void* in, void* out, const int n[], MPI_Datatype type, MPI_Op op, MPI_Comm comm,
         MPI_Request* request),
        (in, out, n, type, op, comm, request))

// Messages.
COUNTED(Isend,
        (const void* data, int n, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request* request),
        (data, n, type, to, tag, comm, request))
COUNTED(Irecv, (void* data, int n, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request* request),
        (data, n, type, from, tag, comm, request))
COUNTED(Recv, (void* data, int n, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Status* status),
        (data, n, type, from, tag, comm, status))
COUNTED(Iprobe, (int from, int tag, MPI_Comm comm, int* there, MPI_Status* status),
        (from, tag, comm, there, status))
COUNTED(Wait, (MPI_Request * request, MPI_Status* status), (request, status))
COUNTED(Test, (MPI_Request * request, int* done, MPI_Status* status), (request, done, status))
COUNTED(Testall, (int n, MPI_Request requests[], int* done, MPI_Status statuses[]),
        (n, requests, done, statuses))
COUNTED(Request_free, (MPI_Request * request), (request))
COUNTED(Cancel, (MPI_Request * request), (request))
COUNTED(Get_count, (const MPI_Status* status, MPI_Datatype type, int* n), (status, type, n))

// Groups.
COUNTED(Comm_rank, (MPI_Comm comm, int* rank), (comm, rank))
COUNTED(Comm_size, (MPI_Comm comm, int* size), (comm, size))
COUNTED(Comm_test_inter, (MPI_Comm comm, int* inter), (comm, inter))
COUNTED(Comm_dup, (MPI_Comm comm, MPI_Comm* made), (comm, made))
COUNTED(Comm_split, (MPI_Comm comm, int color, int key, MPI_Comm* made), (comm, color, key, made))
COUNTED(Comm_free, (MPI_Comm * comm), (comm))
COUNTED(Comm_set_errhandler, (MPI_Comm comm, MPI_Errhandler handler), (comm, handler))
COUNTED(Comm_create_keyval,
        (MPI_Comm_copy_attr_function * copy, MPI_Comm_delete_attr_function* remove, int* key, void* more),
        (copy, remove, key, more))
COUNTED(Comm_free_keyval, (int* key), (key))
COUNTED(Comm_set_attr, (MPI_Comm comm, int key, void* value), (comm, key, value))

// Operations and types.
COUNTED(Op_create, (MPI_User_function * function, int commutes, MPI_Op* op), (function, commutes, op))
COUNTED(Op_free, (MPI_Op * op), (op))
COUNTED(Type_contiguous, (int n, MPI_Datatype type, MPI_Datatype* made), (n, type, made))
COUNTED(Type_create_resized, (MPI_Datatype type, MPI_Aint first, MPI_Aint extent, MPI_Datatype* made),
        (type, first, extent, made))
COUNTED(Type_commit, (MPI_Datatype * type), (type))
COUNTED(Type_free, (MPI_Datatype * type), (type))

// MPI itself.
COUNTED(Initialized, (int* yes), (yes))
COUNTED(Finalized, (int* yes), (yes))
COUNTED(Init_thread, (int* argc, char*** argv, int wanted, int* provided), (argc, argv, wanted, provided))
COUNTED(Finalize, (), ())
COUNTED(Error_string, (int code, char* text, int* length), (code, text, length))
COUNTED(Abort, (MPI_Comm comm, int code), (comm, code))
