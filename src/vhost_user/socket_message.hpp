// SPDX-License-Identifier: MIT
// Bytes and descriptors over a unix socket, as much as goes without waiting.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "devices/owned_fd.hpp"

namespace vloop::vhost_user {

// What recvmsg or sendmsg says: a count (0: the other side has closed), or -errno; -EAGAIN where it would wait. All
// descriptors that came are owned, whatever is wrong with the rest; more than fds_max of them are -EPROTO.
std::ptrdiff_t receive_some(int socket, std::span<std::byte> bytes, std::vector<owned_fd>& fds);

// Descriptors, 253 at most, go with the first byte. Never SIGPIPE.
std::ptrdiff_t send_some(int socket, std::span<const std::byte> bytes, std::span<const int> fds);

}  // namespace vloop::vhost_user
