// SPDX-License-Identifier: MIT
//
// How long the devices of a process wait for their drivers. The kernel binds one after the other, which takes its time
// with many devices: as long as it goes on, those whose turn has not come are not late.
#pragma once

#include <algorithm>
#include <chrono>

namespace vloop::adapter {

class driver_wait {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::seconds for_one{4};   // then the user is told, within the 5 s that we promise
  static constexpr std::chrono::seconds for_all{60};  // however many drivers come meanwhile

  void driver_came(time_point now) { last_ = std::max(last_, now); }

  // Of a device that has waited since then.
  time_point deadline(time_point since) const { return std::min(std::max(since, last_) + for_one, since + for_all); }

 private:
  time_point last_{};
};

}  // namespace vloop::adapter
