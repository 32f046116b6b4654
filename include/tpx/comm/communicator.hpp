// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>

#include <tpx/core/element.hpp>
#include <tpx/core/reduction.hpp>

namespace tpx::comm {

/// What ranks do together, each by its one name in errors, logs and reports.
enum class Collective : unsigned char {
  all_reduce,
  all_gather,
  reduce_scatter,
  all_to_all,
  broadcast,
  send,
  recv,
  send_recv,
  barrier
};

constexpr const char* name(Collective what) {
  switch (what) {
    case Collective::all_reduce:
      return "all_reduce";
    case Collective::all_gather:
      return "all_gather";
    case Collective::reduce_scatter:
      return "reduce_scatter";
    case Collective::all_to_all:
      return "all_to_all";
    case Collective::broadcast:
      return "broadcast";
    case Collective::send:
      return "send";
    case Collective::recv:
      return "recv";
    case Collective::send_recv:
      return "send_recv";
    case Collective::barrier:
      return "barrier";
  }
  return "?";
}

using tpx::Reduction;

/// The stream of an execution space on which a device-driven communicator enqueues its work. Opaque
/// here, and ignored by a communicator that is driven from the host.
struct Queue {
  void* handle = nullptr;
};

/// Where memory comes from: `bytes` of it, given back by the last holder; null where there is no more. A
/// communicator that reads the buffers of other ranks where they are gives out such memory: its
/// `symmetric_memory()` is a source.
using MemorySource = std::function<std::shared_ptr<void>(std::int64_t bytes)>;

/// A group of p ranks that exchange dense buffers; a handle, so its operations are const.
///
/// With x_r what rank r sends, of n elements, and x_r[k] its block k of `count` elements:
///
///   all_reduce      send (n)        recv (n)        recv = x_0 + ... + x_{p-1}; send == recv is allowed
///   all_gather      send (n)        recv (p*n)      recv[k] = x_k
///   reduce_scatter  send (p*n)      recv (n)        recv = x_0[rank] + ... + x_{p-1}[rank]
///   all_to_all      send (p*n)      recv (p*n)      recv[k] = x_k[rank]
///   broadcast       buffer (n)                      buffer = the root's
///   send_recv       send (n)        recv (m)        as a send and a recv at once, to and from any two ranks
///
/// The uneven forms take `counts`, one for each rank, and the blocks lie one after the other without gaps.
/// With n_r = counts[r], N their sum and x_r[k] the block of n_k elements:
///
///   all_gather      send (n_rank)   recv (N)        recv[k] = x_k; the same counts on every rank
///   reduce_scatter  send (N)        recv (n_rank)   recv = x_0[rank] + ... + x_{p-1}[rank]; the same counts
///   all_to_all      send (N)        recv (M)        recv[k] = x_k[rank], of m_k = recv_counts[k] elements:
///                                                   as many as rank k has in its send_counts[rank]
///
/// Counts are 64-bit numbers of elements, per rank in all_gather, reduce_scatter and all_to_all. A
/// count of 0 is legal everywhere, with null pointers too. All ranks make the same collective calls in
/// the same order with the same count, element, reduction and root. Except for the in-place
/// all_reduce, buffers do not overlap. `send` may wait until the message is received; a message of
/// another length than the receiver expects is an error.
///
/// Sums of bfloat16 are taken in float, and rounded once; its maxima and minima are exact.
///
/// `host_driven` is true where the communicator reads and writes memory from the host at the time of
/// the call: callers fence first. Otherwise the work is enqueued on the Queue.
///
/// `subgroup(members)` is collective over this group: each rank passes the group it will belong to, as
/// ranks of this one, in the order that gives the new ranks; the groups are disjoint and cover this
/// one. `duplicate()` is a group of the same ranks whose messages do not meet those of this one.
template <class C>
concept Communicator = std::movable<C> && !std::copyable<C> &&
                       requires(const C& comm, const void* in, void* out, std::int64_t count, Element element,
                                Reduction reduction, int rank, int tag, Queue queue,
                                std::span<const int> members, std::span<const std::int64_t> counts) {
  typename std::bool_constant<C::host_driven>;
  { comm.rank() } -> std::same_as<int>;
  { comm.size() } -> std::same_as<int>;
  { comm.duplicate() } -> std::same_as<C>;
  { comm.subgroup(members) } -> std::same_as<C>;
  comm.all_reduce(in, out, count, element, reduction, queue);
  comm.all_reduce(in, out, count, element, reduction);
  comm.all_gather(in, out, count, element, queue);
  comm.all_gather(in, out, count, element);
  comm.reduce_scatter(in, out, count, element, reduction, queue);
  comm.reduce_scatter(in, out, count, element, reduction);
  comm.all_to_all(in, out, count, element, queue);
  comm.all_to_all(in, out, count, element);
  comm.all_gather(in, out, counts, element, queue);
  comm.all_gather(in, out, counts, element);
  comm.reduce_scatter(in, out, counts, element, reduction, queue);
  comm.reduce_scatter(in, out, counts, element, reduction);
  comm.all_to_all(in, counts, out, counts, element, queue);
  comm.all_to_all(in, counts, out, counts, element);
  comm.broadcast(out, count, element, rank, queue);
  comm.broadcast(out, count, element, rank);
  comm.send(in, count, element, rank, tag, queue);
  comm.send(in, count, element, rank, tag);
  comm.recv(out, count, element, rank, tag, queue);
  comm.recv(out, count, element, rank, tag);
  comm.send_recv(in, count, rank, out, count, rank, element, tag, queue);
  comm.send_recv(in, count, rank, out, count, rank, element, tag);
  comm.barrier();
};

}  // namespace tpx::comm
