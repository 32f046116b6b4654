// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/layout/parse.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "specs.hpp"

namespace {

constexpr std::array<std::string_view, 3> names{"dp", "tp", "cp"};

std::string printed(const tpx::TensorText& t) { return print(name(t.element), t.shape, t.spec, names); }

/// What is said of a text that is no tensor.
std::string refusal(std::string_view text) {
  try {
    (void)tpx::parse_tensor(text, names);
  } catch (const tpx::Error& error) {
    return error.what();
  }
  return "taken";
}
std::string mesh_refusal(std::string_view text) {
  try {
    (void)tpx::parse_mesh(text);
  } catch (const tpx::Error& error) {
    return error.what();
  }
  return "taken";
}

}  // namespace

TEST_CASE("parse: what is printed is read again") {
  for (const std::string_view text :
       {"f32[]", "f64[8]", "u8[0,3]", "bf16[4@tp]", "i32[8@dp,16]{P:tp}", "i64[8@tp@dp]{R:cp}",
        "f32[8,16]{R:dp,cp P:tp}", "f32[9@tp:balanced,16@dp@cp]", "f32[8@dp@tp@cp:balanced]",
        "f32[8]{Pmax:dp,tp}", "f32[8]{R:dp Pmin:cp}", "f32[1,2,3,4,5,6,7,8,9,10,11,12@tp]",
        "f32[9223372036854775807]"}) {
    CAPTURE(text);
    CHECK(printed(tpx::parse_tensor(text, names)) == text);
  }
  domain::for_each_spec(3, 2, [](tpx::Spec spec) {
    const std::string text = tpx::print("f32", {8, 16}, spec, names);
    const tpx::TensorText read = tpx::parse_tensor(text, names);
    REQUIRE(read.spec == spec);
    REQUIRE(read.shape == tpx::Shape{8, 16});
  });
}

TEST_CASE("parse: the pieces of a ragged dim") {
  const tpx::TensorText t = tpx::parse_tensor("f32[4,10@tp:ragged(3,0,7)]", names);
  CHECK(printed(t) == "f32[4,10@tp:ragged]");
  const std::span<const std::int64_t> pieces = t.shape.pieces(1);
  CHECK(std::vector<std::int64_t>(pieces.begin(), pieces.end()) == std::vector<std::int64_t>{3, 0, 7});
  tpx::Grid grid = domain::grid(1, 3, 1);
  grid.coordinate[1] = 2;
  CHECK(tpx::Distribution(t.shape, t.spec, grid).piece(1) == tpx::Piece{3, 7});
  CHECK(refusal("f32[10@tp:ragged(3,3)]").find("add up to 6, its extent is 10") != std::string::npos);
}

TEST_CASE("parse: what is no tensor is refused in a sentence that shows it") {
  const auto says = [](std::string_view text, std::string_view sentence) {
    CAPTURE(text);
    CHECK(refusal(text) == "tpx::parse_tensor: '" + std::string(text) + "': " + std::string(sentence));
  };
  const std::string_view element = "it starts with an element: f32, f64, bf16, i32, i64 or u8";
  says("", element);
  says("f16[8]", element);
  says("f32", "'[' is expected after the element, not ''");
  says("f32[8", "']' is expected after the last dim, not ''");
  says("f32[8]]", "nothing is expected after the layout");
  says("f32[-1]", "an extent is a number of at least 0, not '-1]'");
  says("f32[8, 16]", "an extent is a number of at least 0, not ' 16]'");
  says("f32[99999999999999999999]", "an extent is too large a number");
  says("f32[8@pp]", "'pp' is no axis of the mesh, which has dp, tp, cp");
  says("f32[8@]", "'' is no axis of the mesh, which has dp, tp, cp");
  says("f32[8@tp@tp]", "axis tp is named once");
  says("f32[8@tp]{P:tp}", "axis tp is named once");
  says("f32[8]{Q:tp}", "the braces hold 'R:', 'P:', 'Pmax:' or 'Pmin:' and axes, not 'Q'");
  says("f32[8]{P}", "':' is expected after P, not '}'");
  says("f32[8]{P:tp", "'}' is expected after the last axis, not ''");
  says("f32[8]{P:dp Pmax:tp}", "a tensor is Partial by one reduction on all of its axes");
  says("f32[8@tp:odd]", "a dim is split ':balanced' or ':ragged', or evenly where nothing is said");
  says("f32[8:balanced]", "']' is expected after the last dim, not ':balanced]'");
  says("f32[1,1,1,1,1,1,1,1,1,1,1,1,1]", "a tensor has at most 12 dims");
}

TEST_CASE("parse: a mesh") {
  const tpx::MeshText mesh = tpx::parse_mesh("dp=2,rows_3=4");
  CHECK(mesh.names == std::vector<std::string_view>{"dp", "rows_3"});
  CHECK(mesh.grid.axes == 2);
  CHECK(mesh.grid.size[0] == 2);
  CHECK(mesh.grid.size[1] == 4);
  CHECK(tpx::parse_tensor("f32[8@rows_3]", mesh.names).spec == tpx::Spec{}.with(1, {tpx::Kind::shard, 0, 0}));

  const auto says = [](std::string_view text, std::string_view sentence) {
    CAPTURE(text);
    CHECK(mesh_refusal(text) == "tpx::parse_mesh: '" + std::string(text) + "': " + std::string(sentence));
  };
  says("", "an axis has a name, as in dp=8,tp=8");
  says("dp=2,", "an axis has a name, as in dp=8,tp=8");
  says("dp", "'=' is expected after dp, not ''");
  says("dp=two", "the size of an axis is a number of at least 1, not 'two'");
  says("dp=0", "the size of an axis is a number of at least 1, not '0'");
  says("dp=2,dp=2", "axis dp is named once");
  says("dp=2;tp=2", "axes are separated by commas, as in dp=8,tp=8");
  says("a=1,b=1,c=1,d=1,e=1", "a mesh has at most four axes");
  says("dp=4096,tp=4097", "a mesh of more than 16777216 ranks is not looked at");
}
