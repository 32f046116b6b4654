// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <tpx/comm/async.hpp>
#include <tpx/comm/mpi.hpp>
#include <tpx/core/bfloat16.hpp>

namespace tpx::comm {

/// Requests that MPI works on. It may do so by itself, or only while it is called: test() is such a call.
class MpiPending {
 public:
  MpiPending() = default;
  MpiPending(MpiPending&&) noexcept = default;
  MpiPending& operator=(MpiPending&&) noexcept = default;

  // What MPI still works on stays where it is.
  ~MpiPending() {
    const auto under_way = [](MPI_Request request) { return request != MPI_REQUEST_NULL; };
    if (std::any_of(requests_.begin(), requests_.end(), under_way)) (void)new MpiPending(std::move(*this));
  }

  bool test() {
    int over = 0;
    detail::check_mpi(
        MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &over, MPI_STATUSES_IGNORE),
        "MPI_Testall");
    if (over != 0) round();
    return over != 0;
  }
  void wait() {
    for (MPI_Request& request : requests_) detail::check_mpi(MPI_Wait(&request, MPI_STATUS_IGNORE), "MPI_Wait");
    round();
  }

  /// For the next call that starts something.
  MPI_Request* next() { return &requests_.emplace_back(MPI_REQUEST_NULL); }
  /// Numbers that MPI reads until the collective is over.
  const int* keep(std::vector<int> numbers) { return numbers_.emplace_back(std::move(numbers)).data(); }

  /// What MPI reduces, and to where.
  struct Terms {
    const void* send;
    void* recv;
    Element element;
  };
  /// Those given, where MPI has reductions of the element; of bfloat16 as floats, whose reduction is rounded to
  /// `recv` when it is there.
  Terms terms(const void* send, std::int64_t sent, void* recv, std::int64_t received, Element element) {
    if (element != Element::bf16) return {send, recv, element};
    floats_.resize(static_cast<std::size_t>(sent + received));
    std::copy_n(static_cast<const bfloat16*>(send), sent, floats_.begin());
    rounded_ = static_cast<bfloat16*>(recv);
    sums_ = floats_.data() + sent;
    return {floats_.data(), sums_, Element::f32};
  }

 private:
  void round() {
    if (rounded_ == nullptr) return;
    const float* const end = floats_.data() + floats_.size();
    std::transform(static_cast<const float*>(sums_), end, rounded_, [](float sum) { return bfloat16(sum); });
    rounded_ = nullptr;
  }

  std::vector<float> floats_;
  float* sums_ = nullptr;        ///< in floats_, to the end
  bfloat16* rounded_ = nullptr;  ///< where they are to be
  std::vector<MPI_Request> requests_;
  std::vector<std::vector<int>> numbers_;
};

/// By MPI's nonblocking collectives, and by messages where blocks of different sizes meet or a count exceeds 32
/// bits.
template <>
struct Nonblocking<Mpi> {
  static constexpr bool available = true;
  using Pending = MpiPending;

  static Pending all_reduce(const Mpi& comm, const void* send, void* recv, std::int64_t count, Element element,
                            Reduction reduction) {
    detail::check_buffers(Collective::all_reduce, send, recv, count);
    Pending pending;
    const auto terms = pending.terms(send, count, recv, count, element);
    detail::for_each_part(count, [&](std::int64_t at, int n) {
      const void* from =
          terms.send == terms.recv ? MPI_IN_PLACE : detail::advance(terms.send, at, terms.element);
      detail::check_mpi(MPI_Iallreduce(from, detail::advance(terms.recv, at, terms.element), n,
                                       detail::mpi_type(terms.element),
                                       detail::mpi_op(reduction, terms.element), comm.native(), pending.next()),
                        "MPI_Iallreduce");
    });
    return pending;
  }

  static Pending all_gather(const Mpi& comm, const void* send, void* recv, Counts counts, Element element) {
    const std::int64_t mine = detail::count_of(counts, comm.rank());
    detail::check_counts(Collective::all_gather, counts, comm.size());
    detail::check_uneven(Collective::all_gather, send, mine, recv, detail::sum_of(counts));
    Pending pending;
    if (detail::sum_of(counts) == 0) return pending;
    if (detail::sum_of(counts) <= detail::max_count()) {
      const std::vector<int> n = in_ints(counts);
      std::vector<int> starts(n.size());
      for (std::size_t i = 1; i < n.size(); ++i) starts[i] = starts[i - 1] + n[i - 1];
      const MPI_Datatype type = detail::mpi_type(element);
      detail::check_mpi(MPI_Iallgatherv(send, static_cast<int>(mine), type, recv, pending.keep(n),
                                        pending.keep(std::move(starts)), type, comm.native(), pending.next()),
                        "MPI_Iallgatherv");
      return pending;
    }
    for (int r = 0; r < comm.size(); ++r) {
      receive(comm, pending, recv, detail::start_of(counts, r), detail::count_of(counts, r), r, element);
      if (r != comm.rank()) post(comm, pending, send, 0, mine, r, element);
    }
    detail::copy(detail::advance(recv, detail::start_of(counts, comm.rank()), element), send, mine, element);
    return pending;
  }

