// SPDX-License-Identifier: MIT
// Memory that a driver shares with a device: a memfd, mapped once, handed out piece by piece. The driver names it by
// addresses that begin far from zero, so that a pointer taken for an address is noticed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "vring/memory_map.hpp"

namespace vloop::test {

class shared_memory {
 public:
  static constexpr std::uint64_t first_address = 0x1'0000'0000;

  explicit shared_memory(std::size_t bytes);
  ~shared_memory();
  shared_memory(const shared_memory&) = delete;
  shared_memory& operator=(const shared_memory&) = delete;

  // A piece that nobody else has, zeroed. Never freed before all of it is.
  std::span<std::byte> allocate(std::size_t bytes, std::size_t alignment);

  std::uint64_t address_of(const void* here) const;
  const memory_map& map() const { return map_; }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  std::span<std::byte> all_;
  std::size_t used_ = 0;
  memory_map map_;
};

}  // namespace vloop::test
