// SPDX-License-Identifier: MIT
// Which pages of a queue's buffer memory are in use: runs of them, the lowest that fits. Allocates nothing after it was
// made, and keeps its books where the daemon cannot reach them.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace vloop::vhost_user {

class page_pool {
 public:
  static constexpr std::uint32_t page_bytes = 4096;

  explicit page_pool(std::uint32_t pages) : used_(pages, false) {}

  static std::uint32_t pages_for(std::uint64_t bytes) {
    return static_cast<std::uint32_t>((bytes + page_bytes - 1) / page_bytes);
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(used_.size()); }

  // The first page of `count` free ones in a row; nullopt: there is no such run now. `count` is not 0.
  std::optional<std::uint32_t> take(std::uint32_t count) {
    std::uint32_t run = 0;
    for (std::uint32_t page = lowest_free_; page < size(); ++page) {
      run = used_[page] ? 0 : run + 1;
      if (run < count) continue;
      const std::uint32_t first = page + 1 - count;
      for (std::uint32_t i = first; i <= page; ++i) used_[i] = true;
      if (first == lowest_free_) lowest_free_ = page + 1;
      return first;
    }
    return std::nullopt;
  }

  void give_back(std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t i = first; i < first + count; ++i) {
      assert(used_[i]);
      used_[i] = false;
    }
    if (first < lowest_free_) lowest_free_ = first;
  }

 private:
  std::vector<bool> used_;
  std::uint32_t lowest_free_ = 0;  // no page below it is free
};

}  // namespace vloop::vhost_user
