// SPDX-License-Identifier: MIT
#include "support/front_end.hpp"

#include <linux/virtio_config.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <stdexcept>
#include <thread>

#include "runtime/setup_error.hpp"

namespace vloop::test {
namespace {

using vhost_user::protocol_feature;
using vhost_user::request_code;

std::uint64_t bit_of(unsigned feature) {
  return std::uint64_t{1} << feature;
}

std::size_t bytes_for(const front_end_options& options) {
  const std::size_t each = options.request_bytes_max + 3 * 4096 + (options.indirect ? 8192 : 0) + 64;
  return std::size_t{options.queues} * (65536 + std::size_t{options.queue_size} * each);
}

// A server that was just started may not listen yet.
vhost_user::connection connect(const std::string& path, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    try {
      return vhost_user::connection::open(path, limit);
    } catch (const setup_error&) {
      if (std::chrono::steady_clock::now() > deadline) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace

front_end::guest::guest(const front_end_options& options) : memory(bytes_for(options)) {
  for (std::uint16_t i = 0; i < options.queues; ++i)
    drivers.push_back(std::make_unique<driver>(memory, driver_options{.queue_size = options.queue_size,
                                                                      .event_index = options.event_index,
                                                                      .indirect = options.indirect,
                                                                      .request_bytes_max = options.request_bytes_max}));
}

front_end::front_end(const std::string& path, front_end_options options)
    : options_(options), client_(connect(path, options.limit)), guest_(std::make_unique<guest>(options)) {}

front_end::front_end(const std::string& path, front_end&& before)
    : options_(before.options_), client_(connect_instead(path, before)), guest_(std::move(before.guest_)) {}

vhost_user::connection front_end::connect_instead(const std::string& path, front_end& before) {
  ::shutdown(before.client_.link().fd(), SHUT_RDWR);
  const auto deadline = std::chrono::steady_clock::now() + before.options_.limit;
  for (;;) {
    // The socket of a back end that was killed may take a connection that nobody will ever answer.
    vhost_user::connection made = connect(path, before.options_.limit);
    const vhost_user::message_header question{.code = static_cast<std::uint32_t>(request_code::get_features),
                                              .flags = vhost_user::message_header::version};
    try {
      made.send("GET_FEATURES", question, {}, {});
      made.receive("GET_FEATURES");
      return made;
    } catch (const setup_error&) {
      if (std::chrono::steady_clock::now() > deadline) throw;
    }
  }
}

void front_end::negotiate() {
  const std::uint64_t offered = client_.get(request_code::get_features);
  if (options_.knows_protocol_features) {
    protocol_features_ = client_.get(request_code::get_protocol_features) & options_.protocol_features;
    client_.set(request_code::set_protocol_features, protocol_features_);
    if (has(protocol_feature::reply_ack)) client_.expect_acknowledgements();
  }
  client_.say(request_code::set_owner);
  // Device type features (virtio 1.3, 2.2). A daemon that can log what it writes would expect to be asked to.
  const std::uint64_t of_the_type = bit_of(24) - 1;
  features_ = offered & ((options_.device_features & of_the_type) | bit_of(VIRTIO_F_VERSION_1));
  if (options_.event_index) features_ |= bit_of(VIRTIO_RING_F_EVENT_IDX);
  if (options_.indirect) features_ |= bit_of(VIRTIO_RING_F_INDIRECT_DESC);
  if (options_.knows_protocol_features) features_ |= vhost_user::has_protocol_features;
  if ((features_ & offered) != features_) throw std::runtime_error("the back end does not offer what is needed");
  client_.set(request_code::set_features, features_);
}

vhost_user::memory_region front_end::region() const {
  struct stat file {};
  ::fstat(guest_->memory.fd(), &file);
  return {.guest_address = shared_memory::first_address,
          .size = static_cast<std::uint64_t>(file.st_size),
          .user_address = user_base,
          .mmap_offset = 0};
}

void front_end::give_memory() {
  client_.set_memory(region(), guest_->memory.fd());
}

vhost_user::vring_address front_end::address_of_ring(std::uint32_t index) const {
  const split_ring& ring = guest_->drivers[index]->ring();
  const auto address = [&](const void* part) { return user_address(guest_->memory.address_of(part)); };
  return {.index = index,
          .descriptors = address(ring.descriptors),
          .used = address(ring.used),
          .available = address(ring.available)};
}

// In QEMU's order.
void front_end::set_up_ring(std::uint32_t index, std::uint16_t base) {
  client_.set_vring(request_code::set_vring_num, index, options_.queue_size);
  client_.set_vring(request_code::set_vring_base, index, base);
  client_.set_vring_address(address_of_ring(index));
  client_.set_vring_fd(request_code::set_vring_kick, index, queue(index).kick_fd());
  client_.set_vring_fd(request_code::set_vring_call, index, queue(index).interrupt_fd());
  if (options_.knows_protocol_features) client_.set_vring(request_code::set_vring_enable, index, 1);
}

void front_end::keep_log() {
  if (!guest_->log) guest_->log = client_.get_inflight(options_.queues, options_.queue_size);
  client_.set_inflight(*guest_->log);
}

}  // namespace vloop::test
