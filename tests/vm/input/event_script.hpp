// SPDX-License-Identifier: MIT
// Reports made up by a seeded generator. Every event changes something, since the kernel drops those that don't.
#pragma once

#include <linux/input.h>

#include <cstdint>
#include <random>
#include <set>
#include <utility>
#include <vector>

struct event {
  std::uint16_t type = 0;
  std::uint16_t code = 0;
  std::int32_t value = 0;
  bool operator==(const event&) const = default;
};

class event_script {
 public:
  explicit event_script(std::uint64_t seed) : random_(seed) {}

  // Of the "mixed" device; ends in SYN_REPORT.
  std::vector<event> next_report();

 private:
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
  event any_event();

  std::mt19937_64 random_;
  std::set<std::uint16_t> down_;
  std::int32_t x_ = 0;
  std::int32_t y_ = 0;
  bool lid_ = false;
};
