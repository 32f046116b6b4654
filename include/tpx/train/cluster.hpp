// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tpx/core/error.hpp>
#include <tpx/core/settings.hpp>

namespace tpx {

/// A rate that depends on the size: points (size, rate), between which the logarithms are interpolated; before
/// the first point and after the last one the rate stays.
class RateTable {
 public:
  RateTable() = default;
  RateTable(double rate) : points_{{1, rate}} {}
  explicit RateTable(std::vector<std::pair<double, double>> points) : points_(std::move(points)) {
    std::sort(points_.begin(), points_.end());
    for (const auto& [size, rate] : points_)
      TPX_EXPECTS(size > 0 && rate > 0 && std::isfinite(size) && std::isfinite(rate), size, rate,
                  "sizes and rates are positive numbers");
  }

  bool empty() const { return points_.empty(); }
  const std::vector<std::pair<double, double>>& points() const { return points_; }

  /// @pre the table is not empty
  double at(double size) const {
    TPX_EXPECTS(!points_.empty(), size, "a rate is asked of a table that has one");
    const auto after =
        std::find_if(points_.begin(), points_.end(), [&](const auto& p) { return p.first >= size; });
    if (after == points_.end()) return points_.back().second;
    if (after == points_.begin()) return after->second;
    const auto before = after - 1;
    const double t = std::log(size / before->first) / std::log(after->first / before->first);
    return before->second * std::pow(after->second / before->second, t);
  }

 private:
  std::vector<std::pair<double, double>> points_;
};

/// How a rank reaches others: seconds for a message of nothing, and bytes a second each way, by the bytes.
struct Link {
  double latency = 0;
  RateTable bandwidth;
};

/// What a cost model knows of a machine: ranks, what each computes and holds, and how they are connected.
///
/// The rate of an op is that of its own name ("tpx::gelu"), measured whole; else that of its class. A matmul
/// takes flops / matmul + bytes / stream, attention flops / attention + bytes / stream, anything else bytes /
/// stream.
struct Cluster {
  std::string name;
  int ranks_per_node = 1;
  double memory = std::numeric_limits<double>::infinity();  ///< bytes a rank may use
  double peak = 0;                                          ///< flops a second on paper; 0 where unknown
  double launch = 0;                                        ///< seconds that each launch takes beside its work
  std::map<std::string, RateTable, std::less<>> rates;
  Link node;     ///< between ranks of one node
  Link network;  ///< between nodes, for each rank

  const RateTable& rate(std::string_view op) const {
    const auto found = rates.find(op);
    if (found == rates.end()) fail("tpx::Cluster: '" + name + "' has no rate of " + std::string(op));
    return found->second;
  }
};

namespace detail {

/// "rate", or "size:rate size:rate ..."; empty where the text is neither.
inline RateTable read_rates(const std::string& text) {
  if (const double rate = positive_number(text); rate > 0) return RateTable(rate);
  std::vector<std::pair<double, double>> points;
  std::istringstream in(text);
  for (std::string point; in >> point;) {
    const std::size_t colon = point.find(':');
    if (colon == std::string::npos) return {};
    const double size = positive_number(point.substr(0, colon)),
                 rate = positive_number(point.substr(colon + 1));
    if (size <= 0 || rate <= 0) return {};
    points.emplace_back(size, rate);
  }
  return RateTable(std::move(points));
}

}  // namespace detail

/// Reads a cluster from lines `key = value`: name, ranks_per_node, memory, peak, launch, node.latency,
/// node.bandwidth, network.latency, network.bandwidth, and `rate.OP`, a rate or points size:rate.
///
/// @throws tpx::Error naming the file and the line
inline Cluster read_cluster(const std::string& path) {
  std::ifstream in(path);
  if (!in) fail("tpx::read_cluster: '" + path + "' cannot be opened");
  Cluster cluster;
  cluster.name = path;
  std::set<std::string> seen;
  detail::read_settings(in, path, [&](const std::string& key, const std::string& value) -> std::string {
    if (!seen.insert(key).second) return "the key is there twice";
    if (key == "name") return cluster.name = value, "";
    if (key.rfind("rate.", 0) == 0 || key == "node.bandwidth" || key == "network.bandwidth") {
      RateTable table = detail::read_rates(value);
      if (table.empty()) return "a rate is a positive number, or points size:rate";
      (key == "node.bandwidth"      ? cluster.node.bandwidth
       : key == "network.bandwidth" ? cluster.network.bandwidth
                                    : cluster.rates[key.substr(5)]) = std::move(table);
      return "";
    }
    const double number = detail::positive_number(value);
    if (number <= 0) return "the value is a positive number";
    if (key == "ranks_per_node") return cluster.ranks_per_node = static_cast<int>(number), "";
    if (key == "memory") return cluster.memory = number, "";
    if (key == "peak") return cluster.peak = number, "";
    if (key == "launch") return cluster.launch = number, "";
    if (key == "node.latency") return cluster.node.latency = number, "";
    if (key == "network.latency") return cluster.network.latency = number, "";
    return "the key is unknown";
  });
  for (const char* needed : {"matmul", "stream"})
    if (!cluster.rates.contains(needed)) fail("tpx::read_cluster: '" + path + "' has no rate." + needed);
  if (cluster.node.bandwidth.empty()) fail("tpx::read_cluster: '" + path + "' has no node.bandwidth");
  if (cluster.network.bandwidth.empty()) cluster.network = cluster.node;
  return cluster;
}

}  // namespace tpx
