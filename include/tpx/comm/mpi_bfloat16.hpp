// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <tpx/comm/combine.hpp>
#include <tpx/comm/counts.hpp>
#include <tpx/comm/mpi_support.hpp>
#include <tpx/comm/shared_memory_reduce.hpp>
#include <tpx/core/bfloat16.hpp>

namespace tpx::comm::detail {

/// Reductions of bfloat16, of which MPI has none: each rank is sent the terms of its share as they are, adds
/// them in float in the order of the ranks, and rounds once. The bytes are those of a reduction that rounds at
/// each step, the bits are the same on every rank and in every run, and the memory is kept for the next one.
class MpiBfloat16 {
 public:
  /// @return MPI's code, as the others do
  static int all_reduce(MPI_Comm comm, int rank, int ranks, const void* send, void* recv, std::int64_t count,
                        Reduction reduction) {
    MpiBfloat16& work = kept(ranks);
    const std::int64_t most = std::min(max_count(), most_elements);
    for (std::int64_t at = 0; at < count; at += most) {
      const std::int64_t n = std::min(most, count - at);
      for (int r = 0; r < ranks; ++r)
        work.to_[index(r)] = static_cast<int>(n / ranks + (r < n % ranks ? 1 : 0));
      work.set_starts();
      const int mine = work.to_[index(rank)];
      work.memory_.resize(std::max(work.memory_.size(), index(ranks + 1) * index(mine)));
      bfloat16* const sum = work.memory_.data() + index(ranks) * index(mine);
      int code = work.reduce(comm, rank, advance(send, at, Element::bf16), work.memory_.data(), sum, reduction);
      if (code == MPI_SUCCESS)
        code = MPI_Allgatherv(sum, mine, type(), advance(recv, at, Element::bf16), work.to_.data(),
                              work.starts_.data(), type(), comm);
      if (code != MPI_SUCCESS) return code;
    }
    return MPI_SUCCESS;
  }

  static int reduce_scatter(MPI_Comm comm, int rank, int ranks, const void* send, void* recv,
                            const Blocks& blocks, Reduction reduction) {
    MpiBfloat16& work = kept(ranks);
    const std::int64_t most = std::max<std::int64_t>(1, std::min(max_count(), most_elements) / ranks);
    for (std::int64_t at = 0; at < blocks.largest(); at += most) {
      for (int r = 0; r < ranks; ++r)
        work.to_[index(r)] = static_cast<int>(std::clamp<std::int64_t>(blocks.size(r) - at, 0, most));
      const int all = work.set_starts();
      const int mine = work.to_[index(rank)];
      work.memory_.resize(std::max(work.memory_.size(), index(all) + index(ranks) * index(mine)));
      std::int64_t start = at;
      for (int r = 0; r < ranks; ++r) {
        copy(work.memory_.data() + work.starts_[index(r)], advance(send, start, Element::bf16),
             work.to_[index(r)], Element::bf16);
        start += blocks.size(r);
      }
      const int code = work.reduce(comm, rank, work.memory_.data(), work.memory_.data() + all,
                                   advance(recv, at, Element::bf16), reduction);
      if (code != MPI_SUCCESS) return code;
    }
    return MPI_SUCCESS;
  }

 private:
  // What is under way at once, of all ranks together.
  static constexpr std::int64_t most_elements = std::int64_t{1} << 18;

  static std::size_t index(int n) { return static_cast<std::size_t>(n); }
  static MPI_Datatype type() { return mpi_type(Element::bf16); }

  static MpiBfloat16& kept(int ranks) {
    thread_local MpiBfloat16 work;
    for (std::vector<int>* const numbers : {&work.to_, &work.starts_, &work.from_, &work.from_starts_})
      numbers->resize(index(ranks));
    work.terms_.resize(index(ranks));
    return work;
  }

  /// @return the sum of to_
  int set_starts() {
    int start = 0;
    for (std::size_t r = 0; r < to_.size(); ++r) {
      starts_[r] = start;
      start += to_[r];
    }
    return start;
  }

  /// sum = the reduction of this rank's share of what all ranks send, to_ elements for each.
  int reduce(MPI_Comm comm, int rank, const void* send, bfloat16* terms, void* sum, Reduction reduction) {
    const int mine = to_[index(rank)];
    for (std::size_t r = 0; r < terms_.size(); ++r) {
      from_[r] = mine;
      from_starts_[r] = static_cast<int>(r) * mine;
      terms_[r] = terms + from_starts_[r];
    }
    const int code = MPI_Alltoallv(send, to_.data(), starts_.data(), type(), terms, from_.data(),
                                   from_starts_.data(), type(), comm);
    if (code == MPI_SUCCESS) combine_terms(sum, terms_, mine, Element::bf16, reduction);
    return code;
  }

  std::vector<int> to_, starts_, from_, from_starts_;
  std::vector<const void*> terms_;
  std::vector<bfloat16> memory_;
};

}  // namespace tpx::comm::detail
