// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/tensor/report.hpp>

#include <sstream>
#include <string>

#include <tpx/tensor/host_copy.hpp>

#include "support/distributed.hpp"

namespace {

using namespace tpx;
using namespace tpx::axes;
using comm::Collective;

/// Gathers a tensor and sums another over dp: what a report is to show.
template <class Mesh>
void program(const Mesh& mesh) {
  const int p = mesh.size();
  const auto x = zeros<float>(mesh, layout<Shard<0, tp>>, {4 * p, 3});
  detail::run_plan<float>(mesh, plan_v<decltype(x)::spec.bits, 0u>, x.shape(), x.shard());
  const auto y = detail::make_tensor<double, 1, layout_t<Partial<dp>>>(mesh, Shape{5});
  detail::run_plan<double>(mesh, plan_v<decltype(y)::spec.bits, 0u>, y.shape(), y.shard());
}

}  // namespace

TEST_CASE("report: a mesh that is not here says what this one sends") {
  test::for_each_mesh([](const test::World&, const auto& mesh) {
    const auto abstract = make_abstract_mesh<dp, tp>({mesh.template size<dp>(), mesh.template size<tp>()});
    const Report predicted = report(abstract, [&] { program(abstract); });
    mesh.log().clear();
    program(mesh);  // what was sent before is not reported
    const comm::CommLog before = mesh.log();
    const Report counted = report(mesh, [&] { program(mesh); });
    CHECK(counted.comm == predicted.comm);
    CHECK(counted.comm == before);
    CHECK(counted.work == predicted.work);
    CHECK(predicted.peak >= 4 * 3 * 4 + 5 * 8);
    CHECK(mesh.log().since(counted.comm) == before);  // and the log counts on

    const std::int64_t p = mesh.size(), tp_size = mesh.template size<tp>(), dp_size = mesh.template size<dp>();
    const comm::CommEntry gathered = counted.comm.total("tp", Collective::all_gather);
    CHECK(gathered.calls == (tp_size > 1 ? 1 : 0));
    CHECK(gathered.elements == (tp_size > 1 ? 4 * p * 3 : 0));
    const comm::CommEntry summed = counted.comm.total("dp", Collective::all_reduce);
    CHECK(summed.calls == (dp_size > 1 ? 1 : 0));
    CHECK(summed.bytes == (dp_size > 1 ? 5 * 8 : 0));
  });
}

TEST_CASE("report: as a text, and where the log was cleared") {
  const auto mesh = make_abstract_mesh<dp, tp>({2, 4});
  std::ostringstream text;
  text << report(mesh, [&] { program(mesh); });
  CHECK(text.str().find("tp     all_gather") != std::string::npos);
  CHECK(text.str().find("\nflops 0, bytes that kernels read and write ") != std::string::npos);
  CHECK_THROWS_WITH_AS(report(mesh, [&] { mesh.log().clear(); }),
                       "tpx::comm::CommLog::since: the log was cleared after the copy was taken", Error);
  CHECK(report(mesh, [] {}).comm.entries().empty());
}

TEST_CASE("report: who owns what of a tensor") {
  test::for_each_mesh([](const test::World&, const auto& mesh) {
    const auto x = zeros<float>(mesh, layout<Shard<1, tp>>, {3, 4 * mesh.size()});
    const Picture drawn = picture(x);
    CHECK(drawn.title().starts_with(x.describe() + " on dp="));
    CHECK(drawn.pieces(1).size() == static_cast<std::size_t>(mesh.template size<tp>()));
  });
}
