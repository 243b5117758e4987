// SPDX-License-Identifier: MIT
#include "vring/memory_map.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace vloop {

void memory_map::add(const memory_region& region) {
  const std::uint64_t last = region.address + (region.memory.size() - 1);  // wraps where it is empty: refused below
  if (region.memory.empty() || last < region.address)
    throw std::system_error(EINVAL, std::generic_category(),
                            "memory region: empty, or past the end of the address space");
  for (const memory_region& other : regions_) {
    const std::uint64_t other_last = other.address + (other.memory.size() - 1);
    if (region.address <= other_last && other.address <= last)
      throw std::system_error(EINVAL, std::generic_category(), "memory region: overlaps another one");
  }
  regions_.push_back(region);
}

void memory_map::remove(std::uint64_t address, std::uint64_t size) {
  const auto is_it = [&](const memory_region& r) { return r.address == address && r.memory.size() == size; };
  if (std::erase_if(regions_, is_it) == 0)
    throw std::system_error(ENOENT, std::generic_category(), "memory region: none has this address and size");
}

std::span<std::byte> memory_map::find(std::uint64_t address, std::uint64_t length) const {
  for (const memory_region& region : regions_) {
    if (address < region.address) continue;
    const std::uint64_t offset = address - region.address;  // compared as an offset: address + length may wrap
    if (offset >= region.memory.size()) continue;
    const std::uint64_t left = region.memory.size() - offset;
    return region.memory.subspan(offset, std::min(length, left));
  }
  return {};
}

std::span<std::byte> memory_map::find_whole(std::uint64_t address, std::uint64_t length) const {
  const auto found = find(address, length);
  return found.size() == length ? found : std::span<std::byte>{};
}

}  // namespace vloop
