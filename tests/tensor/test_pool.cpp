// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <tpx/tensor/pool.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>
#include <vector>

namespace {

/// The heap, counted.
struct Heap {
  static inline std::int64_t alive = 0;
  static inline std::int64_t asked = 0;  ///< bytes of the last allocation
  static inline bool full = false;
  static void* allocate(std::int64_t bytes) {
    if (full) throw tpx::Error("the heap is full");
    ++alive;
    asked = bytes;
    return std::malloc(static_cast<std::size_t>(bytes));
  }
  static void deallocate(void* data) {
    --alive;
    std::free(data);
  }
};

using Pool = tpx::Pool<Heap>;

}  // namespace

TEST_CASE("sizes are rounded up to a quarter of a power of two") {
  Pool pool;
  for (std::int64_t bytes = 0; bytes < 100'000; bytes += bytes < 3000 ? 1 : 97) {
    CAPTURE(bytes);
    const std::int64_t before = pool.in_use();
    const tpx::Buffer b = pool.allocate(bytes);
    const std::int64_t capacity = pool.in_use() - before;
    CHECK(b.bytes() == bytes);
    REQUIRE(capacity >= bytes);
    REQUIRE(capacity >= 256);
    REQUIRE((capacity == 256 || 4 * capacity <= 5 * bytes + 4));  // at most a quarter more
  }
  CHECK(pool.in_use() == 0);
}

TEST_CASE("memory that came back is given out again, to the same size class") {
  Pool pool;
  void* first = nullptr;
  {
    const tpx::Buffer a = pool.allocate(1000);  // the class of 897 to 1024
    first = a.as<void>();
    CHECK(Heap::asked == 1024);
  }
  for (const std::int64_t bytes : {897, 1000, 1024}) {
    const tpx::Buffer again = pool.allocate(bytes);
    CHECK(again.as<void>() == first);
  }
  CHECK(pool.allocations() == 1);
  CHECK(pool.allocate(896).as<void>() != first);
  CHECK(pool.allocate(1025).as<void>() != first);
  CHECK(pool.allocations() == 3);
  for (int step = 0; step < 10; ++step) {
    std::vector<tpx::Buffer> held;
    for (std::int64_t i = 1; i <= 50; ++i) held.push_back(pool.allocate(i * 777));
    if (step == 0) continue;
    static std::int64_t steady = 0;
    if (step == 1) steady = pool.allocations();
    CHECK(pool.allocations() == steady);
  }
}

TEST_CASE("a buffer is shared, and its last holder gives it back") {
  Pool pool;
  tpx::Buffer a = pool.allocate(300);
  CHECK(a.unique());
  {
    const tpx::Buffer b = a;
    CHECK_FALSE(a.unique());
    CHECK(b.as<int>() == a.as<int>());
    tpx::Buffer c;
    CHECK_FALSE(static_cast<bool>(c));
    CHECK(c.as<int>() == nullptr);
    c = b;
    const tpx::Buffer d = std::move(c);
    CHECK_FALSE(static_cast<bool>(c));
    CHECK(d.as<int>() == a.as<int>());
  }
  CHECK(a.unique());
  CHECK(pool.in_use() == 320);
  a = pool.allocate(100);
  CHECK(pool.in_use() == 256);
  a.reset();
  CHECK(pool.in_use() == 0);
  CHECK(pool.peak() == 320 + 256);
  pool.reset_peak();
  CHECK(pool.peak() == 0);
}

TEST_CASE("borrowed memory keeps its lender alive, and is nobody's to free") {
  auto lender = std::make_shared<std::vector<int>>(10);
  const std::weak_ptr<std::vector<int>> seen = lender;
  tpx::Buffer b = tpx::Buffer::borrow(lender->data(), 40, lender);
  int* const data = lender->data();
  lender.reset();
  CHECK(b.as<int>() == data);
  CHECK_FALSE(seen.expired());
  tpx::Buffer copy = b;
  b.reset();
  CHECK_FALSE(seen.expired());
  copy.reset();
  CHECK(seen.expired());
}

TEST_CASE("the limit refuses what would exceed it, and nothing is lost by that") {
  Pool pool;
  pool.set_limit(1024);
  const tpx::Buffer a = pool.allocate(512);
  CHECK_THROWS_WITH_AS(
      pool.allocate(600),
      doctest::Contains("512 bytes are in use and 600 more are needed, which exceeds the limit of 1024"),
      tpx::Error);
  CHECK(pool.in_use() == 512);
  const tpx::Buffer b = pool.allocate(512);
  CHECK(pool.in_use() == 1024);
  pool.set_limit(0);
  CHECK_NOTHROW(pool.allocate(1 << 20));
}

TEST_CASE("a system without memory is an error, and the pool goes on") {
  const std::int64_t alive = Heap::alive;
  {
    Pool pool;
    Heap::full = true;
    CHECK_THROWS_AS(pool.allocate(10), tpx::Error);
    Heap::full = false;
    CHECK(pool.in_use() == 0);
    CHECK(pool.allocations() == 0);
    CHECK_NOTHROW(pool.allocate(10));
    CHECK(Heap::alive == alive + 1);
  }
  CHECK(Heap::alive == alive);  // the pool has freed everything
}

TEST_CASE("buffers may outlive their pool, and give their memory back to the system") {
  Heap::alive = 0;
  tpx::Buffer kept;
  {
    Pool pool;
    kept = pool.allocate(1000);
    pool.allocate(5000);
    CHECK(Heap::alive == 2);
  }
  CHECK(Heap::alive == 1);
  static_cast<char*>(kept.as<void>())[999] = 1;
  tpx::Buffer another = kept;
  kept.reset();
  CHECK(Heap::alive == 1);
  another.reset();
  CHECK(Heap::alive == 0);
}

TEST_CASE("memory comes from a source while it has some, and goes back to it") {
  const std::int64_t before = Heap::alive;
  int lent = 0;
  tpx::Buffer kept;
  {
    Pool pool;
    pool.draw_from([&](std::int64_t bytes) {
      if (lent == 1) return std::shared_ptr<void>();
      ++lent;
      return std::shared_ptr<void>(std::malloc(static_cast<std::size_t>(bytes)), [&](void* data) {
        --lent;
        std::free(data);
      });
    });
    kept = pool.allocate(1000);
    CHECK(lent == 1);
    CHECK(Heap::alive == before);
    const tpx::Buffer more = pool.allocate(1000);
    CHECK(Heap::alive == before + 1);
    const tpx::Buffer other = pool.allocate(5000);
    CHECK(Heap::alive == before + 2);
    CHECK(pool.fallbacks() == 2);
  }
  CHECK(Heap::alive == before);
  CHECK(lent == 1);  // the buffer outlives the pool
  kept.reset();
  CHECK(lent == 0);
}
