// SPDX-License-Identifier: MIT
// What the threads of the hostile process share.
#pragma once

#include "dice.hpp"
#include "disk.hpp"
#include "stress_hostile.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <vector>

namespace vloop::raw {

constexpr std::size_t devices_max = 12;
constexpr std::size_t requests_kept = 128;
constexpr std::size_t pages_kept = 16;

// Descriptors of a kind. Whoever picks one may find it closed, or its number used again: so be it.
class pool {
 public:
  void add(int fd) {
    const std::scoped_lock hold(lock_);
    fds_.push_back(fd);
  }
  int pick(dice& roll) {
    const std::scoped_lock hold(lock_);
    if (fds_.empty()) return -1;
    // Mostly one of the last: the others have seen their end, as a rule.
    const auto among = roll.one_in(4) ? fds_.size() : std::min(fds_.size(), newest);
    return fds_[fds_.size() - 1 - roll.below(among)];
  }
  int take(dice& roll) {
    const std::scoped_lock hold(lock_);
    if (fds_.empty()) return -1;
    std::swap(fds_[roll.below(fds_.size())], fds_.back());
    const int fd = fds_.back();
    fds_.pop_back();
    return fd;
  }
  std::size_t size() {
    const std::scoped_lock hold(lock_);
    return fds_.size();
  }

 private:
  static constexpr std::size_t newest = 6;

  std::mutex lock_;
  std::vector<int> fds_;
};

struct known_request {
  int queue = -1;
  vloop_record record{};
};

// What all threads know.
struct world {
  explicit world(tally& t) : count(t) {}

  tally& count;
  pool controls, devices, queues, files;
  std::array<int, 2> mail{-1, -1};  // descriptors on their way to ourselves

  std::mutex lock;
  std::vector<known_request> requests;
  std::vector<void*> pages;

  // Memory that all threads write to while the kernel reads it: operations, records, arguments.
  alignas(page_bytes) std::array<std::byte, 4 * page_bytes> shared{};
  std::byte* half_there = nullptr;  // a page, and none behind it
};

}  // namespace vloop::raw
