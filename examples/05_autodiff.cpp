// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gradients on a dp x tp mesh: the forward is written once, the layouts say what backward sends. The table of
// the embedding is the output layer too, so its gradient has two terms.

#include <tpx/tpx.hpp>

#include "support/check.hpp"
#include "support/plain.hpp"

using namespace tpx;
using namespace tpx::axes;

int main(int argc, char** argv) {
  Environment env(argc, argv);
  return env.run([&] {
    const comm::Mpi world = env.world();
    const auto mesh = make_mesh<dp, tp>(world, {world.size() % 2 == 0 ? 2 : 1, 0});
    const std::int64_t batch = 12, words = 24, features = 6;

    // The batch is split over dp, the table over tp. The table is Replicate on dp: the same value, used for
    // other samples on each rank, so its gradient will be Partial there.
    auto id =
        from_function<std::int32_t>(mesh, layout<Shard<0, dp>>, {batch}, [](auto i) { return 7 * i[0] % 24; });
    auto target =
        from_function<std::int32_t>(mesh, layout<Shard<0, dp>>, {batch}, [](auto i) { return 5 * i[0] % 24; });
    auto table = make_parameter(
        "table", normal<double>(mesh, layout<Replicate<dp>, Shard<0, tp>>, {words, features}, {3}));
    auto shift = normal<double>(mesh, layout<Shard<0, dp>>, {batch, features}, {4});

    // Ops with an operand on the tape are recorded: a leaf whose gradient is wanted, or an input without one.
    // README: begin
    Tape tape(mesh);
    auto s = tape.watch(shift);                           // f64[12@dp,6]        a leaf
    auto e = embedding(tape.input(id), table);            // f64[12@dp,6]{P:tp}  each rank the rows it has
    auto x = add(redistribute<Invariant<tp>>(e), s);      // f64[12@dp,6]        one all-reduce over tp
    auto r = redistribute<Replicate<tp>>(x);              // f64[12@dp,6]{R:tp}
    auto logits = matmul_transposed(r, table);            // f64[12@dp,24@tp]    the table again
    auto loss = cross_entropy<over<tp>>(logits, target);  // f64[]{P:dp}         each rank a term of the mean
    backward(loss);
    auto of_shift = tape.gradient(s);  // f64[12@dp,6]        S and I keep their state
    auto of_table = gradient(table);   // f64[24@tp,6]{P:dp}  the dual of R is P
    // README: end

    auto reduced = redistribute<Invariant<dp>>(of_table);   // f64[24@tp,6]         one all-reduce over dp
    auto mean = redistribute<Invariant<dp>>(detach(loss));  // f64[]
    static_assert(std::is_same_v<decltype(of_shift)::layout_type, layout_t<Shard<0, dp>>>);
    static_assert(std::is_same_v<decltype(of_table)::layout_type, layout_t<Shard<0, tp>, Partial<dp>>>);

    // In plain loops: logits = x E^T with x = E[id] + shift, so dx = dlogits E, and the gradient of E is
    // dlogits^T x from the output layer plus a row of dx for each id.
    const plain::Values rows = gather(table), leaf = gather(shift);
    const std::vector<std::int32_t> ids = gather(id);
    plain::Values input = leaf, want(rows.size()), dlogits;
    for (std::size_t i = 0; i < input.size(); ++i)
      input[i] += rows[static_cast<std::size_t>(ids[i / 6]) * 6 + i % 6];
    const plain::Values scores =
        plain::matmul(input, plain::transpose(rows, words, features), batch, features, words);
    const double want_loss = plain::cross_entropy(scores, gather(target), batch, words, &dlogits);
    const plain::Values dx = plain::matmul(dlogits, rows, batch, words, features);
    want = plain::matmul(plain::transpose(dlogits, batch, words), input, words, batch, features);
    for (std::size_t i = 0; i < dx.size(); ++i) want[static_cast<std::size_t>(ids[i / 6]) * 6 + i % 6] += dx[i];

    const double off_loss = std::abs(item(mean) - want_loss);
    const double off_table = example::difference(gather(reduced), want);
    const double off_shift = example::difference(gather(of_shift), dx);
    if (mesh.rank() == 0)
      std::cout << "loss " << loss.describe() << ", d/d table " << of_table.describe() << ", d/d shift "
                << of_shift.describe() << std::endl;
    const bool ok = off_loss < 1e-12 && off_table < 1e-12 && off_shift < 1e-12;
    return example::finish("05_autodiff", example::sizes(mesh), ok,
                           {{"loss", item(mean)}, {"difference", off_table}});
  });
}
