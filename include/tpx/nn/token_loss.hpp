// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <type_traits>

#include <tpx/ops/cross_entropy.hpp>
#include <tpx/ops/redistribute.hpp>

namespace tpx {

/// The mean negative log-likelihood of the targets, whether the classes are split over Axis or not.
///
///   logits  [b@dp,s,v@Axis] or [b@dp,s,v]     targets  i32 [b@dp,s]    loss  []{P:dp}
///
/// @comm   where the classes are split, cross_entropy's
template <class Axis, class Logits, class Targets>
auto token_loss(const Logits& logits, const Targets& targets) {
  if constexpr (std::is_same_v<Logits, refused>) {
    return refused{};
  } else {
    constexpr int axis = detail::index_of<Axis, typename Logits::mesh_type::axes>;
    if constexpr (Logits::spec[axis].kind == Kind::shard) {
      return cross_entropy<over<Axis>>(logits, targets);
    } else {
      return redistribute<Invariant<Axis>>(cross_entropy(logits, targets));
    }
  }
}

}  // namespace tpx
