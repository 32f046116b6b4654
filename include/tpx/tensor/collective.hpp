// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <span>

#include <tpx/comm/communicator.hpp>
#include <tpx/core/element.hpp>
#include <tpx/kernel/copy.hpp>
#include <tpx/tensor/context.hpp>

/// Collectives over mesh axes on memory of the execution space. A group of one rank sends nothing and its
/// call is not made: the value is copied where it has to move. A communicator that is driven from the host
/// reads the memory when it is called, so the instance is fenced first; device memory needs an MPI that can
/// read it.
namespace tpx::detail {

template <class Mesh>
void before_host_reads(const Mesh& mesh) {
  if constexpr (Mesh::communicator_type::host_driven) mesh.context().fence();
}

/// dst = src, asynchronously; nothing where they are the same memory.
template <class T, class Mesh>
void copy_elements(const Mesh& mesh, const T* src, T* dst, std::int64_t count) {
  if (src == dst || count == 0) return;
  mesh.context().launch({0, 2 * count * std::int64_t{sizeof(T)}},
                        [&](const auto& exec) { kernel::copy(exec, src, dst, count); });
}

/// read(shards) where every rank's memory can be read by all, shards[k] being that of rank k along `axes`: a
/// collective without packing. False, on every rank alike, where the communicator or the memory is not made for
/// that; then nothing was done.
///
/// @param what, elements  the collective it stands for, and its elements as logs count them
/// @param even            whether those are the same on every rank
/// @comm  `what` of `elements` over `axes`
/// @pre   there are several ranks along the axes
template <class T, class Mesh, class Read>
bool read_in_place(const Mesh& mesh, unsigned axes, comm::Collective what, const T* send, std::int64_t count,
                   std::int64_t elements, bool even, Read read) {
  if constexpr (requires { mesh.communicator(axes).symmetric_memory(); }) {
    const Region region(comm::name(what));
    before_host_reads(mesh);
    const auto whole = [&](std::span<const void* const> shards) {
      read(shards);
      mesh.context().fence();  // whose end tells the others that their shards were read
    };
    return mesh.communicator(axes).read_in_place(what, send, count, elements, element_v<T>, whole, even);
  }
  return false;
}

/// @comm all_reduce of `count` elements over `axes`
template <class T, class Mesh>
void all_reduce(const Mesh& mesh, unsigned axes, const T* send, T* recv, std::int64_t count,
                comm::Reduction reduction = comm::Reduction::sum) {
  if (mesh.grid().ranks(axes) == 1) return copy_elements(mesh, send, recv, count);
  const Region region("tpx::all_reduce");
  before_host_reads(mesh);
  mesh.communicator(axes).all_reduce(send, recv, count, element_v<T>, reduction, mesh.context().queue());
}

/// @comm all_gather of p * count elements over `axes`
template <class T, class Mesh>
void all_gather(const Mesh& mesh, unsigned axes, const T* send, T* recv, std::int64_t count) {
  if (mesh.grid().ranks(axes) == 1) return copy_elements(mesh, send, recv, count);
  const Region region("tpx::all_gather");
  before_host_reads(mesh);
  mesh.communicator(axes).all_gather(send, recv, count, element_v<T>, mesh.context().queue());
}

/// Of uneven pieces: rank k sends counts[k] elements.
/// @comm all_gather of sum(counts) elements over `axes`
/// @pre  there are several ranks along the axes
template <class T, class Mesh>
void all_gather(const Mesh& mesh, unsigned axes, const T* send, T* recv, std::span<const std::int64_t> counts) {
  const Region region("tpx::all_gather");
  before_host_reads(mesh);
  mesh.communicator(axes).all_gather(send, recv, counts, element_v<T>, mesh.context().queue());
}

/// @comm reduce_scatter of p * count elements over `axes`
template <class T, class Mesh>
void reduce_scatter(const Mesh& mesh, unsigned axes, const T* send, T* recv, std::int64_t count,
                    comm::Reduction reduction = comm::Reduction::sum) {
  if (mesh.grid().ranks(axes) == 1) return copy_elements(mesh, send, recv, count);
  const Region region("tpx::reduce_sc");
  before_host_reads(mesh);
  mesh.communicator(axes).reduce_scatter(send, recv, count, element_v<T>, reduction, mesh.context().queue());
}

/// Of uneven pieces: rank k receives counts[k] elements.
/// @comm reduce_scatter of sum(counts) elements over `axes`
/// @pre  there are several ranks along the axes
template <class T, class Mesh>
void reduce_scatter(const Mesh& mesh, unsigned axes, const T* send, T* recv,
                    std::span<const std::int64_t> counts, comm::Reduction reduction) {
  const Region region("tpx::reduce_sc");
  before_host_reads(mesh);
  mesh.communicator(axes).reduce_scatter(send, recv, counts, element_v<T>, reduction, mesh.context().queue());
}

/// @comm all_to_all of p * count elements over `axes`
template <class T, class Mesh>
void all_to_all(const Mesh& mesh, unsigned axes, const T* send, T* recv, std::int64_t count) {
  if (mesh.grid().ranks(axes) == 1) return copy_elements(mesh, send, recv, count);
  const Region region("tpx::all_to_all");
  before_host_reads(mesh);
  mesh.communicator(axes).all_to_all(send, recv, count, element_v<T>, mesh.context().queue());
}

/// Of uneven pieces: to_counts[k] elements to rank k, from_counts[k] from it.
/// @comm all_to_all of the larger of both sums, over `axes`
/// @pre  there are several ranks along the axes
template <class T, class Mesh>
void all_to_all(const Mesh& mesh, unsigned axes, const T* send, std::span<const std::int64_t> to_counts,
                T* recv, std::span<const std::int64_t> from_counts) {
  const Region region("tpx::all_to_all");
  before_host_reads(mesh);
  mesh.communicator(axes).all_to_all(send, to_counts, recv, from_counts, element_v<T>, mesh.context().queue());
}

/// @comm broadcast of `count` elements over `axes`
template <class T, class Mesh>
void broadcast(const Mesh& mesh, unsigned axes, T* buffer, std::int64_t count, int root) {
  if (mesh.grid().ranks(axes) == 1) return;
  const Region region("tpx::broadcast");
  before_host_reads(mesh);
  mesh.communicator(axes).broadcast(buffer, count, element_v<T>, root, mesh.context().queue());
}

/// @comm send_recv of `count` elements over `axes`
template <class T, class Mesh>
void send_recv(const Mesh& mesh, unsigned axes, const T* send, int to, T* recv, int from, std::int64_t count) {
  if (mesh.grid().ranks(axes) == 1) return copy_elements(mesh, send, recv, count);
  const Region region("tpx::send_recv");
  before_host_reads(mesh);
  mesh.communicator(axes).send_recv(send, count, to, recv, count, from, element_v<T>, 0,
                                    mesh.context().queue());
}

}  // namespace tpx::detail
