// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>

#include <tpx/kernel/copy.hpp>
#include <tpx/train/gradients.hpp>

namespace tpx {

namespace detail {

/// data += what the rank at `other` along Axis has there, on both.
/// @comm send_recv of `count` elements along Axis
template <class Axis, class T, class Whole, class Mesh>
void add_from_rank(const Whole& whole, const Mesh& mesh, T* data, std::int64_t count, int other) {
  const Buffer theirs = allocate<T>(mesh, count);
  send_recv(whole, 1u << index_of<Axis, typename Whole::axes>, static_cast<const T*>(data), other,
            theirs.template as<T>(), other, count);
  mesh.context().launch({count, 3 * count * std::int64_t{sizeof(T)}}, [&](const auto& exec) {
    kernel::accumulate(exec, static_cast<const T*>(theirs.template as<T>()), data, count);
  });
}

}  // namespace detail

/// Adds the gradients of the parameters that two ranks of a pipeline both have, an embedding that is the output
/// layer too for example. Both copies then have the same gradient, bit for bit, and an optimizer keeps them
/// equal.
///
/// @tparam Axis   the pipeline's
/// @param  stage  has tied_with(), the other rank if there is one, and visit_tied(f)
/// @pre    once, after each reduce()
/// @comm   on those two ranks a send_recv of the local elements of each such parameter along Axis; none on
///         others
template <class Axis, class Mesh, class Stage>
void add_tied_gradients(const Mesh& mesh, Stage& stage, const ReducedGradients<Stage>& reduced) {
  const auto other = stage.tied_with();
  if (!other) return;
  const detail::Region region("tpx::tied_grads");
  stage.visit_tied([&](auto& p) {
    const auto mine = reduced.gradient(p);
    detail::add_from_rank<Axis>(mesh, stage.mesh(), mine.data(), mine.local_count(), *other);
  });
}

}  // namespace tpx
