// SPDX-License-Identifier: MIT
#include "vhost_user/page_pool.hpp"

#include <catch2/catch_test_macros.hpp>

namespace vloop::vhost_user {
namespace {

TEST_CASE("runs of pages do not overlap, and come back") {
  page_pool pool(8);
  CHECK(pool.take(3) == 0);
  CHECK(pool.take(3) == 3);
  CHECK_FALSE(pool.take(3));
  CHECK(pool.take(2) == 6);
  CHECK_FALSE(pool.take(1));
  pool.give_back(3, 3);
  CHECK(pool.take(2) == 3);
  CHECK(pool.take(1) == 5);
}

TEST_CASE("a run must be in one piece") {
  page_pool pool(6);
  CHECK(pool.take(2) == 0);
  CHECK(pool.take(2) == 2);
  CHECK(pool.take(2) == 4);
  pool.give_back(0, 2);
  pool.give_back(4, 2);
  CHECK_FALSE(pool.take(3));
  pool.give_back(2, 2);
  CHECK(pool.take(6) == 0);
}

TEST_CASE("no more than there is is ever given") {
  page_pool pool(4);
  CHECK_FALSE(pool.take(5));
  CHECK(pool.take(4) == 0);
}

}  // namespace
}  // namespace vloop::vhost_user
