// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstdint>
#include <ostream>
#include <utility>

#include <tpx/comm/comm_log.hpp>
#include <tpx/layout/picture.hpp>
#include <tpx/tensor/dtensor.hpp>

namespace tpx {

/// What a program did on one rank of a mesh, or, on an abstract one, would do.
struct Report {
  comm::CommLog comm;     ///< for each set of axes and each collective: calls, elements, bytes
  Work work;              ///< of the kernels
  std::int64_t peak = 0;  ///< bytes of tensors that were held at once, what there was before included

  friend std::ostream& operator<<(std::ostream& out, const Report& report) {
    return out << report.comm << "flops " << report.work.flops << ", bytes that kernels read and write "
               << report.work.bytes << ", bytes of tensors held at most " << report.peak << '\n';
  }
};

namespace detail {

template <bool fits>
constexpr void a_report_needs_a_record() {
  static_assert(fits,
                "tpx::report: a communicator that records says what was sent: make the mesh on a "
                "comm::Recording<...>, or an abstract one");
}

}  // namespace detail

/// Calls `program` and says what it communicated and computed on this rank of the mesh.
///
///   auto mesh = make_abstract_mesh<dp, tp>({64, 8});     // 512 ranks that are not here
///   Report r = report(mesh, [&] { step(mesh); });        // what a training step would send
///
/// The mesh's communicator records: comm::Recording<...>, as an abstract mesh's does.
/// @post   the pool's peak counts from the call on
/// @throws tpx::Error where the program clears the mesh's log, and what the program throws
/// @comm   the program's own
template <class Mesh, class Program>
Report report(const Mesh& mesh, Program&& program) {
  constexpr bool records = requires { mesh.log(); };
  detail::a_report_needs_a_record<records>();
  if constexpr (records) {
    const comm::CommLog before = mesh.log();
    const Work work = mesh.context().work();
    mesh.context().pool().reset_peak();
    std::forward<Program>(program)();
    const Work after = mesh.context().work();
    return {mesh.log().since(before),
            {after.flops - work.flops, after.bytes - work.bytes},
            mesh.context().pool().peak()};
  } else {
    return {};
  }
}

/// Who owns what of a tensor.
template <Tensor X>
Picture picture(const X& x) {
  return Picture(name(element_v<typename X::element_type>), x.shape(), X::spec, x.mesh().grid(),
                 X::mesh_type::names());
}

inline refused picture(refused) { return {}; }

}  // namespace tpx
