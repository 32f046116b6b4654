// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <type_traits>

#include <tpx/kernel/gemm.hpp>
#include <tpx/kernel/strided.hpp>

/// Products of two arrays whose dims are labelled: c[kept...] = sum over shared labels of a[...] b[...]. What a
/// batched GEMM computes, with the dims of the three arrays in any order.
namespace tpx::kernel {

/// A dense row-major array: a label and an extent for each dim, outermost first.
struct Labelled {
  static constexpr int largest_ndim = StrideMap::largest_ndim;
  int ndim = 0;
  int label[largest_ndim] = {};
  std::int64_t extent[largest_ndim] = {};

  constexpr void push_back(int l, std::int64_t n) {
    label[ndim] = l;
    extent[ndim++] = n;
  }
  constexpr void append(const Labelled& more) {
    for (int d = 0; d < more.ndim; ++d) push_back(more.label[d], more.extent[d]);
  }
  constexpr int find(int l) const {
    for (int d = 0; d < ndim; ++d)
      if (label[d] == l) return d;
    return -1;
  }
  constexpr std::int64_t count() const {
    std::int64_t n = 1;
    for (int d = 0; d < ndim; ++d) n *= extent[d];
    return n;
  }
  /// The walk along these dims of `order` in the memory of this array.
  constexpr StrideMap walk(const Labelled& order) const {
    StrideMap map;
    for (int i = 0; i < order.ndim; ++i) {
      std::int64_t step = 1;
      for (int d = find(order.label[i]) + 1; d < ndim; ++d) step *= extent[d];
      map.push_back(order.extent[i], step);
    }
    return map;
  }
};

namespace impl {

/// Matrices of one array as a kernel walks them.
struct MatrixWalk {
  StrideMap batch;
  std::int64_t row_step, column_step;
};

/// One of the three arrays as batches of matrices: op(X) is (rows, columns), stored with rows `stride` apart.
struct MatrixSide {
  bool copied = false;  ///< its dims lie so that no stride says it: a permuted copy takes its place
  StrideMap order;      ///< of that copy
  StrideMap batch;
  Transpose stored = Transpose::no;
  std::int64_t stride = 1;

  MatrixWalk walk() const {
    return {batch, stored == Transpose::no ? stride : 1, stored == Transpose::no ? 1 : stride};
  }
};

constexpr MatrixSide matrix_side(const Labelled& x, const Labelled& batch, const Labelled& rows,
                                 const Labelled& columns) {
  MatrixSide side;
  const StrideMap r = x.walk(rows), c = x.walk(columns);
  const std::int64_t m = rows.count(), n = columns.count();
  const auto step = [](const StrideMap& map) { return map.ndim == 0 ? std::int64_t{1} : map.stride[0]; };
  const bool one_step = r.ndim <= 1 && c.ndim <= 1;
  if (one_step && (n == 1 || step(c) == 1)) {
    side.stride = m == 1 ? n : step(r);
  } else if (one_step && (m == 1 || step(r) == 1)) {
    side.stored = Transpose::yes;
    side.stride = n == 1 ? m : step(c);
  } else {
    side.copied = true;
    Labelled dense = batch;
    dense.append(rows);
    dense.append(columns);
    side.order = x.walk(dense);
    side.batch = dense.walk(batch);
    side.stride = n;
  }
  if (!side.copied) side.batch = x.walk(batch);
  return side;
}

/// Row i of one of many small products: a library would take longer to call than to compute.
template <class T>
struct SmallProducts {
  const T* a;
  const T* b;
  T* c;
  MatrixWalk of_a, of_b, of_c;
  std::int64_t m, n, k;
  bool accumulate;
  template <class Group>
  KOKKOS_FUNCTION void operator()(const Group& group, std::int64_t index) const {
    const std::int64_t batch = index / m, i = index % m;
    const T* row = a + of_a.batch.offset(batch) + i * of_a.row_step;
    const T* columns = b + of_b.batch.offset(batch);
    T* out = c + of_c.batch.offset(batch) + i * of_c.row_step;
    for (std::int64_t j = group.lane(); j < n; j += group.width()) {
      T sum = 0;
      for (std::int64_t p = 0; p < k; ++p)
        sum += row[p * of_a.column_step] * columns[p * of_b.row_step + j * of_b.column_step];
      T& element = out[j * of_c.column_step];
      element = accumulate ? element + sum : sum;
    }
  }
};

constexpr Transpose flipped(Transpose t) { return t == Transpose::yes ? Transpose::no : Transpose::yes; }

}  // namespace impl

/// How two labelled arrays are multiplied: batches of (m, k) times (k, n), and which of the arrays has to be
/// copied into another order first. Decided by extents alone, so that memory for it can be had before.
///
///   in all three: batch    in a and c: rows m    in b and c: columns n    in a and b: summed over, k
///
/// @pre a label stands once in an array, and in two of them at least; its extents are equal
struct Contraction {
  std::int64_t batches = 1, m = 1, n = 1, k = 1;
  impl::MatrixSide a, b, c;
  StrideMap from_copy;  ///< c's own order in its copy

