// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include <tpx/core/element.hpp>
#include <tpx/layout/distribution.hpp>
#include <tpx/layout/shape.hpp>

namespace tpx {

/// What one rank has of a tensor that has a name and a global shape: a box of it, or of the box's elements,
/// row-major, a range. Whatever the mesh, the parts of all ranks cover the tensor; one of those that are the
/// same is stored.
struct TensorPart {
  std::string name;
  Element element = Element::f32;
  Shape global;
  std::array<std::int64_t, Spec::max_dims> offset{};  ///< of the box
  Shape local;                                        ///< the box's extents
  std::int64_t begin = 0, count = 0;                  ///< the range of the box's elements
  bool stored = true;                                 ///< whether this rank is the one that stores it
  int replica = 0, replicas = 1;  ///< where ranks have values of their own: which of how many these are

  /// The same elements, whoever stores them.
  bool same_place(const TensorPart& o) const {
    bool same = of_same_tensor(o) && begin == o.begin && count == o.count && replica == o.replica;
    for (int d = 0; same && d < local.ndim(); ++d) same = at(d) == o.at(d) && local[d] == o.local[d];
    return same;
  }
  bool of_same_tensor(const TensorPart& o) const {
    bool same = name == o.name && element == o.element && global.ndim() == o.global.ndim();
    for (int d = 0; same && d < global.ndim(); ++d) same = global[d] == o.global[d];
    return same;
  }
  std::int64_t at(int dim) const { return offset[static_cast<std::size_t>(dim)]; }
};

/// The box that a distribution gives a rank; of the ranks with the same one the first on each axis stores it.
inline TensorPart tensor_part(std::string name, Element element, const Distribution& d, const Grid& grid) {
  TensorPart part;
  part.name = std::move(name);
  part.element = element;
  part.global = d.global();
  part.local = d.local();
  for (int dim = 0; dim < d.ndim(); ++dim) part.offset[static_cast<std::size_t>(dim)] = d.piece(dim).offset;
  part.count = part.local.count();
  for (int a = 0; a < grid.axes; ++a)
    if (d.spec()[a].kind != Kind::shard && grid.coordinate[a] != 0) part.stored = false;
  return part;
}

namespace detail {

/// Copies the elements that both parts have; how many they are.
/// @pre the same name, global shape and element
inline std::int64_t copy_overlap(const TensorPart& from, const std::byte* source, const TensorPart& to,
                                 std::byte* target) {
  const auto size = static_cast<std::int64_t>(element_size(to.element));
  const int ndim = to.global.ndim();
  std::int64_t low[Spec::max_dims]{}, high[Spec::max_dims]{}, rows = 1;
  for (int d = 0; d < ndim; ++d) {
    low[d] = std::max(from.at(d), to.at(d));
    high[d] = std::min(from.at(d) + from.local[d], to.at(d) + to.local[d]);
    if (high[d] <= low[d]) return 0;
    if (d + 1 < ndim) rows *= high[d] - low[d];
  }
  const std::int64_t length = ndim == 0 ? 1 : high[ndim - 1] - low[ndim - 1];
  std::int64_t copied = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t index[Spec::max_dims]{};
    std::int64_t rest = row;
    for (int d = ndim - 2; d >= 0; --d) {
      index[d] = low[d] + rest % (high[d] - low[d]);
      rest /= high[d] - low[d];
    }
    if (ndim > 0) index[ndim - 1] = low[ndim - 1];
    std::int64_t s = 0, t = 0;  // in the boxes
    for (int d = 0; d < ndim; ++d) {
      s = s * from.local[d] + index[d] - from.at(d);
      t = t * to.local[d] + index[d] - to.at(d);
    }
    const std::int64_t first = std::max({std::int64_t{0}, from.begin - s, to.begin - t});
    const std::int64_t last = std::min({length, from.begin + from.count - s, to.begin + to.count - t});
    if (last <= first) continue;
    std::memcpy(target + (t + first - to.begin) * size, source + (s + first - from.begin) * size,
                static_cast<std::size_t>((last - first) * size));
    copied += last - first;
  }
  return copied;
}

}  // namespace detail

}  // namespace tpx
