// SPDX-License-Identifier: MIT
// The hostile process of the stress test: threads that call the module in every way and order, as the dice fall.
#pragma once

#include <atomic>
#include <cstdint>

namespace vloop::raw {

// In memory that is shared with the process that watches.
struct tally {
  std::atomic<std::uint64_t> calls = 0;    // of the module, by the hostile process
  std::atomic<std::uint64_t> taken = 0;    // those that did not fail
  std::atomic<std::uint64_t> made = 0;     // devices
  std::atomic<std::uint64_t> fetched = 0;  // requests
  std::atomic<std::uint64_t> answered = 0;
  std::atomic<std::uint64_t> transfers = 0;  // of users, that succeeded
  std::atomic<std::uint64_t> errors = 0;     // of users
};

// Never returns: it is killed, or ends by itself when the dice say so.
[[noreturn]] void be_hostile(std::uint64_t seed, tally& count);

}  // namespace vloop::raw
