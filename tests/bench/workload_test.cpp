// SPDX-License-Identifier: MIT
#include "bench/workload.hpp"

#include <catch2/catch_test_macros.hpp>
#include <vector>

using namespace vloop::bench;

namespace {

constexpr std::uint32_t block = 4096;

std::vector<std::uint64_t> blocks_of(pattern what, std::uint64_t blocks, std::uint64_t seed, std::size_t count) {
  access_sequence order(what, blocks, block, seed);
  std::vector<std::uint64_t> out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto one = order.next();
    CHECK(one.offset % block == 0);
    out.push_back(one.offset / block);
  }
  return out;
}

}  // namespace

TEST_CASE("sequential accesses go through every block in order and begin again") {
  CHECK(blocks_of(pattern::read, 3, 1, 7) == std::vector<std::uint64_t>{0, 1, 2, 0, 1, 2, 0});
  CHECK(blocks_of(pattern::write, 1, 1, 3) == std::vector<std::uint64_t>{0, 0, 0});
}

TEST_CASE("random accesses reach every block, none outside, each about as often") {
  constexpr std::uint64_t blocks = 100;
  std::vector<unsigned> hits(blocks);
  for (const auto at : blocks_of(pattern::randread, blocks, 1, 100'000)) {
    REQUIRE(at < blocks);
    ++hits[at];
  }
  for (const unsigned count : hits) {  // 1000 expected, a standard deviation is 31
    CHECK(count > 800);
    CHECK(count < 1200);
  }
}

TEST_CASE("random accesses to a device of one block stay there") {
  for (const auto at : blocks_of(pattern::randwrite, 1, 5, 100)) CHECK(at == 0);
}

TEST_CASE("random accesses reach both ends of a device of 16 EiB") {
  const std::uint64_t blocks = UINT64_MAX / 512;
  access_sequence order(pattern::randread, blocks, 512, 3);
  bool low = false, high = false;
  for (int i = 0; i < 1000; ++i) {
    const auto at = order.next().offset / 512;
    REQUIRE(at < blocks);
    low |= at < blocks / 10;
    high |= at > blocks / 10 * 9;
  }
  CHECK(low);
  CHECK(high);
}

TEST_CASE("the same seed gives the same accesses, another seed others") {
  const auto first = blocks_of(pattern::randread, 1000, 42, 100);
  CHECK(blocks_of(pattern::randread, 1000, 42, 100) == first);
  CHECK(blocks_of(pattern::randread, 1000, 43, 100) != first);
}

TEST_CASE("patterns that read never write, patterns that write always do, and mixed reads seven times in ten") {
  const auto writes_of = [](pattern what) {
    access_sequence order(what, 100, block, 1);
    unsigned count = 0;
    for (int i = 0; i < 10'000; ++i) count += order.next().write;
    return count;
  };
  CHECK(writes_of(pattern::read) == 0);
  CHECK(writes_of(pattern::randread) == 0);
  CHECK(writes_of(pattern::write) == 10'000);
  CHECK(writes_of(pattern::randwrite) == 10'000);
  CHECK(writes_of(pattern::mixed) > 2800);
  CHECK(writes_of(pattern::mixed) < 3200);
}

TEST_CASE("each pattern is found by its name, and nothing else is") {
  for (const auto what : {pattern::read, pattern::write, pattern::randread, pattern::randwrite, pattern::mixed})
    CHECK(pattern_named(to_string(what)) == what);
  CHECK_FALSE(pattern_named("rand"));
  CHECK_FALSE(pattern_named(""));
}
