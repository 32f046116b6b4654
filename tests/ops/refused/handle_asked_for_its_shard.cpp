// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: what a handle will hold is not there yet
// expect: tpx: the value of redistribute_async is there after wait(): auto y = handle.wait()
// expect: handle<tpx::Layout<tpx::Replicate<tpx::axes::tp>
#include <tpx/ops/redistribute_async.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

using Mesh = decltype(make_mesh<tp>(comm::Mpi::world()));

template <class X>
double first_of(const X& x) {
  const DTensor<double, 2, layout_t<Replicate<tp>>, Mesh> y = x;
  return x.extent(0) > 0 && x.local_count() > 0 && !x.describe().empty() && !describe(x).empty() &&
                 x.mesh().rank() == 0 && x.distribution().local() == y.local_shape()
             ? x.local()(0, 0) + *x.data()
             : 0.0;
}

int main() {
  const auto mesh = make_mesh<tp>(comm::Mpi::world());
  const auto x = detail::make_tensor<double, 2, layout_t<Shard<0, tp>>>(mesh, Shape{4, 6});
  auto h = redistribute_async<Replicate<tp>>(x);
#ifdef TPX_MUST_NOT_COMPILE
  (void)first_of(h);
#else
  (void)first_of(h.wait());
#endif
}
