// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// MPI's C++ bindings are long gone from the standard, and cost over a second of every compilation.
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

#include <array>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <tpx/comm/communicator.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm::detail {

/// The most elements that one MPI call is given; longer messages are split. A test lowers it.
inline std::int64_t& max_count() {
  static std::int64_t limit = INT_MAX;
  return limit;
}

inline std::string mpi_text(int code) {
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  if (MPI_Error_string(code, text.data(), &length) != MPI_SUCCESS)
    return "unknown MPI error " + std::to_string(code);
  return std::string(text.data(), static_cast<std::size_t>(length));
}

[[noreturn]] inline void mpi_failed(int code, const char* what, std::int64_t count, int rank, int size) {
  fail("tpx::comm::Mpi: " + std::string(what) + " of " + std::to_string(count) + " elements failed on rank " +
       std::to_string(rank) + " of " + std::to_string(size) + ": " + mpi_text(code));
}

/// For calls that are no collective of ours.
inline void check_mpi(int code, const char* function) {
  if (code != MPI_SUCCESS) [[unlikely]]
    fail("tpx::comm::Mpi: " + std::string(function) + " failed: " + mpi_text(code));
}

inline void expect_mpi_runs() {
  int yes = 0;
  check_mpi(MPI_Initialized(&yes), "MPI_Initialized");
  if (yes == 0) fail("tpx::comm::Mpi: MPI must be initialised before a communicator is made");
  check_mpi(MPI_Finalized(&yes), "MPI_Finalized");
  if (yes != 0) fail("tpx::comm::Mpi: MPI must not be finalised before a communicator is made");
}

/// From a destructor, so it reports and goes on. After MPI_Finalize nothing is left to free.
inline void free_communicator(MPI_Comm& comm) noexcept {
  if (comm == MPI_COMM_NULL) return;
  int finalized = 0;
  if (MPI_Finalized(&finalized) != MPI_SUCCESS || finalized != 0) return;
  if (MPI_Comm_free(&comm) != MPI_SUCCESS) std::fputs("tpx::comm::Mpi: MPI_Comm_free failed\n", stderr);
}

inline MPI_Datatype mpi_type(Element element) {
  switch (element) {
    case Element::f32:
      return MPI_FLOAT;
    case Element::f64:
      return MPI_DOUBLE;
    case Element::i32:
      return MPI_INT32_T;
    case Element::i64:
      return MPI_INT64_T;
    case Element::u8:
      return MPI_UINT8_T;
    case Element::bf16:
      return MPI_UINT16_T;  // moved as such, and reduced by ops of ours
  }
  return MPI_DATATYPE_NULL;
}

/// f(at, n) for consecutive parts of `count` elements, none longer than max_count().
template <class F>
void for_each_part(std::int64_t count, F&& f) {
  const std::int64_t limit = max_count();
  for (std::int64_t at = 0; at < count; at += limit) {
    const std::int64_t left = count - at;
    f(at, static_cast<int>(left < limit ? left : limit));
  }
}

/// How many messages `count` elements travel in: one even where there is nothing to send, because its
/// receiver waits for it.
inline std::int64_t messages_of(std::int64_t count) {
  return count == 0 ? 1 : (count + max_count() - 1) / max_count();
}

template <class F>
void for_each_message(std::int64_t count, F&& f) {
  if (count == 0) {
    f(std::int64_t{0}, 0);
  } else {
    for_each_part(count, f);
  }
}

/// `n` elements of each of several blocks that are `stride` elements apart: what a part of an
/// all-gather's or an all-to-all's buffer is. Whole blocks need no derived type.
class BlockType {
 public:
  BlockType(int n, std::int64_t stride, Element element)
      : whole_(n == stride), count_(n), type_(mpi_type(element)) {
    if (whole_) return;
    MPI_Datatype run = MPI_DATATYPE_NULL;
    check_mpi(MPI_Type_contiguous(n, type_, &run), "MPI_Type_contiguous");
    const int resized =
        MPI_Type_create_resized(run, 0, static_cast<MPI_Aint>(stride * element_size(element)), &type_);
    const int freed = MPI_Type_free(&run);
    check_mpi(resized, "MPI_Type_create_resized");
    check_mpi(freed, "MPI_Type_free");
    count_ = 1;
    const int committed = MPI_Type_commit(&type_);
    if (committed != MPI_SUCCESS) release();
    check_mpi(committed, "MPI_Type_commit");
  }

  BlockType(const BlockType&) = delete;
  BlockType& operator=(const BlockType&) = delete;
  ~BlockType() {
    if (!whole_) release();
  }

  int count() const { return count_; }
  MPI_Datatype type() const { return type_; }

 private:
  void release() noexcept {
    if (MPI_Type_free(&type_) != MPI_SUCCESS) std::fputs("tpx::comm::Mpi: MPI_Type_free failed\n", stderr);
  }

  bool whole_;
  int count_;
  MPI_Datatype type_;
};

}  // namespace tpx::comm::detail
