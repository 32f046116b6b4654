// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <type_traits>

#include <tpx/ops/index.hpp>

namespace tpx {

namespace ops {

/// A lookup is the product of a one-hot [..., v] with the table, so v is contracted.
template <int N>
struct embedding {
  static constexpr OpRule rule = op_rule("..., v h -> ... h", Linearity::product, {N, 2}, "", 0b1);
};

}  // namespace ops

namespace detail {

/// As count_outside: in time on a host, at TPX_CHECK_LEVEL 2 on a device.
template <class Mesh>
void check_ids(const Mesh& mesh, const std::int32_t* id, std::int64_t n, std::int64_t vocabulary) {
  const std::int32_t outside = count_outside(mesh, id, n, vocabulary);
  TPX_EXPECTS(outside == 0, outside, vocabulary, "ids are at least 0 and less than the vocabulary");
}

}  // namespace detail

/// Looks up rows of a table.
///
///   y[i..., h] = table[id[i...], h]
///
///   id  i32 [b@dp,s]    table  [v,h]{R:dp}          y  [b@dp,s,h]
///   id  i32 [b,s]       table  [v@tp,h]             y  [b,s,h]{P:tp}     each rank fills in the rows it has
///   id  i32 [b,s]       table  [v,h@tp]             y  [b,s,h@tp]
///
/// @pre    0 <= id < v, and the ids are not Partial
/// @comm   none, forward or backward
/// @throws tpx::Error where an id is outside, at once on a host space, at TPX_CHECK_LEVEL 2 on a device: on the
///         ranks that hold such an id; the others do not know of it
template <Tensor Ids, Tensor Table>
auto embedding(const Ids& id, const Table& table) {
  constexpr bool numbers = std::is_same_v<typename Ids::element_type, std::int32_t>;
  static_assert(numbers, "tpx::embedding: ids are std::int32_t");
  constexpr bool rows = Table::ndim == 2;
  static_assert(rows || !numbers, "tpx::embedding: the table is [vocabulary, columns]");
  using Op = ops::embedding<Ids::ndim>;
  if constexpr (!numbers || !rows) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, Ids, Table>()) {
    return refused{};
  } else {
    const detail::Region region("tpx::embedding");
    detail::check_ids(id.mesh(), id.data(), id.local_count(), table.extent(0));
    return detail::select<Op, 0, true>(table, id);
  }
}

template <class Ids>
refused embedding(const Ids&, refused) {
  return {};
}

}  // namespace tpx
