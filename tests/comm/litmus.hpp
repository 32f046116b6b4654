// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <tpx/comm/agree.hpp>
#include <tpx/comm/shared_memory_setup.hpp>
#include <tpx/comm/shared_memory_window.hpp>

/// Meetings in a window of their own. In each round every rank writes numbers that nobody wrote before to both
/// ends of its slot, in ordinary memory, meets the others and reads theirs; slots alternate, so a rank may
/// write the next ones while another still reads these.
///
/// @throws tpx::Error on every rank when one read a number of another round
template <class Comm>
void litmus(const Comm& ranks, std::int64_t rounds) {
  using tpx::comm::detail::SharedWindow;
  const int p = ranks.size();
  std::vector<int> all;
  for (int r = 0; r < p; ++r) all.push_back(r);
  tpx::comm::detail::SharedFile file;
  const std::string error = tpx::comm::detail::share(ranks, all, SharedWindow::bytes(p), file,
                                                     [&](void* memory) { SharedWindow::construct(memory, p); });
  tpx::comm::throw_together(ranks, error);
  SharedWindow window(std::move(file), ranks.rank(), p);
  tpx::comm::throw_together(ranks, window.claim());

  constexpr std::int64_t last = SharedWindow::slot_bytes / static_cast<std::int64_t>(sizeof(std::int64_t)) - 1;
  const auto slot = [&](int rank) { return reinterpret_cast<std::int64_t*>(window.slot(rank)); };
  std::string found;
  for (std::int64_t round = 0; round < rounds; ++round) {
    std::int64_t* const mine = slot(window.rank());
    mine[0] = round * p + window.rank();
    mine[last] = -mine[0];
    const std::int64_t shown = round % 2 == 0 ? round : -1;
    window.meet({}, {round, shown});
    for (int other = 0; other < p && found.empty(); ++other) {
      const std::int64_t right = round * p + other;
      if (slot(other)[0] != right || slot(other)[last] != -right || window.offsets(other).send != round ||
          window.offsets(other).recv != shown)
        found = "litmus: in round " + std::to_string(round) + " rank " + std::to_string(other) + " showed " +
                std::to_string(slot(other)[0]) + " and " + std::to_string(slot(other)[last]) + ", not " +
                std::to_string(right);
    }
    window.next_slot();
  }
  tpx::comm::throw_together(ranks, found);  // and nobody leaves while another looks for it
}
