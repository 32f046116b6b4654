// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <bit>
#include <string_view>

#include <tpx/train/cluster.hpp>
#include <tpx/train/model_parts.hpp>

namespace tpx::detail {

/// The link of a group of ranks that stand `stride` apart. Where it spans nodes, its ranks of one node have
/// that many ways out.
struct Route {
  const Link* link;
  double ways = 1;
};
inline Route route(const Cluster& c, int ranks, int stride) {
  if (static_cast<long long>(ranks) * stride <= c.ranks_per_node) return {&c.node, 1};
  return {&c.network, static_cast<double>(std::clamp(c.ranks_per_node / stride, 1, ranks))};
}

/// Steps of a tree over a group.
inline double hops(int ranks) { return static_cast<double>(std::bit_width(static_cast<unsigned>(ranks - 1))); }

/// Seconds of a collective on `bytes` (of the larger buffer) over a group: a ring's volume, a tree's latency.
inline double collective_time(const Cluster& c, comm::Collective what, double bytes, int ranks, int stride) {
  if (ranks <= 1) return 0;
  const Route r = route(c, ranks, stride);
  double share = static_cast<double>(ranks - 1) / ranks;
  double turns = 1;
  if (what == comm::Collective::all_reduce) share *= 2, turns = 2;
  if (what == comm::Collective::send || what == comm::Collective::recv || what == comm::Collective::send_recv ||
      what == comm::Collective::broadcast)
    share = 1;
  // Ranks of a node that pass a message out together are still no faster than their own links.
  double rate = r.link->bandwidth.at(bytes) * r.ways;
  if (r.link != &c.node)
    rate = std::min(rate, std::max(c.node.bandwidth.at(bytes), r.link->bandwidth.at(bytes)));
  return turns * hops(ranks) * r.link->latency + share * bytes / rate;
}

inline bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

/// Seconds of a launch; `scale` is the bytes of an element over float's, in which the launch was counted.
inline double launch_time(const Cluster& c, const Launch& l, double scale) {
  const double flops = static_cast<double>(l.work.flops), bytes = static_cast<double>(l.work.bytes) * scale;
  const bool matmul = starts_with(l.op, "tpx::matmul"), attends = starts_with(l.op, "tpx::att");
  const double size = matmul || attends ? flops : bytes;
  if (size == 0) return c.launch;
  if (const auto own = c.rates.find(l.op); own != c.rates.end()) return c.launch + size / own->second.at(size);
  const double moved = bytes / c.rate("stream").at(bytes);
  if (!matmul && !attends) return c.launch + moved;
  return c.launch + moved +
         flops / c.rate(attends && c.rates.contains("attention") ? "attention" : "matmul").at(flops);
}

/// Seconds of a pass: kernels, and collectives over tp.
struct PassTime {
  double compute = 0, comm = 0;
  friend PassTime operator+(PassTime a, PassTime b) { return {a.compute + b.compute, a.comm + b.comm}; }
  friend PassTime operator*(double n, PassTime a) { return {n * a.compute, n * a.comm}; }
  double total() const { return compute + comm; }
};

inline PassTime pass_time(const Cluster& c, const PassWork& pass, double scale) {
  PassTime t;
  for (const Launch& l : pass.launches) t.compute += launch_time(c, l, scale);
  for (const comm::CommCall& call : pass.calls) {
    const auto size = static_cast<double>(element_size(call.element));
    t.comm += collective_time(c, call.what, static_cast<double>(call.elements) * size * scale, call.ranks, 1);
  }
  return t;
}

/// What attention that stores its scores adds to attention by blocks, for n scores: the half of the matmuls
/// that a causal mask spares, and scores through memory. Forward they are written by the matmul, read and
/// written by the softmax and by dropout, whose mask is a byte, and read by the second matmul; backward
/// likewise.
inline PassTime stored_scores(const Cluster& c, double n, double head_dim, bool backward, double element) {
  const double bytes = backward ? n * (9 * element + 1) : n * (6 * element + 1);
  const double flops = (backward ? 4 : 2) * n * head_dim;
  return {4 * c.launch + bytes / c.rate("stream").at(bytes) + flops / c.rate("matmul").at(flops), 0};
}

}  // namespace tpx::detail
