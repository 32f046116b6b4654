// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include <tpx/comm/call.hpp>
#include <tpx/comm/mpi_support.hpp>
#include <tpx/comm/patience.hpp>
#include <tpx/core/config.hpp>
#include <tpx/core/error.hpp>

namespace tpx::comm::detail {

/// The end of a wait that takes too long: every rank that waits tells all processes of the launch in which
/// call, and throws what it heard. Who hears it while it waits for something else gives up too.
class MpiFarewell {
 public:
  static constexpr int tag = 32766;

  /// Whether another rank has given up.
  static bool heard() {
    int some = 0;
    check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, tag, MPI_COMM_WORLD, &some, MPI_STATUS_IGNORE), "MPI_Iprobe");
    return some != 0;
  }

  [[noreturn]] static void say(const std::string& why) {
    abandoned() = true;
    int me = 0;
    int ranks = 0;
    check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &me), "MPI_Comm_rank");
    check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &ranks), "MPI_Comm_size");
    const Entered* const call = Entered::innermost();
    const std::string mine = call == nullptr ? "a call" : call->text();
    std::vector<std::string> calls(static_cast<std::size_t>(ranks));
    calls[static_cast<std::size_t>(me)] = mine;
    static Text sent;  // MPI reads it when it likes
    sent = {};
    mine.copy(sent.data(), sent.size() - 1);
    for (int other = 0; other < ranks; ++other) {
      if (other == me) continue;
      MPI_Request request = MPI_REQUEST_NULL;
      check_mpi(
          MPI_Isend(sent.data(), static_cast<int>(sent.size()), MPI_CHAR, other, tag, MPI_COMM_WORLD, &request),
          "MPI_Isend");
      check_mpi(MPI_Request_free(&request), "MPI_Request_free");
    }
    hear(calls, ranks - 1);
    std::string text = "tpx::comm::Mpi: " + mine + " was given up" +
                       (call == nullptr ? "" : " on " + call->where()) + ": " + why;
    for (std::size_t rank = 0; rank < calls.size(); ++rank)
      text +=
          (rank == 0 ? ". Of all processes rank " : ", rank ") + std::to_string(rank) + waits_in(calls[rank]);
    fail(text);
  }

  /// Whether a wait was given up: MPI still works on the call, which nobody may free.
  static bool& abandoned() {
    static bool yes = false;
    return yes;
  }

 private:
  using Text = std::array<char, 256>;

  /// Those who wait answer soon; the others are in no call.
  static void hear(std::vector<std::string>& calls, int expected) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    for (int came = 0; came < expected && std::chrono::steady_clock::now() < end;) {
      if (!heard()) continue;
      Text text{};
      MPI_Status status{};
      check_mpi(MPI_Recv(text.data(), static_cast<int>(text.size()), MPI_CHAR, MPI_ANY_SOURCE, tag,
                         MPI_COMM_WORLD, &status),
                "MPI_Recv");
      calls[static_cast<std::size_t>(status.MPI_SOURCE)] = text.data();
      ++came;
    }
  }
};

/// MPI_Wait. Where checks communicate it does not take longer than timeout().
///
/// @throws tpx::Error where it would, which leaves the request to MPI: to cancel it might take as long
inline int wait(MPI_Request& request, MPI_Status* status) {
  if constexpr (check_level < check_level_collective) {
    return MPI_Wait(&request, status);
  } else {
    int over = 0;
    for (Patience patience;;) {
      const int code = MPI_Test(&request, &over, status);
      if (code != MPI_SUCCESS || over != 0) return code;
      if (!patience.wait()) continue;
      if (patience.waited() >= timeout()) MpiFarewell::say(waited_too_long(patience.waited()));
      if (MpiFarewell::heard()) MpiFarewell::say("another rank gave up");
    }
  }
}

}  // namespace tpx::comm::detail
