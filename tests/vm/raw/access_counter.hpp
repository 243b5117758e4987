// SPDX-License-Identifier: MIT
// How often words of our memory are read or written while something runs, by whomever: the processor watches them. A
// kernel that reads twice what we may change in between is found out without a race.
#pragma once

#include "devices/owned_fd.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace vloop::raw {

class access_counter {
 public:
  // The aligned word of eight bytes at that address.
  explicit access_counter(std::uint64_t address);

  void start() const;
  // Since start().
  long stop() const;

 private:
  owned_fd fd_;
};

// How often the words of the bytes were accessed while `run` ran, one number for each. `run` is called once for each:
// of neighbours that are watched together, QEMU 10 misses the third in a copy.
std::vector<long> accesses(std::span<const std::byte> bytes, const std::function<void()>& run);

}  // namespace vloop::raw
