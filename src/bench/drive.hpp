// SPDX-License-Identifier: MIT
// Keeps a target busy: every slot has a request under way until the limit, then what is left comes in.
//
// Time is read twice in a turn, not twice for each request: before what was prepared is handed over, and after
// something has ended. A latency is from the one to the other.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "bench/histogram.hpp"
#include "bench/interruption.hpp"
#include "bench/target.hpp"

namespace vloop::bench {

// What to ask for, and what to do with what came.
class work {
 public:
  virtual ~work() = default;
  virtual std::optional<access> next() = 0;  // nullopt: nothing more
  virtual void fill(const access&, std::span<std::byte>) {}
  virtual void look_at(const access&, std::span<const std::byte>) {}  // throws where it is wrong
};

struct drive_limit {
  std::optional<std::chrono::nanoseconds> time{};
  std::optional<std::uint64_t> count{};
};

struct drive_result {
  std::uint64_t count = 0;
  std::chrono::nanoseconds time{0};  // from the first one's begin to the last one's end
  histogram latency;                 // nanoseconds
};

// Ends at the limit, when there is no more work, or when a signal came. Throws std::system_error for the first request
// that fails, and where nothing ends for answer_max.
constexpr std::chrono::seconds answer_max{10};
drive_result drive(target& on, const std::string& name, const load_shape& load, work& what, const drive_limit& limit,
                   const interruption& stop);

}  // namespace vloop::bench
