// SPDX-License-Identifier: MIT
#include "bench/histogram.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <vector>

#include "bench/workload.hpp"

using vloop::bench::histogram;
using vloop::bench::random_numbers;

namespace {

std::uint64_t exact(std::vector<std::uint64_t> values, double percent) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(values.size())));
  return values[std::max<std::size_t>(rank, 1) - 1];
}

// Never less than the exact one, and at most a 64th more.
void agrees(const std::vector<std::uint64_t>& values, double percent) {
  histogram counted;
  for (const auto value : values) counted.add(value);
  const std::uint64_t right = exact(values, percent);
  INFO(percent << " %: " << counted.percentile(percent) << ", exactly " << right);
  CHECK(counted.percentile(percent) >= right);
  CHECK(counted.percentile(percent) <= right + right / 64);
}

}  // namespace

TEST_CASE("an empty histogram has zero everywhere") {
  const histogram none;
  CHECK(none.count() == 0);
  CHECK(none.max() == 0);
  CHECK(none.percentile(50) == 0);
  CHECK(none.percentile(100) == 0);
}

TEST_CASE("one value is every percentile, exactly") {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{127}, std::uint64_t{128},
                                    std::uint64_t{123'456'789}, UINT64_MAX}) {
    histogram one;
    one.add(value);
    CHECK(one.max() == value);
    CHECK(one.percentile(0.1) == value);
    CHECK(one.percentile(50) == value);
    CHECK(one.percentile(100) == value);
  }
}

TEST_CASE("values below 128 are counted one by one") {
  histogram counted;
  for (std::uint64_t value = 0; value < 128; ++value) counted.add(value);
  for (std::uint64_t value = 1; value <= 128; ++value)
    CHECK(counted.percentile(100.0 * static_cast<double>(value) / 128) == value - 1);
}

TEST_CASE("percentiles of evenly spread values agree with the exact ones within a 64th") {
  random_numbers random(7);
  std::vector<std::uint64_t> values(100'000);
  for (auto& value : values) value = random.below(50'000'000);
  for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) agrees(values, percent);
}

TEST_CASE("percentiles of latencies over eight decades agree with the exact ones within a 64th") {
  random_numbers random(8);
  std::vector<std::uint64_t> values(100'000);
  for (auto& value : values) value = std::uint64_t{1} << random.below(40);
  for (auto& value : values) value += random.below(value);
  for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) agrees(values, percent);
}

TEST_CASE("the tail of a few slow requests among many fast ones is seen from its percentile on") {
  histogram counted;
  for (int i = 0; i < 9980; ++i) counted.add(100);
  for (int i = 0; i < 20; ++i) counted.add(1'000'000);
  CHECK(counted.percentile(99) == 100);
  CHECK(counted.percentile(99.8) == 100);
  CHECK(counted.percentile(99.9) == 1'000'000);
  CHECK(counted.max() == 1'000'000);
}

TEST_CASE("two histograms added are the histogram of all their values") {
  random_numbers random(9);
  histogram all, first, second;
  for (int i = 0; i < 10'000; ++i) {
    const auto value = random.below(1'000'000'000);
    all.add(value);
    (i % 3 == 0 ? first : second).add(value);
  }
  first.add(second);
  CHECK(first.count() == all.count());
  CHECK(first.max() == all.max());
  for (const double percent : {10.0, 50.0, 99.0, 99.9}) CHECK(first.percentile(percent) == all.percentile(percent));
}