  constexpr Contraction(const Labelled& of_a, const Labelled& of_b, const Labelled& of_c) {
    Labelled batch, rows, columns, summed;
    for (int d = 0; d < of_c.ndim; ++d) {
      const int l = of_c.label[d];
      (of_a.find(l) < 0 ? columns : of_b.find(l) < 0 ? rows : batch).push_back(l, of_c.extent[d]);
    }
    for (int d = 0; d < of_a.ndim; ++d)
      if (of_c.find(of_a.label[d]) < 0) summed.push_back(of_a.label[d], of_a.extent[d]);
    batches = batch.count();
    m = rows.count();
    n = columns.count();
    k = summed.count();
    a = impl::matrix_side(of_a, batch, rows, summed);
    b = impl::matrix_side(of_b, batch, summed, columns);
    c = impl::matrix_side(of_c, batch, rows, columns);
    if (c.copied) {
      Labelled dense = batch;
      dense.append(rows);
      dense.append(columns);
      from_copy = dense.walk(of_c);
    }
  }

  /// Elements of memory for the copies.
  constexpr std::int64_t scratch() const {
    return batches * ((a.copied ? m * k : 0) + (b.copied ? k * n : 0) + (c.copied ? m * n : 0));
  }
  constexpr std::int64_t flops() const { return 2 * batches * m * n * k; }
  constexpr std::int64_t elements() const { return batches * (m * k + k * n + m * n); }
};

/// c (+)= the product of a and b, as the plan says.
///
/// @tparam Provider  of the GEMM
/// @param  scratch   plan.scratch() elements
/// @post   nothing is copied where strides can say where the rows lie
template <class Provider = DefaultGemm, class T, class Exec>
void contract(const Exec& exec, const Contraction& plan, const T* a, const T* b, T* c, T* scratch,
              bool accumulate = false) {
  using impl::MatrixSide;
  const auto& [batches, m, n, k, of_a, of_b, of_c, from_copy] = plan;
  if (batches * m * n == 0) return;
  const auto copied = [&](const MatrixSide& side, const T* x, std::int64_t count) {
    if (!side.copied) return x;
    T* to = scratch;
    scratch += count;
    gather_strided(exec, x, side.order, to);
    return static_cast<const T*>(to);
  };
  const T* from_a = copied(of_a, a, batches * m * k);
  const T* from_b = copied(of_b, b, batches * k * n);
  T* to = of_c.copied ? scratch : c;
  const bool add = accumulate && !of_c.copied;

  constexpr std::int64_t small = is_host_space_v<Exec> ? 512 : 32 * 1024;
  if (batches > 1 && m * n * k <= small) {
    for_groups(exec, "tpx::small_products", batches * m,
               impl::SmallProducts<T>{from_a, from_b, to, of_a.walk(), of_b.walk(), of_c.walk(), m, n, k, add});
  } else {
    for (std::int64_t i = 0; i < batches; ++i) {
      const T* left = from_a + of_a.batch.offset(i);
      const T* right = from_b + of_b.batch.offset(i);
      T* out = to + of_c.batch.offset(i);
      const T beta = add ? T(1) : T(0);
      if (of_c.stored == Transpose::no) {
        multiply<Provider>(exec, GemmCall<T>{of_a.stored, of_b.stored, m, n, k, T(1), left, of_a.stride, right,
                                             of_b.stride, beta, out, of_c.stride});
      } else {  // C^T = B^T A^T
        multiply<Provider>(
            exec, GemmCall<T>{impl::flipped(of_b.stored), impl::flipped(of_a.stored), n, m, k, T(1), right,
                              of_b.stride, left, of_a.stride, beta, out, of_c.stride});
      }
    }
  }
  if (!of_c.copied) return;
  if (accumulate) {
    spread_strided(exec, to, from_copy, T(1), c, true);
  } else {
    gather_strided(exec, to, from_copy, c);
  }
}

}  // namespace tpx::kernel
