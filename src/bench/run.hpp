// SPDX-License-Identifier: MIT
// A whole benchmark: every target in every round, one after the other, so that what disturbs the machine disturbs all.
// What a target is compared with is measured in the same rounds.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/histogram.hpp"
#include "bench/options.hpp"

namespace vloop::bench {

struct round_figures {
  std::uint64_t count = 0;
  std::chrono::nanoseconds time{0};
  std::chrono::nanoseconds process_time{0};               // this process's, user and system, all threads
  std::optional<std::chrono::nanoseconds> daemon_time{};  // of the process behind a socket, where it is known
  std::uint64_t enters = 0;                               // io_uring_enter calls of this process

  double per_second() const { return static_cast<double>(count) / std::chrono::duration<double>(time).count(); }
};

struct target_figures {
  std::string name;
  std::vector<round_figures> rounds;
  histogram latency;           // of all rounds, nanoseconds
  std::uint64_t verified = 0;  // blocks that were compared
};

struct figures {
  options asked;
  std::uint64_t span_bytes = 0;         // what the accesses are spread over
  std::optional<std::size_t> base{};    // of targets: what the others are compared with
  std::vector<target_figures> targets;  // rounds of equal index are of the same round
  int signal = 0;                       // that ended it early, or 0
};

// "round 2 of 5: raw=disk.img", before each measurement.
using progress_function = std::function<void(const std::string&)>;

// Throws std::system_error, or usage_error for what turns out to be impossible.
figures run(const options& all, const progress_function& progress);

}  // namespace vloop::bench
