// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program that forgets to wait, or waits twice, where nothing is checked: fails_async [wait|twice]
#undef TPX_CHECK_LEVEL
#define TPX_CHECK_LEVEL 0
#include <cstring>

#include <tpx/ops/redistribute_async.hpp>
#include <tpx/tensor/environment.hpp>
#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>

using namespace tpx;
using namespace tpx::axes;

int main(int argc, char** argv) {
  Environment env(argc, argv);
  return env.run([&] {
    const auto mesh = make_mesh<tp>(env.world());
    const auto x = zeros<float>(mesh, layout<Shard<0, tp>>, {6, 2});
    auto h = redistribute_async<Replicate<tp>>(x);
    if (argc > 1) (void)h.wait();
    if (argc > 1 && std::strcmp(argv[1], "twice") == 0) (void)h.wait();
    return 0;
  });
}
