// SPDX-License-Identifier: MIT
#include "vhost_user/guest_memory.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

#include "runtime/setup_error.hpp"

namespace vloop::vhost_user {
namespace {

// What the map says of addresses that cannot be.
void add_to(memory_map& map, const char* what, const char* whose, std::uint64_t address, std::span<std::byte> memory) {
  try {
    map.add({.address = address, .memory = memory});
  } catch (const std::system_error&) {
    throw setup_error(EPROTO, what,
                      std::string("by ") + whose + " addresses a region is past the end, or overlaps another one");
  }
}

}  // namespace

void guest_memory::add(const char* what, const memory_region& where, int fd) {
  if (regions_.size() == regions_max)
    throw setup_error(EPROTO, what, "there are " + std::to_string(regions_max) + " regions already");
  auto memory = std::make_shared<guarded_memory>(what, fd, where.mmap_offset, where.size, told_);
  add_to(by_guest_, what, "the guest's", where.guest_address, memory->bytes());
  try {
    add_to(by_user_, what, "the front end's", where.user_address, memory->bytes());
  } catch (...) {
    by_guest_.remove(where.guest_address, where.size);
    throw;
  }
  regions_.push_back({.where = where, .memory = std::move(memory)});
}

void guest_memory::remove(const char* what, const memory_region& where) {
  const auto found = std::ranges::find_if(regions_, [&](const guest_region& r) {
    return r.where.guest_address == where.guest_address && r.where.size == where.size &&
           r.where.user_address == where.user_address;
  });
  if (found == regions_.end()) throw setup_error(EPROTO, what, "there is no such region");
  by_guest_.remove(where.guest_address, where.size);
  by_user_.remove(where.user_address, where.size);
  regions_.erase(found);
}

void guest_memory::clear() {
  by_guest_ = memory_map();
  by_user_ = memory_map();
  regions_.clear();
}

memory_map guest_memory::by_guest_address(const std::vector<guest_region>& regions) {
  memory_map map;
  for (const guest_region& r : regions) map.add({.address = r.where.guest_address, .memory = r.memory->bytes()});
  return map;
}

}  // namespace vloop::vhost_user
