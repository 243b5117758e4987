// SPDX-License-Identifier: MIT
// How long a loop looks at its probes before it sleeps: grows while looking pays, shrinks while it does not.
//
// "Pays" is judged in hindsight, as the kernel's halt polling does: what woke the loop came within `limit` of the
// moment it became idle, so a spin of at most that length would have caught it.
#pragma once

#include <algorithm>
#include <chrono>

namespace vloop {

class idle_spin {
 public:
  using duration = std::chrono::nanoseconds;

  /// Never spins longer than `limit`; 0: never spins.
  explicit idle_spin(duration limit) noexcept : limit_(limit), budget_(limit) {}

  [[nodiscard]] bool on() const noexcept { return limit_ > duration::zero(); }
  [[nodiscard]] duration limit() const noexcept { return limit_; }
  [[nodiscard]] duration budget() const noexcept { return budget_; }

  /// Something came `idle` after the loop became idle, whether it was still spinning or asleep by then.
  void woken_after(duration idle) noexcept {
    if (idle <= limit_) {
      budget_ = std::min(limit_, std::max(budget_ * 2, limit_ / smallest_step));
    } else {
      budget_ /= 2;
      if (budget_ < limit_ / smallest_step) budget_ = duration::zero();
    }
  }

 private:
  static constexpr int smallest_step = 16;
  duration limit_;
  duration budget_;
};

}  // namespace vloop
