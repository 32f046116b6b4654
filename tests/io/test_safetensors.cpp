// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/io/safetensors.hpp>

#include <tpx/io/read_shard.hpp>
#include <tpx/io/write_safetensors.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "io/safetensors_bytes.hpp"
#include "io/scratch.hpp"
#include "io/values.hpp"

using namespace tpx;
using namespace tpx::test;

namespace {

const std::string path = TPX_TEST_DATA "/numpy.safetensors";

void says(const std::string& bytes, const std::string& text) {
  TPX_CHECK_SAYS(Safetensors(bytes_of(bytes), "memory"), text);
}

/// One tensor with these fields, and 16 bytes of data.
std::string with(const std::string& fields) { return safetensors_bytes("{\"t\":{" + fields + "}}", 16); }

}  // namespace

TEST_CASE("a file of the Python package has its tensors and metadata") {
  const Safetensors file(path);
  CHECK(file.metadata() == std::map<std::string, std::string>{{"format", "np"}, {"made by", "numpy"}});
  CHECK(file.tensors().size() == 13);
  for (const char* type : {"float64", "float32", "float16"}) {
    CAPTURE(type);
    const FileTensor& t = file.at(std::string("real.") + type);
    CHECK(t.shape == Shape{12, 4});
    CHECK(read_whole<double>(t) == real_values<double>(48));
    CHECK(read_whole<float>(t) == real_values<float>(48));
  }
  for (const char* type : {"int64", "int32", "int16", "int8", "uint8"}) {
    CAPTURE(type);
    CHECK(read_whole<std::int64_t>(file.at(std::string("whole.") + type)) == whole_values<std::int64_t>(48));
  }
  const auto bits = read_whole<std::uint8_t>(file.at("whole.bool"));
  const auto whole = whole_values<std::uint8_t>(48);
  for (std::size_t i = 0; i < 48; ++i) CHECK(bits[i] == whole[i] % 2);
  CHECK(file.at("scalar").shape.ndim() == 0);
  CHECK(read_whole<float>(file.at("scalar")) == std::vector<float>{2.5F});
  CHECK(file.at("empty").shape == Shape{0, 3});
  CHECK(read_whole<float>(file.at("empty")).empty());
  CHECK(read_whole<std::int32_t>(file.at("\u00fcml\u00e4ut \"quoted\"")) == std::vector<std::int32_t>{1, 2});
  CHECK(file.at("cube").describe() == "F32[4,6,8]");

  const Safetensors upper_halves(TPX_TEST_DATA "/bfloat16.safetensors");
  CHECK(read_whole<float>(upper_halves.at("real.bfloat16")) == real_values<float>(48));
  CHECK(read_whole<bfloat16>(upper_halves.at("real.bfloat16")) == real_values<bfloat16>(48));
  CHECK(read_whole<bfloat16>(file.at("real.float64")) == real_values<bfloat16>(48));
}

TEST_CASE("a name that is not there is answered with the nearest") {
  const Safetensors file(path);
  CHECK(file.find("real") == nullptr);
  TPX_CHECK_SAYS(
      file.at("whole.int6"),
      "has no tensor 'whole.int6'; the nearest of its 13 are 'whole.int16', 'whole.int64', 'whole.int8'");
  says(safetensors_bytes("{}", 0), "nothing");
  TPX_CHECK_SAYS(Safetensors(bytes_of(safetensors_bytes("{}", 0)), "memory").at("\n\x80"),
                 "'\\x0a\\x80', and no other");
}

TEST_CASE("each rank's part is the part of the whole, for every dim and number of ranks") {
  const Safetensors file(path);
  const FileTensor& cube = file.at("cube");
  const auto whole = real_values<float>(4 * 6 * 8);
  for (int dim = 0; dim < 3; ++dim)
    for (int p : {1, 2, 3, 4}) {
      if (cube.shape[dim] % p != 0) continue;
      for (int i = 0; i < p; ++i) {
        const Distribution d = split(cube.shape, dim, p, i);
        CHECK(read_shard<float>(cube, d) == part_of(whole, d));
      }
    }
  Grid grid;
  grid.axes = 3;
  for (int a = 0; a < 3; ++a) grid.size[a] = 2, grid.coordinate[a] = a % 2;
  const Spec spec =
      Spec{}.with(0, {Kind::shard, 2, 0}).with(1, {Kind::shard, 0, 0}).with(2, {Kind::shard, 2, 1});
  const Distribution d(cube.shape, spec, grid);
  CHECK(read_shard<float>(cube, d) == part_of(whole, d));
}