  static Pending reduce_scatter(const Mpi& comm, const void* send, void* recv, Counts counts, Element element,
                                Reduction reduction) {
    const std::int64_t sum = detail::sum_of(counts);
    detail::check_counts(Collective::reduce_scatter, counts, comm.size());
    detail::check_uneven(Collective::reduce_scatter, send, sum, recv, detail::count_of(counts, comm.rank()));
    Pending pending;
    if (sum == 0) return pending;
    const auto terms = pending.terms(send, sum, recv, detail::count_of(counts, comm.rank()), element);
    const MPI_Datatype type = detail::mpi_type(terms.element);
    const MPI_Op op = detail::mpi_op(reduction, terms.element);
    if (sum <= detail::max_count()) {
      detail::check_mpi(MPI_Ireduce_scatter(terms.send, terms.recv, pending.keep(in_ints(counts)), type, op,
                                            comm.native(), pending.next()),
                        "MPI_Ireduce_scatter");
      return pending;
    }
    // Each block goes to its rank by itself: MPI counts no more in one call.
    for (int root = 0; root < comm.size(); ++root) {
      const void* const block = detail::advance(terms.send, detail::start_of(counts, root), terms.element);
      detail::for_each_part(detail::count_of(counts, root), [&](std::int64_t at, int n) {
        detail::check_mpi(MPI_Ireduce(detail::advance(block, at, terms.element),
                                      detail::advance(terms.recv, at, terms.element), n, type, op, root,
                                      comm.native(), pending.next()),
                          "MPI_Ireduce");
      });
    }
    return pending;
  }

  static Pending all_to_all(const Mpi& comm, const void* send, Counts send_counts, void* recv,
                            Counts recv_counts, Element element) {
    detail::check_counts(Collective::all_to_all, send_counts, comm.size());
    detail::check_counts(Collective::all_to_all, recv_counts, comm.size());
    detail::check_uneven(Collective::all_to_all, send, detail::sum_of(send_counts), recv,
                         detail::sum_of(recv_counts));
    Pending pending;
    for (int r = 0; r < comm.size(); ++r)
      receive(comm, pending, recv, detail::start_of(recv_counts, r), detail::count_of(recv_counts, r), r,
              element);
    for (int r = 0; r < comm.size(); ++r)
      if (r != comm.rank())
        post(comm, pending, send, detail::start_of(send_counts, r), detail::count_of(send_counts, r), r,
             element);
    const std::int64_t own = detail::count_of(send_counts, comm.rank());
    detail::check_length("all_to_all", own, detail::count_of(recv_counts, comm.rank()));
    detail::copy(detail::advance(recv, detail::start_of(recv_counts, comm.rank()), element),
                 detail::advance(send, detail::start_of(send_counts, comm.rank()), element), own, element);
    return pending;
  }

  static Pending send_recv(const Mpi& comm, const void* send, std::int64_t send_count, int to, void* recv,
                           std::int64_t recv_count, int from, Element element) {
    detail::check_buffer(Collective::send, send, send_count);
    detail::check_buffer(Collective::recv, recv, recv_count);
    detail::check_rank(Collective::send, "to", to, comm.size());
    detail::check_rank(Collective::recv, "from", from, comm.size());
    Pending pending;
    if (to == comm.rank() && from == comm.rank()) {
      detail::check_length("send_recv", send_count, recv_count);
      detail::copy(recv, send, send_count, element);
      return pending;
    }
    receive(comm, pending, recv, 0, recv_count, from, element);
    post(comm, pending, send, 0, send_count, to, element);
    return pending;
  }

 private:
  // Of messages that are parts of one collective; the highest that every MPI has. MPI keeps the order of
  // messages between two ranks, so collectives of one group do not meet.
  static constexpr int tag = 32767;

  static std::vector<int> in_ints(Counts counts) {
    std::vector<int> n;
    for (const std::int64_t count : counts) n.push_back(static_cast<int>(count));
    return n;
  }
  /// Blocks of nothing are not sent: both of their ranks know.
  static void receive(const Mpi& comm, Pending& pending, void* buffer, std::int64_t start, std::int64_t count,
                      int from, Element element) {
    if (from == comm.rank()) return;
    detail::for_each_part(count, [&](std::int64_t at, int n) {
      detail::check_mpi(MPI_Irecv(detail::advance(buffer, start + at, element), n, detail::mpi_type(element),
                                  from, tag, comm.native(), pending.next()),
                        "MPI_Irecv");
    });
  }
  static void post(const Mpi& comm, Pending& pending, const void* buffer, std::int64_t start,
                   std::int64_t count, int to, Element element) {
    detail::for_each_part(count, [&](std::int64_t at, int n) {
      detail::check_mpi(MPI_Isend(detail::advance(buffer, start + at, element), n, detail::mpi_type(element),
                                  to, tag, comm.native(), pending.next()),
                        "MPI_Isend");
    });
  }
};

static_assert(AsyncCommunicator<Mpi>);
static_assert(AsyncCommunicator<Recording<Mpi>>);

}  // namespace tpx::comm
