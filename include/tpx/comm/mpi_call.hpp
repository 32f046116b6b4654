// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <tpx/comm/call.hpp>
#include <tpx/comm/mpi_support.hpp>
#include <tpx/core/config.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm::detail {

/// That this rank is in a call of its MPI group. Where checks communicate, the ranks first tell each other
/// which collective they are in: MPI would hang, or mix their data up, where they differ.
class MpiCall {
 public:
  /// @throws tpx::Error on all ranks, the same text, where their collectives differ
  /// @comm   with checks that communicate, for a collective: an all-gather of 88 u8
  MpiCall(MPI_Comm comm, const Call& call, const std::string& group, int rank, int ranks)
      : entered_(call, group, rank, ranks) {
    if constexpr (check_level >= check_level_collective) expect_same(comm, call, group, ranks);
  }

 private:
  struct Said {
    Call call;
    std::array<char, 64> caller;  ///< the op that needs it; cut where it is long
  };

  static void expect_same(MPI_Comm comm, const Call& call, const std::string& group, int ranks) {
    if (call.what == Collective::send || call.what == Collective::recv || call.what == Collective::send_recv)
      return;
    Said mine{call, {}};
    const std::string_view caller = tpx::detail::op_in_progress();
    caller.copy(mine.caller.data(), mine.caller.size() - 1);
    std::vector<Said> all(static_cast<std::size_t>(ranks));
    const int bytes = static_cast<int>(sizeof(Said));
    check_mpi(MPI_Allgather(&mine, bytes, MPI_BYTE, all.data(), bytes, MPI_BYTE, comm), "MPI_Allgather");
    for (std::size_t other = 1; other < all.size(); ++other) {
      if (all[other].call == all[0].call) continue;
      fail("tpx::comm::Mpi: the ranks of a group make the same call" + over(group) + ": rank 0 is in " +
           text(all[0]) + ", rank " + std::to_string(other) + " in " + text(all[other]) +
           (all[other].call.text() == all[0].call.text() ? " of other sizes" : ""));
    }
  }

  static std::string text(const Said& said) {
    const std::string caller = said.caller.data();
    return said.call.text() + (caller.empty() ? caller : ", called by " + caller);
  }

  Entered entered_;
};

}  // namespace tpx::comm::detail
