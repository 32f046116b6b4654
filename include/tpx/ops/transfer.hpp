// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include <tpx/ops/op.hpp>

namespace tpx {

namespace detail {

template <bool fits, class... Facts>
constexpr void sent_along_another_axis() {
  static_assert(
      fits,
      "tpx::send, tpx::receive: a tensor goes along an axis that its own mesh does not have: with other "
      "layers on each rank of pp, tensors are on the mesh of the other axes, stage_mesh<pp>(mesh) "
      "(see along, on)");
}
template <class Axis>
struct along;
template <class List>
struct on_mesh;

template <bool fits, class... Facts>
constexpr void a_layout_is_received() {
  static_assert(fits,
                "tpx::receive: the tensor is of a layout, written layout_t<Shard<0, dp>> (see in_placement)");
}

template <class Axis, class Whole, class Mesh>
constexpr void check_sent() {
  constexpr bool whole_has = index_of<Axis, typename Whole::axes> >= 0;
  constexpr bool another = index_of<Axis, typename Mesh::axes> < 0;
  a_mesh_has_the_axis<whole_has, axis<Axis>, mesh<typename Whole::axes>>();
  if constexpr (whole_has) sent_along_another_axis<another, along<Axis>, on_mesh<typename Mesh::axes>>();
}

/// Values and gradients between the same two ranks do not meet.
inline constexpr int value_tag = 0, gradient_tag = 1;

/// @comm send of `count` elements along Axis to the rank at `to`, at the same place on all other axes
template <class Axis, class T, class Whole>
void send_elements(const Whole& mesh, const T* data, std::int64_t count, int to, int tag) {
  TPX_EXPECTS(0 <= to && to < mesh.template size<Axis>() && to != mesh.template coordinate<Axis>(), to,
              "a message goes to another rank of the axis");
  const Region region("tpx::send");
  before_host_reads(mesh);
  mesh.template communicator<Axis>().send(data, count, element_v<T>, to, tag, mesh.context().queue());
}

/// @comm recv of `count` elements along Axis
template <class Axis, class T, class Whole>
Buffer receive_elements(const Whole& mesh, std::int64_t count, int from, int tag) {
  TPX_EXPECTS(0 <= from && from < mesh.template size<Axis>() && from != mesh.template coordinate<Axis>(), from,
              "a message comes from another rank of the axis");
  const Region region("tpx::receive");
  Buffer memory = allocate<T>(mesh, count);
  before_host_reads(mesh);  // kernels may still read what was in this memory
  mesh.template communicator<Axis>().recv(memory.as<T>(), count, element_v<T>, from, tag,
                                          mesh.context().queue());
  return memory;
}

/// What the backward of a transfer needs: the whole mesh, kept in saved[0]; extents peer, count.
template <class Mesh, class Whole>
void save_transfer(Record<Mesh>& r, const Whole& mesh, int peer, std::int64_t count) {
  auto kept = std::make_shared<Whole>(mesh);
  void* const data = kept.get();
  r.saved[0] = Buffer::borrow(data, 0, std::move(kept));
  r.extent[0] = peer;
  r.extent[1] = count;
}

template <class Axis, class T, class Whole, class Mesh>
void send_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Whole& mesh = *r.saved[0].template as<Whole>();
  tape.template give<T>(
      r.in[0], receive_elements<Axis, T>(mesh, r.extent[1], static_cast<int>(r.extent[0]), gradient_tag));
}

template <class Axis, class T, class Whole, class Mesh>
void receive_backward(Tape<Mesh>& tape, Record<Mesh>& r) {
  const Whole& mesh = *r.saved[0].template as<Whole>();
  send_elements<Axis, T>(mesh, tape.template gradient_of<T>(r.out), r.extent[1], static_cast<int>(r.extent[0]),
                         gradient_tag);
}

}  // namespace detail

/// Sends this rank's part of a tensor along an axis, to the rank at the same place of all others, which calls
/// receive with the same element, shape and layout.
///
///   x on the mesh <dp,tp> of one pipeline stage, mesh <dp,pp,tp>:  send<pp>(mesh, x, next)
///
/// Beside a tape the transfer is an op. What it gives is then a scalar of 0 that stands for all that the
/// receiver makes of x: backward(send<pp>(mesh, x, next)) waits for the gradient of x and walks on from there.
///
/// @param  to  coordinate along Axis
/// @comm   forward: send of the local elements along Axis. backward: recv of as many
template <class Axis, class Whole, Tensor X>
auto send(const Whole& mesh, const X& x, int to) {
  using T = typename X::element_type;
  using Mesh = typename X::mesh_type;
  detail::check_sent<Axis, Whole, Mesh>();
  detail::send_elements<Axis, T>(mesh, x.data(), x.local_count(), to, detail::value_tag);
  if constexpr (detail::is_on_tape<X>) {
    DTensor<T, 0, layout_t<>, Mesh, OnTape<Mesh>> sent(x.mesh(), Shape{}, detail::allocate<T>(x.mesh(), 1));
    x.mesh().context().launch({}, [&](const auto& exec) { kernel::fill(exec, sent.data(), 1, T(0)); });
    return detail::record(
        std::move(sent), &detail::send_backward<Axis, T, Whole, Mesh>,
        [&](auto& r) { detail::save_transfer(r, mesh, to, x.local_count()); }, x);
  }
}

template <class Axis, class Whole>
refused send(const Whole&, refused, int) {
  return {};
}

/// Receives this rank's part of a tensor that a rank along an axis sends.
///
///   auto x = receive<pp, double, 3, layout_t<Shard<0, dp>>>(mesh, stage, {b, s, h}, previous);
///
/// @param  stage  the mesh that the tensor is on
/// @param  from   coordinate along Axis
/// @pre    the sender's tensor has the same element, shape and layout; another number of elements is an error
/// @comm   recv of the local elements along Axis
template <class Axis, class T, int N, class L, class Whole, class Mesh>
auto receive(const Whole& mesh, const Mesh& stage, const Shape& shape, int from) {
  detail::check_sent<Axis, Whole, Mesh>();
  detail::a_layout_is_received<detail::is_layout<L>, detail::in_placement<L>>();
  if constexpr (!detail::is_layout<L>) {
    return refused{};
  } else {
    const Distribution d(shape, spec_v<L, typename Mesh::axes>, stage.grid());
    d.check(name(element_v<T>), Mesh::names());
    return DTensor<T, N, L, Mesh>(
        stage, shape, detail::receive_elements<Axis, T>(mesh, d.local().count(), from, detail::value_tag));
  }
}

/// The same on a tape: backward sends the tensor's gradient to where it came from.
/// @comm   forward: recv of the local elements along Axis. backward: send of as many
template <class Axis, class T, int N, class L, class Whole, class Mesh>
auto receive(const Whole& mesh, Tape<Mesh>& tape, const Shape& shape, int from) {
  const auto x = receive<Axis, T, N, L>(mesh, tape.mesh(), shape, from);
  if constexpr (!detail::is_layout<L>) {
    return x;
  } else {
    const int node = tape.add_node(x.local_count());
    detail::Record<Mesh>& r = tape.record(&detail::receive_backward<Axis, T, Whole, Mesh>);
    r.out = node;
    detail::save_transfer(r, mesh, from, x.local_count());
    return DTensor<T, N, L, Mesh, OnTape<Mesh>>(tape.mesh(), shape, x.shard(), {&tape, node, tape.step()});
  }
}

}  // namespace tpx
