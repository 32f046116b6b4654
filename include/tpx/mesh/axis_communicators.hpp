// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tpx/comm/communicator.hpp>
#include <tpx/layout/distribution.hpp>

namespace tpx::detail {

/// A communicator for every set of axes that has more than one rank, and for all ranks.
template <class Comm>
class AxisCommunicators {
 public:
  AxisCommunicators(const Comm& world, const Grid& grid, std::span<const std::string_view> names)
      : grid_(grid), of_(std::size_t{1} << grid.axes) {
    const unsigned all = static_cast<unsigned>(of_.size()) - 1;
    for (unsigned mask = 0; mask <= all; ++mask) {
      auto& comm = of_[mask];
      if (mask == needed(all)) {
        comm.emplace(world.duplicate());
      } else if (mask != 0 && mask == needed(mask)) {
        comm.emplace(world.subgroup(members(mask)));
      } else {
        continue;
      }
      if constexpr (requires { comm->set_label(std::string()); }) {
        std::string label;
        for (int a = 0; a < grid.axes; ++a) {
          if (!(mask >> a & 1u)) continue;
          if (!label.empty()) label += ',';
          label += names[static_cast<std::size_t>(a)];
        }
        comm->set_label(label);
      }
    }
  }

  /// @pre the axes in `mask` have more than one rank together, or are all axes
  const Comm& over(unsigned mask) const {
    const auto& comm = of_[needed(mask)];
    TPX_EXPECTS(comm.has_value(), "a communicator of one rank is not made: there is nobody to talk to");
    return *comm;
  }
  const Comm& world() const { return over(static_cast<unsigned>(of_.size()) - 1); }

 private:
  /// Axes of size 1 add nothing: `{dp, tp}` with dp = 1 is `{tp}`.
  unsigned needed(unsigned mask) const {
    for (int a = 0; a < grid_.axes; ++a)
      if (grid_.size[a] == 1) mask &= ~(1u << a);
    return mask;
  }

  /// World ranks that differ from this one in the coordinates of `mask` only, major axis first.
  std::vector<int> members(unsigned mask) const {
    std::vector<int> ranks{0};
    for (int a = 0; a < grid_.axes; ++a) {
      std::vector<int> next;
      for (const int r : ranks) {
        const bool free = (mask >> a & 1u) != 0;
        for (int c = free ? 0 : grid_.coordinate[a]; c < (free ? grid_.size[a] : grid_.coordinate[a] + 1); ++c)
          next.push_back(r * grid_.size[a] + c);
      }
      ranks = std::move(next);
    }
    return ranks;
  }

  Grid grid_;
  std::vector<std::optional<Comm>> of_;
};

}  // namespace tpx::detail
