// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// fails one|all|late|outside|none: which ranks throw, and where. tests/smoke/exits.cmake looks at the end.
#include <tpx/tensor/environment.hpp>

#include <string>

#include <tpx/tensor/factory.hpp>
#include <tpx/tensor/make_mesh.hpp>

int main(int argc, char** argv) {
  tpx::Environment env(argc, argv);
  const std::string who = argc > 1 ? argv[1] : "";
  const auto program = [&] {
    const auto mesh = tpx::make_mesh<tpx::axes::tp>(env.world());
    const bool last = mesh.rank() == mesh.size() - 1;
    if (who == "all" || (who == "one" && last)) tpx::fail("a text file is missing");
    // The others wait here for the one that failed.
    const auto x = tpx::full<double>(mesh, tpx::layout<tpx::Shard<0, tpx::axes::tp>>, {12}, 1.0);
    double sum = 0;
    for (const double v : tpx::gather(x)) sum += v;
    if (who == "late" && last) throw 42;
    return sum == 12 ? 0 : 3;
  };
  if (who == "outside") return program() + (tpx::fail("thrown outside of run"), 0);
  return env.run(program);
}
