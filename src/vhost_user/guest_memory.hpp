// SPDX-License-Identifier: MIT
// The memory of a front end's guest, in regions that come and go. A region has two addresses: the guest's, which stand
// in descriptors, and the front end's own, which the addresses of rings are given in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "vhost_user/guarded_memory.hpp"
#include "vhost_user/message.hpp"
#include "vring/memory_map.hpp"

namespace vloop::vhost_user {

// One that is mapped; whoever still uses it keeps it so.
struct guest_region {
  memory_region where;
  std::shared_ptr<guarded_memory> memory;
};

class guest_memory {
 public:
  // GET_MAX_MEM_SLOTS: so many can be added one by one.
  static constexpr std::size_t regions_max = 128;

  // `told`: see guarded_memory.
  explicit guest_memory(int told) : told_(told) {}

  // Both throw setup_error for what cannot be, and change nothing then. `what` is the request, for the error.
  void add(const char* what, const memory_region& where, int fd);
  void remove(const char* what, const memory_region& where);
  void clear();

  const std::vector<guest_region>& regions() const { return regions_; }
  const memory_map& by_user_address() const { return by_user_; }

  // For who looks things up by the guest's addresses, on a thread of his own.
  static memory_map by_guest_address(const std::vector<guest_region>& regions);

 private:
  int told_;
  std::vector<guest_region> regions_;
  memory_map by_guest_;  // only to see that regions don't overlap
  memory_map by_user_;
};

}  // namespace vloop::vhost_user
