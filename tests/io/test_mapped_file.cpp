// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/io/mapped_file.hpp>

#include <sys/stat.h>

#include <doctest/doctest.h>
#include <algorithm>
#include <string>
#include <utility>

#include "io/scratch.hpp"

using namespace tpx;
using namespace tpx::test;

namespace {

bool holds(const MappedFile& file, std::string_view text) {
  return std::ranges::equal(file.bytes(), bytes_of(text));
}

}  // namespace

TEST_CASE("a mapped file has the file's bytes, and hands them on") {
  const Scratch scratch;
  MappedFile a(scratch.write("a", "some bytes"));
  CHECK(holds(a, "some bytes"));
  CHECK(a.path() == scratch / "a");
  const std::byte* start = a.bytes().data();
  MappedFile b(std::move(a));
  CHECK(b.bytes().data() == start);
  MappedFile c(scratch.write("c", "others"));
  c = std::move(b);
  CHECK(holds(c, "some bytes"));
  CHECK(c.path() == scratch / "a");
}

TEST_CASE("what cannot be mapped is refused, with the path and the reason") {
  const Scratch scratch;
  TPX_CHECK_SAYS(MappedFile(scratch / "missing"), "missing' cannot be opened: No such file or directory");
  TPX_CHECK_SAYS(MappedFile(scratch / "."), "is a directory, not a file");
  TPX_CHECK_SAYS(MappedFile(scratch.write("empty", "")), "empty' is empty");
  TPX_CHECK_SAYS(MappedFile("/dev/null"), "'/dev/null' is not a regular file");
  const std::string pipe = scratch / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  TPX_CHECK_SAYS(MappedFile(pipe), "pipe' is not a regular file");
}
