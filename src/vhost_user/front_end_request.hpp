// SPDX-License-Identifier: MIT
// The form of what a front end sends: how large each request is, how many descriptors come with it, and which protocol
// feature it needs. What is in it is for who does it to judge.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "vhost_user/connection.hpp"
#include "vhost_user/message.hpp"

namespace vloop::vhost_user {

// Throws setup_error for a request that is unknown, needs what was not negotiated, or has not its form.
void check_form(const message& m, std::uint64_t protocol_features);

inline request_code code_of(const message& m) {
  return static_cast<request_code>(m.header.code);
}

// The payload, or its beginning, as a T; zeros where it is shorter, as some requests may be.
template <class T>
T payload_as(const message& m, std::size_t offset = 0) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value{};
  if (offset < m.payload.size())
    std::memcpy(&value, m.payload.data() + offset, std::min(sizeof value, m.payload.size() - offset));
  return value;
}

}  // namespace vloop::vhost_user
