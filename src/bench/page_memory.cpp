// SPDX-License-Identifier: MIT
#include "bench/page_memory.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <string>

#include "runtime/setup_error.hpp"

namespace vloop::bench {
namespace {

constexpr std::size_t alignment = 4096;  // of direct I/O on every disk

}  // namespace

page_memory::page_memory(std::uint32_t count, std::uint32_t bytes)
    : stride_((bytes + alignment - 1) / alignment * alignment), bytes_(count * stride_) {
  void* const memory =
      ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED)
    throw setup_error(errno, "cannot have " + std::to_string(bytes_ >> 20) + " MiB of buffers",
                      "a smaller --block, --depth or --queues needs less");
  base_ = static_cast<std::byte*>(memory);
}

page_memory::~page_memory() {
  ::munmap(base_, bytes_);
}

}  // namespace vloop::bench
