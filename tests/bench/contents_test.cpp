// SPDX-License-Identifier: MIT
#include "bench/contents.hpp"

#include <catch2/catch_test_macros.hpp>
#include <vector>

using namespace vloop::bench;

TEST_CASE("a block is itself at its place, and at no other, nor of another round") {
  std::vector<std::byte> block(4096);
  fill_block(block, 8192, 5);
  CHECK(is_block(block, 8192, 5));
  CHECK_FALSE(is_block(block, 4096, 5));
  CHECK_FALSE(is_block(block, 8192, 6));
}

TEST_CASE("one wrong bit makes it another block") {
  std::vector<std::byte> block(512);
  for (const std::size_t at : {std::size_t{0}, std::size_t{100}, std::size_t{511}}) {
    fill_block(block, 0, 1);
    block[at] ^= std::byte{0x10};
    CHECK_FALSE(is_block(block, 0, 1));
  }
}
