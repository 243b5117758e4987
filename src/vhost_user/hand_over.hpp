// SPDX-License-Identifier: MIT
// What a daemon gets of one queue: where its ring is, and the eventfds that both sides tell each other by.
#pragma once

#include <cstdint>

#include "devices/owned_fd.hpp"
#include "vhost_user/client.hpp"
#include "vhost_user/offer.hpp"
#include "vhost_user/shared_memory.hpp"

namespace vloop::vhost_user {

owned_fd make_event();  // throws setup_error

// The eventfds of one queue. Not O_NONBLOCK: io_uring waits for them.
struct queue_events {
  queue_events();
  owned_fd kick;
  owned_fd call;
  owned_fd error;
};

// The daemon has the features and the memory, and may touch the ring from here on. `base`: the index it begins at.
void hand_over_ring(client& daemon, const offer& terms, const shared_memory& memory, std::uint32_t index,
                    const queue_events& events, std::uint16_t base);

}  // namespace vloop::vhost_user
