// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// must not compile: a lookup is not linear in its ids, whatever numbers the table is of
// expect: tpx: token ids and masks are values, not terms of a sum
#include <tpx/ops/embedding.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>
using namespace tpx;
using namespace tpx::axes;

int main() {
  const auto mesh = make_abstract_mesh<tp>({2});
  const auto table = zeros<std::int32_t>(mesh, layout<Replicate<tp>>, {8, 4});
#ifdef TPX_MUST_NOT_COMPILE
  using Ids = DTensor<std::int32_t, 1, layout_t<Partial<tp>>, std::decay_t<decltype(mesh)>>;
#else
  using Ids = DTensor<std::int32_t, 1, layout_t<Replicate<tp>>, std::decay_t<decltype(mesh)>>;
#endif
  const Ids ids(mesh, Shape{3}, zeros<std::int32_t>(mesh, layout<>, {3}).shard());
  (void)embedding(ids, table);
}
