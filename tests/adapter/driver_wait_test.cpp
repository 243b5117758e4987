// SPDX-License-Identifier: MIT
#include "adapter/driver_wait.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace std::chrono_literals;
using vloop::adapter::driver_wait;

namespace {
const driver_wait::time_point start{1h};
}

TEST_CASE("a device without a driver is told of within 4 s") {
  const driver_wait wait;
  CHECK(wait.deadline(start) == start + 4s);
}

TEST_CASE("each driver that comes lets the others wait anew") {
  driver_wait wait;
  wait.driver_came(start + 3s);
  CHECK(wait.deadline(start) == start + 7s);
  wait.driver_came(start + 6s);
  CHECK(wait.deadline(start) == start + 10s);
}

TEST_CASE("drivers that came before a device do not shorten its wait") {
  driver_wait wait;
  wait.driver_came(start - 10s);
  CHECK(wait.deadline(start) == start + 4s);
}

TEST_CASE("no device waits for ever, however many drivers come") {
  driver_wait wait;
  for (auto now = start; now < start + 2min; now += 1s) wait.driver_came(now);
  CHECK(wait.deadline(start) == start + 60s);
}
