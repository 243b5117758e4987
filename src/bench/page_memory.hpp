// SPDX-License-Identifier: MIT
// Buffers that direct I/O can use: whole pages, there before the first request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace vloop::bench {

class page_memory {
 public:
  // `count` buffers of `bytes` each. Throws setup_error.
  page_memory(std::uint32_t count, std::uint32_t bytes);
  ~page_memory();
  page_memory(const page_memory&) = delete;
  page_memory& operator=(const page_memory&) = delete;

  std::span<std::byte> part(std::uint32_t index, std::uint32_t bytes) const { return {base_ + index * stride_, bytes}; }

 private:
  std::size_t stride_;
  std::size_t bytes_;
  std::byte* base_ = nullptr;
};

}  // namespace vloop::bench
