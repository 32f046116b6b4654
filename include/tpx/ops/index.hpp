// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <type_traits>

#include <tpx/kernel/copy.hpp>
#include <tpx/kernel/indexed.hpp>
#include <tpx/ops/op.hpp>
#include <tpx/tensor/host_copy.hpp>

/// Rows taken from a tensor, and added into one, by numbers that another tensor has.
namespace tpx {

namespace ops {

/// Taking rows is the product with a one-hot [i..., v], so v is contracted.
template <int N, int Dim, int IndexDims>
struct index_select {
  static constexpr OpRule rule = [] {
    OpRule r;
    r.operands = 2;
    r.values = 0b10;
    r.ndim[0] = N;
    r.ndim[1] = IndexDims;
    for (int d = 0; d < N; ++d) {
      r.factor[0][d] = static_cast<signed char>(d);
      if (d != Dim) r.result[r.result_ndim++] = static_cast<signed char>(d);
      for (int i = 0; d == Dim && i < IndexDims; ++i)
        r.result[r.result_ndim++] = static_cast<signed char>(N + i);
    }
    for (int i = 0; i < IndexDims; ++i) r.factor[1][i] = static_cast<signed char>(N + i);
    return r;
  }();
};
/// The transpose: i... are contracted, and v is a new dim of the result.
template <int N, int Dim, int IndexDims>
struct index_add {
  static constexpr OpRule rule = [] {
    OpRule r;
    r.operands = 2;
    r.values = 0b10;
    r.ndim[0] = N;
    r.ndim[1] = IndexDims;
    for (int d = 0; d < N; ++d) {
      r.factor[0][d] = static_cast<signed char>(d);
      if (d < Dim || d >= Dim + IndexDims) r.result[r.result_ndim++] = static_cast<signed char>(d);
      if (d == Dim) r.result[r.result_ndim++] = static_cast<signed char>(N);
    }
    for (int i = 0; i < IndexDims; ++i) r.factor[1][i] = static_cast<signed char>(Dim + i);
    return r;
  }();
};

}  // namespace ops

namespace detail {

/// How many of n numbers are outside [0, extent): counted where that costs no waiting for a device, and
/// everywhere at TPX_CHECK_LEVEL 2; else 0.
template <class Mesh>
std::int32_t count_outside(const Mesh& mesh, const std::int32_t* index, std::int64_t n, std::int64_t extent) {
  std::int32_t outside = 0;
  if constexpr (Mesh::context_type::has_memory) {
    constexpr bool on_host = std::is_same_v<typename Mesh::context_type::memory_space, Kokkos::HostSpace>;
    if constexpr (check_level >= check_level_full || (on_host && check_level >= check_level_cheap)) {
      const Buffer count = allocate<std::int32_t>(mesh, 1);
      kernel::count_outside(mesh.context().instance(), index, n, extent, count.as<std::int32_t>());
      copy_to_host(mesh, static_cast<const std::int32_t*>(count.as<std::int32_t>()), &outside, 1);
    }
  }
  return outside;
}

template <class Mesh>
void save_rows(Record<Mesh>& r, const kernel::IndexedRows& n) {
  const std::int64_t all[] = {n.outer, n.count, n.columns, n.first, n.held};
  for (int i = 0; i < 5; ++i) r.extent[i] = all[i];
}
template <class Mesh>
kernel::IndexedRows saved_rows(const Record<Mesh>& r) {
  return {r.extent[0], r.extent[1], r.extent[2], r.extent[3], r.extent[4]};
}

template <class T>
Work work_on(const kernel::IndexedRows& n) {
  const std::int64_t moved = n.outer * n.count * n.columns;
  return {moved, 3 * moved * std::int64_t{sizeof(T)}};
}

/// dX (+)= dY added at the numbers; saved the numbers.
template <int Operand, class T, class Mesh>
void select_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::select_bwd");
  const kernel::IndexedRows n = saved_rows(r);
  const auto* index = static_cast<const std::int32_t*>(r.saved[0].template as<std::int32_t>());
  const T* dy = tape.template gradient_of<T>(r.out);
  const Sink<T> dx = tape.template sink<T>(r.in[Operand]);
  tape.mesh().context().launch(work_on<T>(n), [&](const auto& exec) {
    if (!dx.accumulate) kernel::fill(exec, dx.data, n.outer * n.held * n.columns, T(0));
    kernel::add_indexed(exec, index, dy, dx.data, n);
  });
}

/// The rows of x that the numbers say; they are operand 0 of Op where IndexFirst, else operand 1.
template <class Op, int Dim, bool IndexFirst, class X, class Index>
auto select(const X& x, const Index& index) {
  using T = typename X::element_type;
  using Mesh = typename X::mesh_type;
  Shape global;
  for (int d = 0; d < Dim; ++d) global.push_back(x.extent(d));
  for (int d = 0; d < Index::ndim; ++d) global.push_back(index.extent(d));
  for (int d = Dim + 1; d < X::ndim; ++d) global.push_back(x.extent(d));
  const Shape local = x.local_shape();
  const kernel::IndexedRows n{local.count(0, Dim), index.local_count(), local.count(Dim + 1, X::ndim),
                              x.distribution().piece(Dim).offset, local[Dim]};
  const auto* numbers = static_cast<const std::int32_t*>(index.data());
  const auto compute = [&](const auto& first, const auto& second) {
    auto y = make_result<Op, T, X::ndim - 1 + Index::ndim, over<>>(global, first, second);
    const T* from = x.data();
    x.mesh().context().launch(
        work_on<T>(n), [&](const auto& exec) { kernel::select_indexed(exec, numbers, from, y.data(), n); });
    return record(
        std::move(y), &select_backward < IndexFirst ? 1 : 0, T, Mesh >,
        [&](auto& r) {
          r.saved[0] = index.shard();
          save_rows(r, n);
        },
        first, second);
  };
  if constexpr (IndexFirst) {
    return compute(index, x);
  } else {
    return compute(x, index);
  }
}

/// dX (+)= the rows of dY that the numbers say.
template <class T, class Mesh>
void index_add_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Region region("tpx::index_add_bwd");
  const kernel::IndexedRows n = saved_rows(r);
  const auto* index = static_cast<const std::int32_t*>(r.saved[0].template as<std::int32_t>());
  const T* dy = tape.template gradient_of<T>(r.out);
  const Sink<T> dx = tape.template sink<T>(r.in[0]);
  tape.mesh().context().launch(work_on<T>(n), [&](const auto& exec) {
    kernel::select_indexed(exec, index, dy, dx.data, n, dx.accumulate);
  });
}

