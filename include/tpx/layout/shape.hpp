// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <initializer_list>

#include <tpx/core/error.hpp>
#include <tpx/layout/spec.hpp>

namespace tpx {

/// The extents of a tensor, in elements, dim 0 first (row-major: the last dim is contiguous).
class Shape {
 public:
  constexpr Shape() = default;
  constexpr Shape(std::initializer_list<std::int64_t> extents) {
    for (const std::int64_t e : extents) push_back(e);
  }

  constexpr int ndim() const { return ndim_; }
  constexpr std::int64_t operator[](int dim) const { return extent_[dim]; }
  constexpr std::int64_t& operator[](int dim) { return extent_[dim]; }

  constexpr void push_back(std::int64_t extent) {
    if (ndim_ == Spec::max_dims) throw Error("tpx::Shape: a tensor has at most 12 dims");
    extent_[ndim_++] = extent;
  }

  /// Product of the extents from dim `first` up to, not including, dim `last`.
  constexpr std::int64_t count(int first, int last) const {
    std::int64_t n = 1;
    for (int d = first; d < last; ++d) n *= extent_[d];
    return n;
  }
  /// Number of elements.
  constexpr std::int64_t count() const { return count(0, ndim_); }

  friend constexpr bool operator==(const Shape& a, const Shape& b) {
    if (a.ndim_ != b.ndim_) return false;
    for (int d = 0; d < a.ndim_; ++d)
      if (a.extent_[d] != b.extent_[d]) return false;
    return true;
  }

 private:
  int ndim_ = 0;
  std::int64_t extent_[Spec::max_dims]{};
};

}  // namespace tpx
