// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>

#include <tpx/comm/arguments.hpp>
#include <tpx/comm/communicator.hpp>
#include <tpx/comm/recording.hpp>

namespace tpx::comm {

/// Collectives that are started now and waited for later. A communicator that has them specialises this in a
/// header of its own; for the others `available` is false, and what would be started runs when it is waited
/// for.
///
/// A started collective uses its buffers until its Pending says that it is over:
///
///   Pending p = Nonblocking<Comm>::all_reduce(comm, send, recv, count, element, reduction);
///   p.test();      // whether it is over; lets the communicator make progress, and starts nothing
///   p.wait();      // returns when it is
///
/// all_gather, reduce_scatter and all_to_all take counts for each rank, as their uneven forms do; send_recv
/// takes one message each way. All ranks start the collectives of a group in the same order, among its others;
/// a Pending that goes before wait() leaves the collective, and its buffers, to the communicator.
template <class Comm>
struct Nonblocking {
  static constexpr bool available = false;
  struct Pending {
    bool test() { return true; }
    void wait() {}
  };
};

/// A communicator that starts collectives.
template <class Comm>
concept AsyncCommunicator = Communicator<Comm> && Nonblocking<Comm>::available &&
    requires(const Comm& comm, const void* in, void* out, std::int64_t count, Counts counts, Element element,
             Reduction reduction, int rank, typename Nonblocking<Comm>::Pending& pending) {
  { pending.test() } -> std::same_as<bool>;
  pending.wait();
  Nonblocking<Comm>::all_reduce(comm, in, out, count, element, reduction);
  Nonblocking<Comm>::all_gather(comm, in, out, counts, element);
  Nonblocking<Comm>::reduce_scatter(comm, in, out, counts, element, reduction);
  Nonblocking<Comm>::all_to_all(comm, in, counts, out, counts, element);
  Nonblocking<Comm>::send_recv(comm, in, count, rank, out, count, rank, element);
};

/// Counted when they are started, as the calls that they stand for.
template <class Comm>
requires Nonblocking<Comm>::available struct Nonblocking<Recording<Comm>> {
  static constexpr bool available = true;
  using Inner = Nonblocking<Comm>;
  using Pending = typename Inner::Pending;

  static Pending all_reduce(const Recording<Comm>& comm, const void* send, void* recv, std::int64_t count,
                            Element element, Reduction reduction) {
    comm.add(Collective::all_reduce, count, element);
    return Inner::all_reduce(comm.inner(), send, recv, count, element, reduction);
  }
  static Pending all_gather(const Recording<Comm>& comm, const void* send, void* recv, Counts counts,
                            Element element) {
    comm.add(Collective::all_gather, detail::sum_of(counts), element);
    return Inner::all_gather(comm.inner(), send, recv, counts, element);
  }
  static Pending reduce_scatter(const Recording<Comm>& comm, const void* send, void* recv, Counts counts,
                                Element element, Reduction reduction) {
    comm.add(Collective::reduce_scatter, detail::sum_of(counts), element);
    return Inner::reduce_scatter(comm.inner(), send, recv, counts, element, reduction);
  }
  static Pending all_to_all(const Recording<Comm>& comm, const void* send, Counts send_counts, void* recv,
                            Counts recv_counts, Element element) {
    comm.add(Collective::all_to_all, std::max(detail::sum_of(send_counts), detail::sum_of(recv_counts)),
             element);
    return Inner::all_to_all(comm.inner(), send, send_counts, recv, recv_counts, element);
  }
  static Pending send_recv(const Recording<Comm>& comm, const void* send, std::int64_t send_count, int to,
                           void* recv, std::int64_t recv_count, int from, Element element) {
    comm.add(Collective::send_recv, std::max(send_count, recv_count), element);
    return Inner::send_recv(comm.inner(), send, send_count, to, recv, recv_count, from, element);
  }
};

}  // namespace tpx::comm
