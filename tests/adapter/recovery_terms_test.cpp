// SPDX-License-Identifier: MIT
#include "adapter/recovery_terms.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "adapter/device_text.hpp"

using namespace vloop;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

constexpr auto none = std::nullopt;

void refused(bool recoverable, const std::optional<std::string>& on_exit, const std::optional<std::string>& grace,
             const std::string& why) {
  REQUIRE_THROWS_MATCHES(parse_recovery_terms(recoverable, on_exit, grace), usage_error,
                         MessageMatches(ContainsSubstring(why)));
}

void no_time(std::string_view text, const std::string& why) {
  INFO(text);
  REQUIRE_THROWS_MATCHES(parse_duration("--wait", text, 60s), usage_error, MessageMatches(ContainsSubstring(why)));
}

}  // namespace

TEST_CASE("a device is recoverable when it is said to be, or by its policy") {
  CHECK_FALSE(parse_recovery_terms(false, none, none).recoverable());
  CHECK_FALSE(parse_recovery_terms(false, "fail", none).recoverable());
  CHECK(parse_recovery_terms(true, none, none).on_exit == exit_policy::reissue);
  CHECK(parse_recovery_terms(true, "queue", none).on_exit == exit_policy::queue);
  CHECK(parse_recovery_terms(false, "queue", none).on_exit == exit_policy::queue);
  CHECK(parse_recovery_terms(false, "reissue", none).on_exit == exit_policy::reissue);
  CHECK(parse_recovery_terms(false, "fail-fast", none).on_exit == exit_policy::fail_fast);
}

TEST_CASE("the grace period is 30 s unless it is said") {
  CHECK(parse_recovery_terms(true, none, none).grace == 30s);
  CHECK(parse_recovery_terms(true, none, "50s").grace == 50s);
  CHECK(parse_recovery_terms(false, "queue", "1m").grace == 60s);
  CHECK(parse_recovery_terms(true, none, "3600").grace == 1h);
}

TEST_CASE("terms that contradict each other are refused") {
  refused(true, "fail", none, "contradict");
  refused(false, none, "10s", "add --recoverable");
  refused(false, "fail", "10s", "add --recoverable");
  refused(false, "fail-fast", "10s", "no meaning");
  refused(false, "maybe", none, "'maybe' is unknown; give fail, queue, reissue or fail-fast");
  refused(true, none, "0", "out of range; give 1ms to 3600s");
  refused(true, none, "61m", "out of range");
}

TEST_CASE("a time has a unit, seconds if it says none") {
  CHECK(parse_duration("--wait", "1ms", 60s) == 1ms);
  CHECK(parse_duration("--wait", "10s", 60s) == 10s);
  CHECK(parse_duration("--wait", "10", 60s) == 10s);
  CHECK(parse_duration("--wait", "1m", 60s) == 60s);
  no_time("", "is no time; write 500ms, 10s or 2m");
  no_time("s", "is no time");
  no_time("-1s", "is no time");
  no_time("1.5s", "is no time");
  no_time("1 s", "is no time");
  no_time("1h", "is no time");
  no_time("10sec", "is no time");
  no_time("0s", "--wait '0s' is out of range; give 1ms to 60s");
  no_time("61s", "out of range");
  no_time("2m", "out of range");
  no_time("4294967295m", "out of range");
  no_time("99999999999s", "out of range");
}

TEST_CASE("a device is named by its number, with or without its prefix") {
  CHECK(parse_device_id("0") == 0);
  CHECK(parse_device_id("vloop0") == 0);
  CHECK(parse_device_id("vloop17") == 17);
  for (const auto* text : {"", "vloop", "vloop-1", "-1", "+1", "/dev/vda", "0x1", "1 ", "vloopvloop1", "99999999999"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_device_id(text), usage_error);
  }
}