TEST_CASE("a shard of another type, shape or size is refused") {
  const Safetensors file(path);
  const FileTensor& real = file.at("real.float32");
  TPX_CHECK_SAYS(read_whole<std::int64_t>(real),
                 "tensor 'real.float32' is F32[12,4]; it cannot be read as i64");
  TPX_CHECK_SAYS(read_whole<float>(file.at("whole.int8")), "it cannot be read as f32");
  TPX_CHECK_SAYS(read_whole<std::int32_t>(file.at("whole.int64")), "it cannot be read as i32");
  TPX_CHECK_SAYS(read_whole<std::uint8_t>(file.at("whole.int8")), "it cannot be read as u8");
  TPX_CHECK_SAYS(read_shard<float>(real, split({4, 12}, 0, 2, 0)),
                 "tensor 'real.float32' is F32[12,4]; expected f32[4,12]");
  std::vector<float> few(3);
  TPX_CHECK_SAYS(read_shard(real, split({12, 4}, 0, 2, 0), std::span<float>(few)), "to.size() = 3");
}

TEST_CASE("each malformed field is named") {
  const std::string good = R"("dtype":"F32","shape":[4],"data_offsets":[0,16])";
  says(with(good), "nothing");
  says("short", "shorter than the 8 bytes");
  says(length_bytes(100) + "{}", "the header's length is given as 100 bytes; there are 2");
  says(length_bytes(~std::uint64_t{0}) + "{}", "the header's length is given as 18446744073709551615 bytes");
  says(length_bytes(0), "the header does not start with '{'");
  says(safetensors_bytes(" {}", 0), "the header does not start with '{'");
  says(safetensors_bytes("{\"a\":", 0), "the header is not JSON");
  says(safetensors_bytes("{} {}", 0), "the header is not JSON");
  says(safetensors_bytes("{\"\xff\":{}}", 0), "the header is not JSON");
  says(safetensors_bytes("{\"a\":[[[1]]]}", 0), "the header nests deeper");
  says(safetensors_bytes("{\"a\":" + std::string(100000, '['), 0), "the header nests deeper");
  says(safetensors_bytes("{\"a\":1e999}", 0), "the header is not JSON");
  says(safetensors_bytes("{\"t\":{" + good + "},\"t\":{" + good + "}}", 16), "the header has 't' twice");
  says(with(good + ",\"shape\":[4]"), "the header has 'shape' twice");
  says(safetensors_bytes("{\"__metadata__\":[]}", 0), "__metadata__ is not an object");
  says(safetensors_bytes("{\"__metadata__\":{\"k\":1}}", 0), "__metadata__ 'k' is not a string");
  says(safetensors_bytes("{\"t\":1}", 0), "the entry of tensor 't' is not an object");
  says(with(good + ",\"more\":1"), "the entry of tensor 't' has an unknown field 'more'");
  says(with(R"("shape":[4],"data_offsets":[0,16])"), "the entry of tensor 't' has no dtype");
  says(with(R"("dtype":"F32","data_offsets":[0,16])"), "the entry of tensor 't' has no shape");
  says(with(R"("dtype":"F32","shape":[4])"), "the entry of tensor 't' has no data_offsets");

  says(with(R"("dtype":4,"shape":[4],"data_offsets":[0,16])"), "dtype of tensor 't' is not a string");
  says(with(R"("dtype":"F31","shape":[4],"data_offsets":[0,16])"),
       "dtype of tensor 't' is 'F31'; known: F64 F32 F16");
  says(with(R"("dtype":"Q4_0","shape":[32],"data_offsets":[0,16])"), "dtype of tensor 't' is 'Q4_0'");

  says(with(R"("dtype":"F32","shape":4,"data_offsets":[0,16])"), "shape of tensor 't' is not an array");
  says(with(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,4],"data_offsets":[0,16])"),
       "shape of tensor 't' has 13 dims");
  says(with(R"("dtype":"F32","shape":[-4],"data_offsets":[0,16])"),
       "shape of tensor 't' has a number that is not in 0");
  says(with(R"("dtype":"F32","shape":[4.0],"data_offsets":[0,16])"), "shape of tensor 't' has a number");
  says(with(R"("dtype":"F32","shape":["4"],"data_offsets":[0,16])"), "shape of tensor 't' has a number");
  says(with(R"("dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,16])"),
       "shape of tensor 't' has a number");
  says(with(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16])"),
       "shape of tensor 't' has more elements");
  says(with(R"("dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0])"),
       "shape of tensor 't' has more elements");
  says(with(R"("dtype":"F32","shape":[2305843009213693952],"data_offsets":[0,16])"),
       "shape of tensor 't' has more elements");

  says(with(R"("dtype":"F32","shape":[4],"data_offsets":16)"),
       "data_offsets of tensor 't' are not an array of two");
  says(with(R"("dtype":"F32","shape":[4],"data_offsets":[0,16,16])"),
       "data_offsets of tensor 't' are not an array of two");
  says(with(R"("dtype":"F32","shape":[4],"data_offsets":[-16,0])"), "data_offsets of tensor 't' has a number");
  says(with(R"("dtype":"F32","shape":[4],"data_offsets":[16,0])"),
       "data_offsets of tensor 't' are [16, 0]; the data has 16 bytes");
  says(with(R"("dtype":"F32","shape":[4],"data_offsets":[4,20])"),
       "data_offsets of tensor 't' are [4, 20]; the data has 16 bytes");
  says(with(R"("dtype":"F32","shape":[3],"data_offsets":[0,16])"),
       "data_offsets of tensor 't' are [0, 16]; F32[3] has 12 bytes");
  says(with(R"("dtype":"F16","shape":[4],"data_offsets":[0,16])"), "F16[4] has 8 bytes");
}

