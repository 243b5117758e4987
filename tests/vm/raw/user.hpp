// SPDX-License-Identifier: MIT
// Servers that are other users.
#pragma once

#include "check.hpp"

#include <unistd.h>

#include <atomic>

namespace vloop::raw {

inline constexpr uid_t nobody = 65534;

// For good.
inline void become(uid_t user) {
  expect(::setresgid(user, user, user) == 0 && ::setresuid(user, user, user) == 0, "another user");
}

// In memory that is shared: how a server says which device it has.
struct announcement {
  std::atomic<std::uint32_t> id = ~0U;
  std::atomic<bool> over = false;

  void tell(std::uint32_t value) { id = value; }
  std::uint32_t wait() {
    within(patience, "the server's disk", [&] { return id != ~0U; });
    return id;
  }
};

}  // namespace vloop::raw
