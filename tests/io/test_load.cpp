// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/io/load.hpp>

#include <tpx/comm/abstract.hpp>
#include <tpx/io/gguf.hpp>
#include <tpx/io/safetensors.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "io/scratch.hpp"
#include "io/values.hpp"
#include "support/distributed.hpp"

using namespace tpx;
using namespace tpx::axes;
using namespace tpx::test;

namespace {

const std::string numpy = TPX_TEST_DATA "/numpy.safetensors";

template <class T, class X>
void check_parts(const X& x, const std::vector<T>& whole) {
  CHECK(local_values(x) == part_of(whole, x.distribution()));
  CHECK(gather(x) == whole);
}

}  // namespace

TEST_CASE("each rank has its part, of either format, and the ranks together the whole") {
  const Safetensors file(numpy);
  const Gguf quantised(TPX_TEST_DATA "/gguf.gguf");
  const Safetensors upper_halves(TPX_TEST_DATA "/bfloat16.safetensors");
  const auto values = real_values<double>(48);
  const auto blocks = read_whole<float>(quantised.at("Q8_0"));
  for_each_mesh([&](const World&, const auto& mesh) {
    check_parts(load<double, 2>(mesh, layout<>, file, "real.float16"), values);
    check_parts(load<double, 2>(mesh, layout<Shard<0, tp>>, file, "real.float16"), values);
    check_parts(load<double>(mesh, layout<Shard<0, tp, dp>>, file, "real.float64", {12, 4}), values);
    check_parts(load<std::int64_t>(mesh, layout<Shard<0, dp>, Replicate<tp>>, file, "whole.int16", {12, 4}),
                whole_values<std::int64_t>(48));
    check_parts(load<bfloat16, 2>(mesh, layout<Shard<0, tp>>, upper_halves, "real.bfloat16"),
                real_values<bfloat16>(48));
    // 96 columns: no number of ranks but 1 and 3 splits them between blocks.
    check_parts(load<float, 2>(mesh, layout<Shard<1, tp>>, quantised, "Q8_0"), blocks);
    check_parts(load<float, 2>(mesh, layout<Shard<1, dp, tp>>, quantised, "Q8_0"), blocks);
  });
}

TEST_CASE("what cannot be loaded is refused on every rank, in the same words") {
  const Safetensors file(numpy);
  const auto mesh = make_mesh<tp>(world());
  const auto refused = [&](auto&& f, const std::string& text) {
    const std::string said = error_of(f);
    CHECK_MESSAGE(said.find(text) != std::string::npos, "got: ", said);
  };
  refused([&] { load<float, 2>(mesh, layout<>, file, "real.float23"); },
          "the nearest of its 13 are 'real.float");
  refused([&] { load<float, 3>(mesh, layout<>, file, "real.float32"); }, "is F32[12,4]; expected 3 dims");
  refused(
      [&] {
        load<float>(mesh, layout<>, file, "real.float32", {4, 12});
      },
      "is F32[12,4]; expected the shape [4,12]");
  refused([&] { load<float, 2>(mesh, layout<>, file, "whole.int8"); }, "it cannot be read as f32");
  if (mesh.size() == 3)
    refused([&] { load<float, 2>(mesh, layout<Shard<1, tp>>, file, "real.float32"); }, "is not a multiple of");
}

TEST_CASE("a file that is another on one rank is refused on all") {
  const auto mesh = make_mesh<tp>(world());
  if (mesh.size() == 1) {
    MESSAGE("one rank has no other");
    return;
  }
  const Safetensors file(mesh.rank() == 1 ? TPX_TEST_DATA "/bfloat16.safetensors" : numpy);
  const std::string said = error_of([&] { load<float, 2>(mesh, layout<Shard<0, tp>>, file, "real.float32"); });
  CHECK_MESSAGE(
      said.find("has no tensor 'real.float32'; the nearest of its 1 are 'real.bfloat16'") != std::string::npos,
      said);
  CHECK_MESSAGE(said.find("[on rank 1 of") != std::string::npos, said);
}

TEST_CASE("loading costs the ranks one agreement of four bytes") {
  const Safetensors file(numpy);
  const World all = world();
  const auto mesh = make_mesh<tp>(all);
  all.log().clear();
  load<float, 2>(mesh, layout<Shard<0, tp>>, file, "real.float32");
  CHECK(calls(all.log()) == (mesh.size() > 1 ? 1 : 0));
}
