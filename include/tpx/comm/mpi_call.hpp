// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <tpx/comm/call.hpp>
#include <tpx/comm/mpi_support.hpp>
#include <tpx/comm/mpi_wait.hpp>
#include <tpx/core/config.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm::detail {

/// That this rank is in a call of its MPI group. Where checks communicate, the ranks first tell each other
/// which collective they are in: MPI would hang, or mix their data up, where they differ.
class MpiCall {
 public:
  /// @throws tpx::Error on all ranks, the same text, where their collectives differ; where some have not come
  ///         in time, on all that wait
  /// @comm   with checks that communicate, for a collective: an all-gather of 88 u8
  MpiCall(MPI_Comm comm, const Call& call, const std::string& group, int rank, int ranks)
      : entered_(call, group, rank, ranks) {
    if constexpr (check_level >= check_level_collective) expect_same(comm, call, group, ranks);
  }

 private:
  // MPI's until all have come: where the wait is given up, it stays so.
  struct Exchange {
    Said mine;
    std::vector<Said> all;
  };

  static void expect_same(MPI_Comm comm, const Call& call, const std::string& group, int ranks) {
    if (call.what == Collective::send || call.what == Collective::recv || call.what == Collective::send_recv)
      return;
    auto said = std::make_unique<Exchange>();
    said->mine.call = call;
    said->mine.caller.set();
    said->all.resize(static_cast<std::size_t>(ranks));
    const int bytes = static_cast<int>(sizeof(Said));
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Iallgather(&said->mine, bytes, MPI_BYTE, said->all.data(), bytes, MPI_BYTE, comm, &request),
              "MPI_Iallgather");
    Exchange* const lent = said.release();
    const int code = wait(request, MPI_STATUS_IGNORE);
    said.reset(lent);
    check_mpi(code, "MPI_Iallgather");
    const std::vector<Said>& all = said->all;
    for (std::size_t other = 1; other < all.size(); ++other)
      if (all[other].call != all[0].call)
        fail(calls_differ_error("Mpi", group, all[0], static_cast<int>(other), all[other]));
  }

  Entered entered_;
};

}  // namespace tpx::comm::detail
