// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <tpx/comm/combine.hpp>
#include <tpx/comm/counts.hpp>
#include <tpx/comm/mpi_op.hpp>
#include <tpx/comm/mpi_support.hpp>

namespace tpx::comm::detail {

/// Counts and starts of blocks as MPI takes them. Those of few ranks need no allocation.
///
/// @pre the counts add up to no more than max_count()
class MpiBlocks {
 public:
  explicit MpiBlocks(Counts counts) : size_(counts.size()) {
    if (2 * size_ > few_.size()) more_.resize(2 * size_);
    int start = 0;
    for (std::size_t r = 0; r < size_; ++r) {
      const int count = static_cast<int>(counts[r]);
      data()[r] = count;
      data()[size_ + r] = start;
      start += count;
    }
  }
  MpiBlocks(const MpiBlocks&) = delete;
  MpiBlocks& operator=(const MpiBlocks&) = delete;

  const int* counts() { return data(); }
  const int* starts() { return data() + size_; }

 private:
  int* data() { return more_.empty() ? few_.data() : more_.data(); }

  std::size_t size_;
  std::array<int, 64> few_;
  std::vector<int> more_;
};

/// recv = the blocks of all ranks. Where MPI cannot count them all at once each block goes by itself.
///
/// @return MPI's code
inline int all_gather_uneven(MPI_Comm comm, int rank, const void* send, void* recv, Counts counts,
                             Element element) {
  const MPI_Datatype type = mpi_type(element);
  const std::int64_t sum = sum_of(counts);
  if (sum == 0) return MPI_SUCCESS;
  if (sum <= max_count()) {
    MpiBlocks blocks(counts);
    return MPI_Allgatherv(send, static_cast<int>(count_of(counts, rank)), type, recv, blocks.counts(),
                          blocks.starts(), type, comm);
  }
  copy(advance(recv, start_of(counts, rank), element), send, count_of(counts, rank), element);
  int first = MPI_SUCCESS;
  std::int64_t start = 0;
  for (int root = 0; root < static_cast<int>(counts.size()); ++root) {
    for_each_part(count_of(counts, root), [&](std::int64_t at, int n) {
      const int code = MPI_Bcast(advance(recv, start + at, element), n, type, root, comm);
      if (first == MPI_SUCCESS) first = code;
    });
    start += count_of(counts, root);
  }
  return first;
}

/// recv = the sum of all ranks' blocks for this rank, which are not bfloat16; else as above.
inline int reduce_scatter_uneven(MPI_Comm comm, const void* send, void* recv, Counts counts, Element element,
                                 Reduction reduction) {
  const MPI_Datatype type = mpi_type(element);
  const MPI_Op op = mpi_op(reduction, element);
  const std::int64_t sum = sum_of(counts);
  if (sum == 0) return MPI_SUCCESS;
  if (sum <= max_count()) {
    MpiBlocks blocks(counts);
    return MPI_Reduce_scatter(send, recv, blocks.counts(), type, op, comm);
  }
  int first = MPI_SUCCESS;
  std::int64_t start = 0;
  for (int root = 0; root < static_cast<int>(counts.size()); ++root) {
    for_each_part(count_of(counts, root), [&](std::int64_t at, int n) {
      const int code =
          MPI_Reduce(advance(send, start + at, element), advance(recv, at, element), n, type, op, root, comm);
      if (first == MPI_SUCCESS) first = code;
    });
    start += count_of(counts, root);
  }
  return first;
}

}  // namespace tpx::comm::detail
