// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Multi-head attention with the heads split over tp. What is split is the dim `heads`, not the product of
// heads and depth, so a head is never cut.

#include <tpx/tpx.hpp>

#include "support/check.hpp"
#include "support/plain.hpp"

using namespace tpx;
using namespace tpx::axes;

int main(int argc, char** argv) {
  Environment env(argc, argv);
  return env.run([&] {
    const auto mesh = make_mesh<tp>(env.world());
    const std::int64_t batch = 2, positions = 10, heads = 12, depth = 4, features = heads * depth;

    // Weights f64[48,12@tp,4] on the way in, f64[12@tp,4,48] on the way out.
    const auto in = layout<Shard<1, tp>>;
    const auto out = layout<Shard<0, tp>>;
    auto x = normal<double>(mesh, layout<>, {batch, positions, features}, {1, 0});  // f64[2,10,48]
    auto wq = normal<double>(mesh, in, {features, heads, depth}, {1, 1}, 0, 0.2);
    auto wk = normal<double>(mesh, in, {features, heads, depth}, {1, 2}, 0, 0.2);
    auto wv = normal<double>(mesh, in, {features, heads, depth}, {1, 3}, 0, 0.2);
    auto wo = normal<double>(mesh, out, {heads, depth, features}, {1, 4}, 0, 0.2);

    auto r = redistribute<Replicate<tp>>(x);    // f64[2,10,48]{R:tp}   used for different heads
    auto q = matmul(r, wq);                     // f64[2,10,12@tp,4]
    auto k = matmul(r, wk);                     // f64[2,10,12@tp,4]
    auto v = matmul(r, wv);                     // f64[2,10,12@tp,4]
    auto o = attention(q, k, v, Mask::causal);  // f64[2,10,12@tp,4]    no rank sees another's heads
    auto z = matmul<2>(o, wo);                  // f64[2,10,48]{P:tp}   over heads and depth
    auto y = redistribute<Invariant<tp>>(z);    // f64[2,10,48]         one all-reduce

    const std::int64_t tokens = batch * positions;
    const plain::Values all = gather(x);
    const plain::Values heads_out = plain::attention(plain::matmul(all, gather(wq), tokens, features, features),
                                                     plain::matmul(all, gather(wk), tokens, features, features),
                                                     plain::matmul(all, gather(wv), tokens, features, features),
                                                     batch, positions, heads, depth);
    const plain::Values want = plain::matmul(heads_out, gather(wo), tokens, features, features);

    const double of_heads = example::difference(gather(o), heads_out);
    const double of_result = example::difference(gather(y), want);
    if (mesh.rank() == 0)
      std::cout << "q " << q.describe() << "\no " << o.describe() << "\nz " << z.describe() << "\ny "
                << y.describe() << std::endl;
    return example::finish("04_attention", example::sizes(mesh), of_heads < 1e-12 && of_result < 1e-12,
                           {{"heads_a_rank", o.local_shape()[2]}, {"difference", of_result}});
  });
}
