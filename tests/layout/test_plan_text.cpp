// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/layout/plan_text.hpp>

#include <doctest/doctest.h>

#include <array>
#include <sstream>
#include <string>
#include <string_view>

#include <tpx/layout/parse.hpp>

#include "specs.hpp"

namespace {

using namespace tpx::axes;
using tpx::Layout;
using tpx::layout_t;
using tpx::Move;
using tpx::Partial;
using tpx::plan;
using tpx::Replicate;
using tpx::Shard;

// The plan between two types, while the program compiles; for axes of any size.
constexpr auto gather = plan<layout_t<Shard<1, tp>>, layout_t<Replicate<tp>>>;
static_assert(gather.steps.count == 1 && gather.steps.step[0].move == Move::all_gather);
static_assert(gather.backward().steps.count == 1 &&
              gather.backward().steps.step[0].move == Move::reduce_scatter);
static_assert(gather.elements({8, 512}, {8}) == 4096);
static_assert(gather.elements({8, 512}, {1}) == 0);
// Forward nothing is sent, and in the gradient an all-reduce.
constexpr auto enter = plan<layout_t<Shard<0, dp>>, layout_t<Shard<0, dp>, Replicate<tp>>>;
static_assert(enter.elements({8, 512}, {2, 8}) == 0 && enter.backward().elements({8, 512}, {2, 8}) == 2048);
// Of axes that cost the same the first one goes first.
using Crossed = layout_t<Shard<0, tp>, Shard<1, dp>>;
static_assert(plan<Crossed, layout_t<>>.steps.step[0].axes == 1u);  // tp, as it is named
static_assert(plan<Crossed, layout_t<>>.elements({8, 8}, {4, 2}) == 32 + 64);
static_assert(plan<Crossed, layout_t<>, tpx::AxisList<dp, tp>>.elements({8, 8}, {2, 4}) == 16 + 64);
constexpr auto nothing = plan<layout_t<Shard<0, dp, tp>>, layout_t<Shard<0, dp, tp>>>;
static_assert(nothing.steps.count == 0 && nothing.elements({32768}, {1024, 16}) == 0);

constexpr std::array<std::string_view, 3> names{"dp", "tp", "cp"};

/// The plan from one to another tensor on dp=2, tp=4, cp=2.
std::string words(std::string_view from, std::string_view to) {
  const tpx::TensorText a = tpx::parse_tensor(from, names), b = tpx::parse_tensor(to, names);
  return plan_text(tpx::make_plan(a.spec, b.spec), a.element, a.shape, domain::grid(2, 4, 2), names);
}

}  // namespace

TEST_CASE("plan_text: the step of a typed plan") {
  CHECK(gather.text<float>({8, 512}, {8}) ==
        "1. all-gather over tp: each rank receives the others' pieces of dim 1; 4096 elements, 16384 bytes\n"
        "   -> f32[8,512]{R:tp}\n");
  CHECK(gather.text<double>({8, 512}, {1}) ==
        "1. all-gather over tp: each rank receives the others' pieces of dim 1; nothing is sent, the axis has "
        "one rank\n"
        "   -> f64[8,512]{R:tp}\n");
}

TEST_CASE("plan_text: what a typed plan cannot be costed for") {
  CHECK_THROWS_WITH_AS(gather.elements({8, 512}, {0}), "tpx::plan: the size of an axis is at least 1",
                       tpx::Error);
  CHECK_THROWS_WITH_AS(gather.text<float>({8, 513}, {8}), doctest::Contains("which 513 is not a multiple of"),
                       tpx::Error);
  CHECK_THROWS_WITH_AS(gather.elements({8}, {8}), doctest::Contains("axis tp splits dim 1 of a tensor"),
                       tpx::Error);
  constexpr auto largest = plan<layout_t<Partial<tpx::Max, tp>>, layout_t<Replicate<tp>>>;
  CHECK_THROWS_WITH_AS(largest.backward(), doctest::Contains("has no gradient"), tpx::Error);
}

TEST_CASE("plan_text: pieces of several sizes") {
  constexpr auto moved = plan<layout_t<Shard<0, tpx::Ragged, dp>>, layout_t<Shard<0, tpx::Ragged, tp>>>;
  const tpx::Shape before = tpx::Shape{12}.with_pieces(0, {1, 11}),
                   after = tpx::Shape{12}.with_pieces(0, {5, 7});
  CHECK_THROWS_WITH_AS(moved.elements({12}, {2, 2}), doctest::Contains("is split Ragged into 2 pieces"),
                       tpx::Error);
  CHECK(moved.elements(before, after, {2, 2}) == 5);
  CHECK(moved.text<float>(before, after, {2, 2}).find("; 5 to 7 elements, 20 to 28 bytes\n") !=
        std::string::npos);
  // The first rank has nothing to send.
  CHECK(words("f32[4@dp:ragged(0,4)]{P:tp}", "f32[4@dp:ragged(0,4)]").find("; 0 to 4 elements") !=
        std::string::npos);
  CHECK(words("f32[13@dp@tp:balanced]", "f32[13@dp:balanced]").find("; 6 to 7 elements") != std::string::npos);
  // Without sizes, which axis comes first.
  std::ostringstream out;
  out << plan<layout_t<Shard<0, dp, tp>>, layout_t<Shard<0, tp, dp>>>;
  CHECK(out.str().find("-> dp: S(0) 2nd, tp: S(0) 1st\n") != std::string::npos);
}

