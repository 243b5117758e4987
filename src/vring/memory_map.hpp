// SPDX-License-Identifier: MIT
// The memory of a driver that shares it with us: where its addresses are in this process. The driver may name any
// address and any length; only what a region covers is ever touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vloop {

struct memory_region {
  std::uint64_t address = 0;    // as the driver names it
  std::span<std::byte> memory;  // where that is here; the owner keeps it mapped while a map names it
};

// Not synchronised: whoever changes it does so on the thread of those who look into it.
class memory_map {
 public:
  // Throws std::system_error (EINVAL) if the region is empty, wraps around the address space or overlaps another one.
  void add(const memory_region& region);

  // Forgets a region that was added with just this address and size; throws std::system_error (ENOENT) where there is
  // none. What find() gave before stays the caller's business: the owner keeps the memory mapped until nobody uses it.
  void remove(std::uint64_t address, std::uint64_t size);

  // The memory from `address` on, at most `length` bytes of it: less where a region ends, empty where none covers it.
  // A buffer may lie in two regions that follow each other, so callers ask again for the rest.
  std::span<std::byte> find(std::uint64_t address, std::uint64_t length) const;

  // All of it in one piece, or empty.
  std::span<std::byte> find_whole(std::uint64_t address, std::uint64_t length) const;

 private:
  std::vector<memory_region> regions_;
};

}  // namespace vloop
