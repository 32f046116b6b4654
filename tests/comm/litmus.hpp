// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tpx/comm/agree.hpp>
#include <tpx/comm/shared_memory_messages.hpp>
#include <tpx/comm/shared_memory_setup.hpp>
#include <tpx/comm/shared_memory_window.hpp>

/// A window of their own for all ranks of a group.
template <class Comm>
std::unique_ptr<tpx::comm::detail::SharedWindow> window_of(const Comm& ranks) {
  using tpx::comm::detail::SharedWindow;
  const int p = ranks.size();
  std::vector<int> all;
  for (int r = 0; r < p; ++r) all.push_back(r);
  tpx::comm::detail::SharedFile file;
  const std::string error = tpx::comm::detail::share(ranks, all, SharedWindow::bytes(p), file,
                                                     [&](void* memory) { SharedWindow::construct(memory, p); });
  tpx::comm::throw_together(ranks, error);
  auto window = std::make_unique<SharedWindow>(std::move(file), ranks.rank(), p);
  tpx::comm::throw_together(ranks, window->claim());
  return window;
}

/// Meetings. In each round every rank writes numbers that nobody wrote before to both ends of its slot, in
/// ordinary memory, meets the others and reads theirs; slots alternate, so a rank may write the next ones while
/// another still reads these.
///
/// @throws tpx::Error on every rank when one read a number of another round
template <class Comm>
void litmus(const Comm& ranks, std::int64_t rounds) {
  using tpx::comm::detail::SharedWindow;
  const int p = ranks.size();
  const std::unique_ptr<SharedWindow> window = window_of(ranks);
  constexpr std::int64_t last = SharedWindow::slot_bytes / static_cast<std::int64_t>(sizeof(std::int64_t)) - 1;
  const auto slot = [&](int rank) { return reinterpret_cast<std::int64_t*>(window->slot(rank)); };
  std::string found;
  for (std::int64_t round = 0; round < rounds; ++round) {
    std::int64_t* const mine = slot(window->rank());
    mine[0] = round * p + window->rank();
    mine[last] = -mine[0];
    const std::int64_t shown = round % 2 == 0 ? round : -1;
    window->meet({}, {round, shown});
    for (int other = 0; other < p && found.empty(); ++other) {
      const std::int64_t right = round * p + other;
      if (slot(other)[0] != right || slot(other)[last] != -right || window->offsets(other).send != round ||
          window->offsets(other).recv != shown)
        found = "litmus: in round " + std::to_string(round) + " rank " + std::to_string(other) + " showed " +
                std::to_string(slot(other)[0]) + " and " + std::to_string(slot(other)[last]) + ", not " +
                std::to_string(right);
    }
    window->next_slot();
  }
  tpx::comm::throw_together(ranks, found);  // and nobody leaves while another looks for it
}

/// Messages around the ring: mostly one number that nobody sent before, now and then one of up to five pieces,
/// of which the ends are looked at. The buffer sent from is overwritten as soon as the message is done.
///
/// @throws tpx::Error on every rank when one received a number of another round
template <class Comm>
void message_litmus(const Comm& ranks, std::int64_t rounds) {
  namespace detail = tpx::comm::detail;
  using tpx::comm::Collective;
  const int p = ranks.size();
  const int me = ranks.rank();
  const int to = (me + 1) % p;
  const int from = (me + p - 1) % p;
  const std::unique_ptr<detail::SharedWindow> window = window_of(ranks);
  constexpr std::int64_t piece =
      detail::SharedWindow::message_bytes / static_cast<std::int64_t>(sizeof(std::int64_t));
  std::vector<std::int64_t> out(static_cast<std::size_t>(5 * piece));
  std::vector<std::int64_t> in(out.size());
  std::string found;
  for (std::int64_t round = 0; round < rounds; ++round) {
    const std::int64_t n = round % 64 != 0 ? 1 : 1 + round / 64 * 997 % (5 * piece);
    const auto number = [&](int rank, std::int64_t i) { return (round * p + rank) * 5 * piece + i; };
    const auto at_ends = [&](auto f) {
      for (std::int64_t i = 0; i < n; i += piece) f(i);
      f(n - 1);
    };
    at_ends([&](std::int64_t i) { out[static_cast<std::size_t>(i)] = number(me, i); });
    const detail::Call call{n, static_cast<std::int32_t>(round % 1000), Collective::send_recv,
                            tpx::Element::i64};
    detail::SharedSend sent(*window, call, out.data(), to);
    detail::SharedReceive received(*window, call, in.data(), from);
    detail::complete(*window, call, sent, received);
    at_ends([&](std::int64_t i) {
      if (const std::int64_t came = in[static_cast<std::size_t>(i)]; came != number(from, i) && found.empty())
        found = "litmus: in round " + std::to_string(round) + " rank " + std::to_string(from) + " sent " +
                std::to_string(came) + " as number " + std::to_string(i) + ", not " +
                std::to_string(number(from, i));
    });
  }
  tpx::comm::throw_together(ranks, found);
}