TEST_CASE("plan_text: a typed plan without sizes, and its gradient's") {
  std::ostringstream out;
  out << plan<layout_t<Shard<0, dp>, Partial<tp>>, layout_t<>> << "backward\n" << enter.backward() << nothing;
  CHECK(out.str() ==
        "1. all-reduce over tp: each rank receives the sum of the ranks' terms\n"
        "   -> dp: S(0), tp: I\n"
        "2. all-gather over dp: each rank receives the others' pieces of dim 0\n"
        "   -> dp: I, tp: I\n"
        "backward\n"
        "1. all-reduce over tp: each rank receives the sum of the ranks' terms\n"
        "   -> dp: S(0), tp: I\n");
  CHECK(enter.backward().text<float>({8, 512}, {2, 8}) ==
        "1. all-reduce over tp: each rank receives the sum of 8 ranks' terms; 2048 elements, 8192 bytes\n"
        "   -> f32[8@dp,512]\n");
}

TEST_CASE("plan_text: each move has its words") {
  const auto says = [](std::string_view from, std::string_view to, std::string_view expected) {
    const std::string text = words(from, to);
    CAPTURE(text);
    CHECK(text.find(expected) != text.npos);
  };
  says("f32[8]", "f32[8]{R:tp}",
       "1. relabel over tp: I to R, the same values; nothing is sent\n   -> f32[8]{R:tp}\n");
  says("f32[8]", "f32[8]{P:tp}",
       "1. zero-elsewhere over tp: the first rank keeps its value, the others have zeros instead; nothing is "
       "sent\n");
  says("f32[8]", "f32[8@tp]", "1. slice over tp: each rank keeps its piece of dim 0; nothing is sent\n");
  says("f32[8@tp]", "f32[8]{P:tp}",
       "1. zero-pad over tp: each rank puts its piece of dim 0 into zeros; nothing is sent\n");
  says("f32[8]{P:dp,tp}", "f32[8]",
       "1. all-reduce over dp,tp: each rank receives the sum of 8 ranks' terms; 8 elements, 32 bytes\n");
  says("f32[8]{Pmax:tp}", "f32[8]",
       "1. all-reduce over tp: each rank receives the max of 4 ranks' terms; 8 elements");
  says("f64[8]{P:tp}", "f64[8@tp]",
       "1. reduce-scatter over tp: each rank receives the sum of its piece of dim 0; 8 elements, 64 bytes\n");
  says("f32[8@tp,16]", "f32[8,16@tp]",
       "1. all-to-all over tp: each rank gives its piece of dim 0 for one of dim 1; 32 elements");
  says(
      "f32[8@dp@tp]", "f32[8@tp@dp]",
      "1. permute over dp,tp: the axes on dim 0 change their order, each rank sends what it no longer holds; 1 "
      "elements, 4 bytes\n");
  says("f32[9@tp:balanced]", "f32[9@tp:ragged(0,0,9,0)]",
       "over tp: dim 0 is cut elsewhere, each rank sends what it no longer holds;");
  CHECK(words("f32[8@tp]", "f32[8@tp]").empty());
}

TEST_CASE("plan_text: a plan of several steps counts what CommLog counts") {
  const tpx::TensorText from = tpx::parse_tensor("f32[16@dp,16]{P:tp}", names);
  const tpx::TensorText to = tpx::parse_tensor("f32[16,16]", names);
  const tpx::Plan plan = tpx::make_plan(from.spec, to.spec);
  CHECK(plan_text(plan, from.element, from.shape, domain::grid(2, 4, 2), names) ==
        "1. all-reduce over tp: each rank receives the sum of 4 ranks' terms; 128 elements, 512 bytes\n"
        "   -> f32[16@dp,16]\n"
        "2. all-gather over dp: each rank receives the others' pieces of dim 0; 256 elements, 1024 bytes\n"
        "   -> f32[16,16]\n");
  CHECK(elements(plan, from.shape, domain::grid(2, 4, 2)) == 384);
  CHECK(elements(plan, from.shape, domain::grid(2, 1, 2)) == 256);
  CHECK(elements(plan, from.shape, domain::grid(1, 1, 1)) == 0);
}
