// SPDX-License-Identifier: MIT
#include "vhost_user/hand_over.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstddef>

#include "runtime/setup_error.hpp"

namespace vloop::vhost_user {

owned_fd make_event() {
  owned_fd fd(::eventfd(0, EFD_CLOEXEC));
  if (!fd) throw setup_error(errno, "cannot make an eventfd");
  return fd;
}

queue_events::queue_events() : kick(make_event()), call(make_event()), error(make_event()) {}

void hand_over_ring(client& daemon, const offer& terms, const shared_memory& memory, std::uint32_t index,
                    const queue_events& events, std::uint16_t base) {
  const split_ring& ring = memory.queue(index).ring;
  const auto address = [&memory](const void* part) {
    const auto inside = static_cast<const std::byte*>(part) - memory.at(0, 0).data();
    return shared_memory::address_of(static_cast<std::uint64_t>(inside));
  };
  daemon.set_vring(request_code::set_vring_num, index, ring.size);
  daemon.set_vring(request_code::set_vring_base, index, base);
  daemon.set_vring_address({.index = index,
                            .descriptors = address(ring.descriptors),
                            .used = address(ring.used),
                            .available = address(ring.available)});
  daemon.set_vring_fd(request_code::set_vring_err, index, events.error.get());
  daemon.set_vring_fd(request_code::set_vring_call, index, events.call.get());
  daemon.set_vring_fd(request_code::set_vring_kick, index, events.kick.get());
  // Without protocol features a ring runs from its kick descriptor on.
  if (terms.virtio_features & has_protocol_features) daemon.set_vring(request_code::set_vring_enable, index, 1);
}

}  // namespace vloop::vhost_user
