// SPDX-License-Identifier: MIT
#include "bench/spread.hpp"

#include <catch2/catch_test_macros.hpp>

using vloop::bench::spread_of;

TEST_CASE("the median is in the middle whatever the order, and between the two in the middle of an even number") {
  CHECK(spread_of({3, 1, 2}).median == 2);
  CHECK(spread_of({4, 1, 3, 2}).median == 2.5);
  CHECK(spread_of({7}).median == 7);
  CHECK(spread_of({3, 1, 2}).least == 1);
  CHECK(spread_of({3, 1, 2}).most == 3);
}

TEST_CASE("ranges overlap where they share a value, either way round") {
  CHECK(spread_of({1, 3}).overlaps(spread_of({2, 4})));
  CHECK(spread_of({2, 4}).overlaps(spread_of({1, 3})));
  CHECK(spread_of({1, 9}).overlaps(spread_of({4, 5})));
  CHECK(spread_of({1, 2}).overlaps(spread_of({2, 3})));
  CHECK_FALSE(spread_of({1, 2}).overlaps(spread_of({3, 4})));
  CHECK_FALSE(spread_of({3, 4}).overlaps(spread_of({1, 2})));
}
