// SPDX-License-Identifier: MIT
// The only memory that a daemon gets: one memfd with each queue's ring, the heads of its requests and its buffers. It
// is sealed, so that nobody can shrink it under us. Everything in it may change at any time; nothing that we rely on is
// kept there.
//
//   queue 0: ring | heads | buffers      queue 1: ring | heads | buffers      ...
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "devices/owned_fd.hpp"
#include "vhost_user/message.hpp"
#include "vring/split_ring.hpp"

namespace vloop::vhost_user {

// A head holds what stands apart from a request's data: its header, and the status byte.
constexpr std::uint32_t head_bytes = 64;

struct queue_memory {
  split_ring ring;
  std::uint64_t ring_offset = 0;  // all offsets: in the memfd
  std::uint64_t heads_offset = 0;
  std::uint64_t buffers_offset = 0;
  std::uint32_t buffer_bytes = 0;
};

class shared_memory {
 public:
  // Throws setup_error. The memory is there from now on: no request waits for it.
  shared_memory(std::uint16_t queues, std::uint16_t queue_size, std::uint32_t buffer_bytes);
  ~shared_memory();
  shared_memory(const shared_memory&) = delete;
  shared_memory& operator=(const shared_memory&) = delete;

  int fd() const { return fd_.get(); }
  const queue_memory& queue(std::size_t index) const { return queues_[index]; }

  std::span<std::byte> at(std::uint64_t offset, std::size_t bytes) const { return {base_ + offset, bytes}; }
  // How the daemon knows it, in descriptors as well as in SET_VRING_ADDR.
  static std::uint64_t address_of(std::uint64_t offset) { return first_address + offset; }
  memory_region region() const {
    return {.guest_address = first_address, .size = bytes_, .user_address = first_address, .mmap_offset = 0};
  }

 private:
  static constexpr std::uint64_t first_address = std::uint64_t{1} << 32;

  owned_fd fd_;
  std::size_t bytes_ = 0;
  std::byte* base_ = nullptr;
  std::vector<queue_memory> queues_;
};

}  // namespace vloop::vhost_user
