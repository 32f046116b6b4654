// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <type_traits>

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/embedding.hpp>
#include <tpx/ops/op.hpp>
#include <tpx/tensor/host_copy.hpp>

namespace tpx {

namespace ops {

/// A lookup is the product of a one-hot [..., v] with the table, so v is contracted.
template <int N>
struct embedding {
  static constexpr OpRule rule = op_rule("..., v h -> ... h", Linearity::product, {N, 2});
};

}  // namespace ops

namespace detail {

/// Extents rows, columns, first row of the shard, rows of the shard; saved ids.
template <class T, class Mesh>
void embedding_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::embed_bwd");
  const std::int64_t rows = r.extent[0], columns = r.extent[1], first = r.extent[2], held = r.extent[3];
  const auto* id = static_cast<const std::int32_t*>(r.saved[0].template as<std::int32_t>());
  const T* dy = tape.template gradient_of<T>(r.out);
  const Sink<T> dtable = tape.template sink<T>(r.in[1]);
  tape.mesh().context().launch(
      {rows * columns, 3 * rows * columns * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
        if (!dtable.accumulate) kernel::fill(exec, dtable.data, held * columns, T(0));
        kernel::embedding_backward(exec, id, dy, dtable.data, rows, columns, first, held);
      });
}

/// Ids are checked where that costs no waiting for a device, and everywhere at TPX_CHECK_LEVEL 2.
template <class Mesh>
void check_ids(const Mesh& mesh, const std::int32_t* id, std::int64_t n, std::int64_t vocabulary) {
  if constexpr (Mesh::context_type::has_memory) {
    constexpr bool on_host = std::is_same_v<typename Mesh::context_type::memory_space, Kokkos::HostSpace>;
    if constexpr (check_level >= check_level_full || (on_host && check_level >= check_level_cheap)) {
      const Buffer count = allocate<std::int32_t>(mesh, 1);
      std::int32_t outside = 0;
      kernel::count_outside(mesh.context().instance(), id, n, vocabulary, count.as<std::int32_t>());
      copy_to_host(mesh, static_cast<const std::int32_t*>(count.as<std::int32_t>()), &outside, 1);
      TPX_EXPECTS(outside == 0, outside, vocabulary, "ids are at least 0 and less than the vocabulary");
    }
  }
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
/// @throws tpx::Error where an id is outside, at once on a host space, at TPX_CHECK_LEVEL 2 on a device
template <Tensor Ids, Tensor Table>
auto embedding(const Ids& id, const Table& table) {
  constexpr bool numbers = std::is_same_v<typename Ids::element_type, std::int32_t>;
  static_assert(numbers, "tpx::embedding: ids are std::int32_t");
  static_assert(Table::ndim == 2, "tpx::embedding: the table is [vocabulary, columns]");
  using Op = ops::embedding<Ids::ndim>;
  if constexpr (!numbers || !detail::admits<Op, over<>, Ids, Table>()) {
    return refused{};
  } else {
    using T = typename Table::element_type;
    const detail::Region region("tpx::embedding");
    Shape global = id.shape();
    global.push_back(table.extent(1));
    const Shape held = table.local_shape();
    const std::int64_t rows = id.local_count(), columns = held[1];
    const std::int64_t first = table.distribution().piece(0).offset;
    const auto* ids = static_cast<const std::int32_t*>(id.data());
    detail::check_ids(id.mesh(), ids, rows, table.extent(0));
    auto y = detail::make_result<Op, T, Ids::ndim + 1, over<>>(global, id, table);
    const T* from = table.data();
    id.mesh().context().launch({0, 2 * rows * columns * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
      kernel::embedding(exec, ids, from, y.data(), rows, columns, first, held[0]);
    });
    return detail::record(
        std::move(y), &detail::embedding_backward<T, typename Table::mesh_type>,
        [&](auto& r) {
          r.saved[0] = id.shard();
          r.extent[0] = rows;
          r.extent[1] = columns;
          r.extent[2] = first;
          r.extent[3] = held[0];
        },
        id, table);
  }
}

template <class Ids>
refused embedding(const Ids&, refused) {
  return {};
}

}  // namespace tpx
