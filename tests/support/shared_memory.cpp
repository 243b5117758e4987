// SPDX-License-Identifier: MIT
#include "support/shared_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>

namespace vloop::test {

shared_memory::shared_memory(std::size_t bytes) {
  fd_ = ::memfd_create("vloop test", MFD_CLOEXEC);
  if (fd_ < 0 || ::ftruncate(fd_, static_cast<off_t>(bytes)) != 0)
    throw std::system_error(errno, std::generic_category(), "memfd");
  void* const p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (p == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  all_ = {static_cast<std::byte*>(p), bytes};
  map_.add({.address = first_address, .memory = all_});
}

shared_memory::~shared_memory() {
  ::munmap(all_.data(), all_.size());
  ::close(fd_);
}

std::span<std::byte> shared_memory::allocate(std::size_t bytes, std::size_t alignment) {
  const std::size_t begin = (used_ + alignment - 1) / alignment * alignment;
  if (begin + bytes > all_.size()) throw std::bad_alloc();
  used_ = begin + bytes;
  return all_.subspan(begin, bytes);
}

std::uint64_t shared_memory::address_of(const void* here) const {
  return first_address + static_cast<std::uint64_t>(static_cast<const std::byte*>(here) - all_.data());
}

}  // namespace vloop::test