TEST_CASE("tensors lie side by side, without gaps, overlaps or bytes that nobody has") {
  const auto two = [](const std::string& a, const std::string& b) {
    return safetensors_bytes(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a +
                                 R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}",
                             12);
  };
  says(two("[0,4]", "[8,12]"), "data_offsets of tensor 'b' begin at 8; the tensors before it end at 4");
  says(two("[0,4]", "[2,6]"),
       "data_offsets of tensor 'b' begin at 2, inside the tensor before it, which ends at 4");
  says(two("[8,12]", "[4,8]"), "data_offsets of tensor 'b' begin at 4; the tensors before it end at 0");
  says(two("[4,8]", "[0,4]"), "the tensors end at byte 8 of the 12 that follow the header");
}

TEST_CASE("what is written is read back, and lies aligned") {
  const Scratch scratch;
  const auto reals = real_values<double>(48);
  const auto floats = real_values<float>(5);
  const auto bytes = whole_values<std::uint8_t>(3);
  const auto integers = whole_values<std::int32_t>(6);
  const std::string file = scratch / "written.safetensors";
  const std::map<std::string, std::string> metadata{{"format", "pt"}, {"n\u00e4me", "\"x\""}};
  scratch.write("written.safetensors", "what was there");
  write_safetensors(
      file,
      {file_tensor<std::uint8_t>("bytes", {3}, bytes), file_tensor<double>("reals", {12, 4}, reals),
       file_tensor<float>("f", {5}, floats), file_tensor<std::int32_t>("\u00fc", {2, 3}, integers),
       file_tensor<float>("none", {0}, {})},
      metadata);
  const Safetensors read(file);
  CHECK(read.metadata() == metadata);
  CHECK(read_whole<double>(read.at("reals")) == reals);
  CHECK(read_whole<float>(read.at("f")) == floats);
  CHECK(read_whole<std::uint8_t>(read.at("bytes")) == bytes);
  CHECK(read_whole<std::int32_t>(read.at("\u00fc")) == integers);
  CHECK(read.at("none").shape == Shape{0});
  for (const FileTensor& t : read.tensors())
    CHECK(reinterpret_cast<std::uintptr_t>(t.bytes.data()) %
              static_cast<std::uintptr_t>(format_of(t.dtype).bytes) ==
          0);
  CHECK_FALSE(std::filesystem::exists(file + ".part"));

  // Byte for byte the file that make_files.py opens with the Python package, and finds these values in.
  CHECK(slurp(file) == slurp(TPX_TEST_DATA "/written.safetensors"));

  const auto halves = real_values<bfloat16>(7);
  write_safetensors(file, {file_tensor<bfloat16>("h", {7}, halves)});
  CHECK(Safetensors(file).at("h").describe() == "BF16[7]");
  CHECK(read_whole<bfloat16>(Safetensors(file).at("h")) == halves);

  // What another file's tensors are can be written as it is.
  const Safetensors source(path);
  write_safetensors(scratch / "copy", source.tensors(), source.metadata());
  const Safetensors copy(scratch / "copy");
  REQUIRE(copy.tensors().size() == source.tensors().size());
  for (const FileTensor& t : source.tensors()) {
    CHECK(copy.at(t.name).describe() == t.describe());
    CHECK(std::ranges::equal(copy.at(t.name).bytes, t.bytes));
  }
}

TEST_CASE("what cannot be written is refused, and leaves the file that is there") {
  const Scratch scratch;
  const auto values = real_values<float>(4);
  const FileTensor t = file_tensor<float>("t", {4}, values);
  const std::string file = scratch.write("there", "before");
  TPX_CHECK_SAYS(write_safetensors(file, {t, t}), "there': tensor 't' is there twice");
  FileTensor other = t;
  other.name = "__metadata__";
  TPX_CHECK_SAYS(write_safetensors(file, {other}), "tensor '__metadata__' has the name that the format keeps");
  other = t;
  other.shape = {5};
  TPX_CHECK_SAYS(write_safetensors(file, {other}), "tensor 't' has another number of bytes than its shape");
  other.dtype = Dtype::q8_0;
  TPX_CHECK_SAYS(write_safetensors(file, {other}), "tensor 't' is quantised");
  other = t;
  other.name = "\xff";
  TPX_CHECK_SAYS(write_safetensors(file, {other}), "is not UTF-8");
  TPX_CHECK_SAYS(write_safetensors(file, {t}, {{"k", "\xff"}}), "is not UTF-8");
  TPX_CHECK_SAYS(file_tensor<float>("t", {5}, values), "values.size() = 4");
  TPX_CHECK_SAYS(write_safetensors(scratch / "no/where", {t}), "cannot be written: No such file or directory");
  TPX_CHECK_SAYS(write_safetensors("/dev/full/x", {t}), "cannot be written: Not a directory");
  CHECK(slurp(file) == "before");
}
