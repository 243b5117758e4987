// SPDX-License-Identifier: MIT
// What an input device counts, since it was made. Written by the workers of its queues, read by anybody.
#pragma once

#include <atomic>
#include <cstdint>

namespace vloop {

struct input_counters {
  using counter = std::atomic<std::uint64_t>;

  counter reports{0};      // told to the driver, whole
  counter entries{0};      // in these
  counter dropped{0};      // reports that the driver had no buffers for, or that a reset caught on their way
  counter overruns{0};     // times that the source itself lost some, nobody knows how many
  counter catch_ups{0};    // reports made up here, so that the driver's state is the source's again
  counter bad_buffers{0};  // buffers too small for an event, given back empty
  counter lights{0};       // status events passed on to the source: LEDs, sounds
  counter ignored{0};      // status events that are neither

  static void count(counter& c, std::uint64_t n = 1) { c.fetch_add(n, std::memory_order_relaxed); }
};

}  // namespace vloop
