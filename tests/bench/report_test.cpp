// SPDX-License-Identifier: MIT
#include "bench/report.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using namespace vloop::bench;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr std::chrono::milliseconds one_second{1000};

round_figures round_of(std::uint64_t count) {
  return {.count = count, .time = one_second, .process_time = one_second / 2, .daemon_time = {}, .enters = 2 * count};
}

// A base with 100, 110 and 120 requests a second, and another target.
figures compared_with(const std::vector<std::uint64_t>& counts) {
  figures all;
  all.base = 0;
  all.span_bytes = 1 << 20;
  all.targets.resize(2);
  all.targets[0].name = "raw=disk.img";
  all.targets[1].name = "blk=disk.img";
  for (const std::uint64_t count : {100, 110, 120}) all.targets[0].rounds.push_back(round_of(count));
  for (const std::uint64_t count : counts) all.targets[1].rounds.push_back(round_of(count));
  for (auto& target : all.targets) target.latency.add(1000);
  return all;
}

}  // namespace

TEST_CASE("the ratio is taken round by round, not of the medians") {
  const auto ratio = ratio_to_base(compared_with({50, 55, 30}), 1);
  REQUIRE(ratio);
  CHECK(ratio->median == 0.5);
  CHECK(ratio->least == 0.25);
  CHECK(ratio->most == 0.5);
}

TEST_CASE("the base has no ratio, and neither has anybody without one") {
  auto all = compared_with({50, 50, 50});
  CHECK_FALSE(ratio_to_base(all, 0));
  all.base.reset();
  CHECK_FALSE(ratio_to_base(all, 1));
}

TEST_CASE("rounds that only one side finished before a signal are left out of the ratio") {
  const auto ratio = ratio_to_base(compared_with({50}), 1);
  REQUIRE(ratio);
  CHECK(ratio->most == 0.5);
  CHECK_FALSE(ratio_to_base(compared_with({}), 1));
}

TEST_CASE("ranges that overlap are said to, and others are not") {
  CHECK_THAT(report_text(compared_with({118, 130, 140})), ContainsSubstring("ranges overlap"));
  CHECK_THAT(report_json(compared_with({118, 130, 140})), ContainsSubstring("\"ranges_overlap\":true"));
  CHECK_THAT(report_text(compared_with({50, 60, 70})), !ContainsSubstring("ranges overlap"));
  CHECK_THAT(report_json(compared_with({50, 60, 70})), ContainsSubstring("\"ranges_overlap\":false"));
}

TEST_CASE("a target that a signal left without a round has dashes in the table and nulls in the JSON") {
  auto all = compared_with({});
  all.signal = 2;
  all.targets[1].latency = {};
  CHECK_THAT(report_text(all), ContainsSubstring("blk=disk.img") && ContainsSubstring("ended by a signal"));
  CHECK_THAT(report_json(all), ContainsSubstring("\"iops\":null") && ContainsSubstring("\"signal\":2"));
}

TEST_CASE("the time of a daemon stands beside our own where it is known") {
  auto all = compared_with({100, 100, 100});
  CHECK_THAT(report_json(all), !ContainsSubstring("\"daemon_time_ns_per_request\":{"));
  for (auto& round : all.targets[1].rounds) round.daemon_time = one_second / 4;
  CHECK_THAT(report_text(all), ContainsSubstring("5000.0+2500.0"));  // us for each of 100 requests
  CHECK_THAT(report_json(all), ContainsSubstring("\"daemon_time_ns_per_request\":{\"median\":2.5e+06"));
}

TEST_CASE("calls are counted for each request") {
  CHECK_THAT(report_json(compared_with({100, 100, 100})),
             ContainsSubstring("\"enters_per_request\":{\"median\":2,\"least\":2,\"most\":2}"));
}

TEST_CASE("names are quoted for JSON, and a line stays a line in the table") {
  auto all = compared_with({1, 1, 1});
  all.targets[1].name = "blk=a\"b\\c\n.img";
  CHECK_THAT(report_json(all), ContainsSubstring(R"("blk=a\"b\\c\u000a.img")"));
  CHECK_THAT(report_text(all), !ContainsSubstring("\n.img"));
}

TEST_CASE("large numbers have commas") {
  const auto text = report_text(compared_with({1'234'567, 1'234'567, 1'234'567}));
  CHECK_THAT(text, ContainsSubstring("1,234,567") && !ContainsSubstring(",1,234"));
}
