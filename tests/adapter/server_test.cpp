// SPDX-License-Identifier: MIT
#include "vloop/vloop.hpp"

#include <catch2/catch_test_macros.hpp>
#include <stdexcept>

using namespace vloop;

TEST_CASE("a server takes what is in range and refuses the rest at once") {
  server serving;
  CHECK_NOTHROW(serving.add(disk{.path = "disk.img"}));
  CHECK_NOTHROW(serving.add(disk{.path = "d", .serial = "12345678901234567890", .queues = 64, .queue_size = 1024}));
  CHECK_NOTHROW(serving.add(entropy{}));
  CHECK_THROWS_AS(serving.add(disk{.path = ""}), std::invalid_argument);
  CHECK_THROWS_AS(serving.add(disk{.path = "d", .serial = "123456789012345678901"}), std::invalid_argument);
  CHECK_THROWS_AS(serving.add(disk{.path = "d", .serial = "a b"}), std::invalid_argument);
  CHECK_THROWS_AS(serving.add(disk{.path = "d", .queues = 0}), std::invalid_argument);
  CHECK_THROWS_AS(serving.add(disk{.path = "d", .queues = 65}), std::invalid_argument);
  CHECK_THROWS_AS(serving.add(disk{.path = "d", .queue_size = 2}), std::invalid_argument);
  CHECK_THROWS_AS(serving.add(disk{.path = "d", .queue_size = 3}), std::invalid_argument);
  CHECK_THROWS_AS(serving.add(disk{.path = "d", .queue_size = 2048}), std::invalid_argument);
  CHECK_THROWS_AS(serving.add(entropy{.source = ""}), std::invalid_argument);
  CHECK_THROWS_AS(serving.add(entropy{.queue_size = 12}), std::invalid_argument);
}

TEST_CASE("a device to be recovered is checked as a new one is") {
  server serving;
  CHECK_NOTHROW(serving.recover(0, disk{.path = "disk.img"}));
  CHECK_NOTHROW(serving.recover(1, entropy{}));
  CHECK_THROWS_AS(serving.recover(0, disk{.path = ""}), std::invalid_argument);
  CHECK_THROWS_AS(serving.recover(0, entropy{.queue_size = 12}), std::invalid_argument);
}

TEST_CASE("a server's times have bounds") {
  using namespace std::chrono_literals;
  CHECK_NOTHROW(server{{.grace = 1ms}});
  CHECK_NOTHROW(server{{.grace = 1h}});
  CHECK_THROWS_AS(server{{.grace = 0ms}}, std::invalid_argument);
  CHECK_THROWS_AS(server{{.grace = 3'600'001ms}}, std::invalid_argument);
  CHECK_NOTHROW(server{{.take_over_timeout = 60s}});
  CHECK_THROWS_AS(server{{.take_over_timeout = 61s}}, std::invalid_argument);
  CHECK_THROWS_AS(server{{.take_over_timeout = -1ms}}, std::invalid_argument);
}

TEST_CASE("a server with nothing to serve says so") {
  server serving;
  CHECK_THROWS_AS(serving.run(), std::invalid_argument);
}

TEST_CASE("stop before run, and more than once, is allowed") {
  server serving;
  serving.stop();
  serving.stop();
}
