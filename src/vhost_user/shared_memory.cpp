// SPDX-License-Identifier: MIT
#include "vhost_user/shared_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/setup_error.hpp"

namespace vloop::vhost_user {
namespace {

constexpr std::uint64_t alignment = 65536;  // of each part: a page on every machine

std::uint64_t rounded_up(std::uint64_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

[[noreturn]] void refuse(std::size_t bytes) {
  throw setup_error(errno, "cannot have " + std::to_string(bytes >> 20) + " MiB to share with a device",
                    "fewer queues need less");
}

}  // namespace

shared_memory::shared_memory(std::uint16_t queues, std::uint16_t queue_size, std::uint32_t buffer_bytes) {
  for (std::uint16_t i = 0; i < queues; ++i) {
    queue_memory q;
    q.ring_offset = bytes_;
    q.heads_offset = q.ring_offset + rounded_up(split_ring::bytes(queue_size));
    q.buffers_offset = q.heads_offset + rounded_up(std::uint64_t{head_bytes} * queue_size);
    q.buffer_bytes = buffer_bytes;
    bytes_ = q.buffers_offset + rounded_up(buffer_bytes);
    queues_.push_back(q);
  }
  fd_ = owned_fd(::memfd_create("vloop-vhost-user", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd_ || ::ftruncate(fd_.get(), static_cast<off_t>(bytes_)) != 0 ||
      ::fallocate(fd_.get(), 0, 0, static_cast<off_t>(bytes_)) != 0 ||
      ::fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    refuse(bytes_);
  void* const memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  if (memory == MAP_FAILED) refuse(bytes_);
  base_ = static_cast<std::byte*>(memory);
  for (auto& q : queues_) q.ring = split_ring::at(base_ + q.ring_offset, queue_size);
}

shared_memory::~shared_memory() {
  ::munmap(base_, bytes_);
}

}  // namespace vloop::vhost_user