template <class Index>
inline constexpr bool is_index = std::is_same_v<typename Index::element_type, std::int32_t>&& Index::ndim >= 1;

}  // namespace detail

/// Takes rows of x along a dim, in the order of the numbers in `index`, whose dims take that dim's place.
///
///   y[a..., i..., b...] = x[a..., index[i...], b...]      index_select<dim after a...>(x, index)
///
///   x  [v,h]{R:dp}     index  i32 [n@dp]     y  [n@dp,h]
///   x  [v@tp,h]        index  i32 [n]        y  [n,h]{P:tp}     each rank fills in the rows it has
///   x  [v,h@tp]        index  i32 [n]        y  [n,h@tp]
///
/// @pre    0 <= index < the extent of the dim; the index is not Partial
/// @comm   none, forward or backward: the redistribute of a Partial result pays
/// @throws tpx::Error where a number is outside, at once on a host space, at TPX_CHECK_LEVEL 2 on a device: on
///         the ranks that hold such a number; the others do not know of it
template <int Dim, Tensor X, Tensor Index>
auto index_select(const X& x, const Index& index) {
  constexpr bool dim = 0 <= Dim && Dim < X::ndim;
  constexpr bool integers = detail::is_index<Index>;
  static_assert(dim, "tpx::index_select: the dim is one of the operand's, 0 to ndim - 1");
  static_assert(integers || !dim, "tpx::index_select: an index is std::int32_t and has at least one dim");
  using Op = ops::index_select<X::ndim, Dim, Index::ndim>;
  if constexpr (!dim || !integers) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, X, Index>()) {
    return refused{};
  } else {
    const detail::Region region("tpx::index_select");
    const std::int32_t outside =
        detail::count_outside(x.mesh(), index.data(), index.local_count(), x.extent(Dim));
    TPX_EXPECTS(outside == 0, outside, Dim, x.describe(),
                "an index is at least 0 and less than the dim's extent");
    return detail::select<Op, Dim, false>(x, index);
  }
}

/// Adds rows of x into a tensor of zeros with `extent` rows, at the numbers in `index`, whose dims are those of
/// x from Dim on: the transpose of index_select. Rows with one number add up.
///
///   y[a..., v, b...] = sum over i... with index[i...] = v of x[a..., i..., b...]
///
///   x  [n,h@tp]     index  i32 [n]        y  [v,h@tp]
///   x  [n@dp,h]     index  i32 [n@dp]     y  [v,h]{P:dp}      the ranks hold terms
///
/// @pre    0 <= index < extent; the index is not Partial, and has the extents of x's dims from Dim on
/// @post   on a host deterministic: rows are added in their order
/// @comm   none, forward or backward: the redistribute of a Partial result pays
/// @throws tpx::Error naming both operands where the extents differ; where a number is outside, at once on a
///         host space, at TPX_CHECK_LEVEL 2 on a device: on the ranks that hold such a number; the others do
///         not know of it
template <int Dim, Tensor X, Tensor Index>
auto index_add(const X& x, const Index& index, std::int64_t extent) {
  constexpr bool dim = 0 <= Dim && Dim < X::ndim;
  constexpr bool integers = dim && detail::is_index<Index>;
  constexpr bool dims = integers && Dim + Index::ndim <= X::ndim;
  static_assert(dim, "tpx::index_add: the dim is one of the operand's, 0 to ndim - 1");
  static_assert(integers || !dim, "tpx::index_add: an index is std::int32_t and has at least one dim");
  static_assert(dims || !integers,
                "tpx::index_add: the index has as many dims as x has from the dim on, or fewer");
  using Op = ops::index_add<X::ndim, Dim, Index::ndim>;
  if constexpr (!dims) {
    return refused{};
  } else if constexpr (!detail::admits<Op, over<>, X, Index>()) {
    return refused{};
  } else {
    using T = typename X::element_type;
    using Mesh = typename X::mesh_type;
    const detail::Region region("tpx::index_add");
    constexpr int after = Dim + Index::ndim;
    Shape global;
    for (int d = 0; d < Dim; ++d) global.push_back(x.extent(d));
    global.push_back(extent);
    for (int d = after; d < X::ndim; ++d) global.push_back(x.extent(d));
    for (int d = 0; d < Index::ndim; ++d)
      TPX_EXPECTS(x.extent(Dim + d) == index.extent(d), x.describe(), index.describe());
    const std::int32_t outside = detail::count_outside(x.mesh(), index.data(), index.local_count(), extent);
    TPX_EXPECTS(outside == 0, outside, extent, "an index is at least 0 and less than the extent");
    const Shape local = x.local_shape();
    const kernel::IndexedRows n{local.count(0, Dim), index.local_count(), local.count(after, X::ndim), 0,
                                extent};
    auto y = detail::make_result<Op, T, Op::rule.result_ndim, over<>>(global, x, index);
    const auto* numbers = static_cast<const std::int32_t*>(index.data());
    const T* from = x.data();
    x.mesh().context().launch(detail::work_on<T>(n), [&](const auto& exec) {
      kernel::fill(exec, y.data(), n.outer * n.held * n.columns, T(0));
      kernel::add_indexed(exec, numbers, from, y.data(), n);
    });
    return detail::record(
        std::move(y), &detail::index_add_backward<T, Mesh>,
        [&](auto& r) {
          r.saved[0] = index.shard();
          detail::save_rows(r, n);
        },
        x, index);
  }
}

template <int Dim, class Index>
refused index_select(refused, const Index&) {
  return {};
}
template <int Dim, Tensor X>
refused index_select(const X&, refused) {
  return {};
}
template <int Dim, class Index>
refused index_add(refused, const Index&, std::int64_t) {
  return {};
}
template <int Dim, Tensor X>
refused index_add(const X&, refused, std::int64_t) {
  return {};
}

}  // namespace tpx
