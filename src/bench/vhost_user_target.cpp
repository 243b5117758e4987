// SPDX-License-Identifier: MIT
#include "bench/vhost_user_target.hpp"

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "runtime/setup_error.hpp"
#include "vhost_user/device_type.hpp"
#include "vhost_user/hand_over.hpp"

namespace vloop::bench {
namespace {

using vhost_user::protocol_feature;
using vhost_user::request_code;

constexpr std::chrono::milliseconds answer_max{5000};
constexpr std::chrono::seconds leave_max{2};
constexpr std::uint32_t ring_entries_min = 128;  // what daemons are used to
constexpr std::uint32_t ring_entries_max = 1024;

constexpr std::uint64_t bit_of(unsigned feature) {
  return std::uint64_t{1} << feature;
}

// What our driver side makes use of.
constexpr std::uint64_t wanted_features = bit_of(VIRTIO_BLK_F_SIZE_MAX) | bit_of(VIRTIO_BLK_F_SEG_MAX) |
                                          bit_of(VIRTIO_BLK_F_BLK_SIZE) | bit_of(VIRTIO_BLK_F_RO) |
                                          bit_of(VIRTIO_BLK_F_FLUSH) | bit_of(VIRTIO_BLK_F_MQ);

std::uint16_t ring_size(const load_shape& load) {
  return static_cast<std::uint16_t>(std::max(ring_entries_min, virtio_disk::ring_entries(load, 1)));
}

vhost_user::device_type disk_type() {
  const auto type = vhost_user::find_device_type("blk");
  assert(type);
  return *type;
}

// The clock of the process that listens. One that left the listening to others before it served is not found, and init,
// which may listen for anybody, is not meant.
std::optional<clockid_t> clock_of_peer(int socket) {
  ucred who{};
  socklen_t bytes = sizeof who;
  clockid_t its_clock{};
  timespec now{};
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &bytes) != 0 || who.pid <= 1) return std::nullopt;
  if (::clock_getcpuclockid(who.pid, &its_clock) != 0 || ::clock_gettime(its_clock, &now) != 0) return std::nullopt;
  return its_clock;
}

}  // namespace

vhost_user_target::vhost_user_target(const std::string& name, const std::string& path, const load_shape& load)
    : load_(load),
      ring_size_(ring_size(load)),
      daemon_(vhost_user::connection::open(path, answer_max)),
      terms_(vhost_user::ask_for_offer(daemon_, disk_type(), load.queues, ring_size_)),
      memory_(load.queues, ring_size_, virtio_disk::buffer_bytes(load)),
      events_(load.queues),
      daemon_clock_(clock_of_peer(daemon_.link().fd())) {
  look_at_config();
  if (virtio_disk::ring_entries(load_, pieces()) > std::min<std::uint32_t>(ring_size_, ring_entries_max))
    throw setup_error(
        EINVAL,
        daemon_.link().name() + " takes requests in pieces of " + std::to_string(terms_.piece_bytes_max) + " bytes",
        "a smaller --block or --depth fits");
  const bool event_index = (terms_.virtio_features >> VIRTIO_RING_F_EVENT_IDX & 1) != 0;
  for (std::uint16_t i = 0; i < load_.queues; ++i) rings_.emplace_back(memory_.queue(i).ring, event_index);
  set_up();
  disk_.emplace(memory_, driver_options(name));
}

std::uint32_t vhost_user_target::pieces() const {
  return (load_.block_bytes + terms_.piece_bytes_max - 1) / terms_.piece_bytes_max;
}

void vhost_user_target::look_at_config() {
  virtio_blk_config config{};
  std::memcpy(&config, terms_.config.data(), std::min(sizeof config, terms_.config.size()));
  bytes_ = config.capacity * 512;
  if (terms_.device_features & bit_of(VIRTIO_BLK_F_BLK_SIZE)) block_bytes_ = config.blk_size;
  read_only_ = (terms_.device_features & bit_of(VIRTIO_BLK_F_RO)) != 0;
}

// virtio 1.3, 3.1.1, in the words of vhost-user.
void vhost_user_target::set_up() {
  if (terms_.has(protocol_feature::status)) daemon_.set(request_code::set_status, 0);
  tell_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
  daemon_.set(request_code::set_features, vhost_user::features_for_daemon(terms_, wanted_features));
  tell_status(VIRTIO_CONFIG_S_FEATURES_OK);
  if (terms_.has(protocol_feature::configure_mem_slots)) {
    daemon_.add_memory(memory_.region(), memory_.fd());
  } else {
    daemon_.set_memory(memory_.region(), memory_.fd());
  }
  for (std::uint32_t i = 0; i < load_.queues; ++i)
    vhost_user::hand_over_ring(daemon_, terms_, memory_, i, events_[i], 0);
  tell_status(VIRTIO_CONFIG_S_DRIVER_OK);
}

void vhost_user_target::tell_status(std::uint8_t bits) {
  if (!terms_.has(protocol_feature::status)) return;
  status_ |= bits;
  daemon_.set(request_code::set_status, status_);
}

// A daemon whose rings are not stopped may find its memory gone under it.
vhost_user_target::~vhost_user_target() {
  daemon_.link().end_all_by(std::chrono::steady_clock::now() + leave_max);
  try {
    for (std::uint32_t i = 0; i < load_.queues; ++i) daemon_.get_vring_base(i);
    if (terms_.has(protocol_feature::configure_mem_slots)) daemon_.remove_memory(memory_.region());
  } catch (const std::system_error&) {
    // It is gone, or does not answer: the socket's end tells it the same.
  }
}

virtio_disk::options vhost_user_target::driver_options(const std::string& name) {
  virtio_disk::options out{
      .name = name, .load = load_, .piece_bytes_max = terms_.piece_bytes_max, .queues = {}, .interrupt_fds = {}};
  out.trouble_fds.push_back(daemon_.link().fd());
  for (std::uint16_t i = 0; i < load_.queues; ++i) {
    out.queues.push_back({.ring = &rings_[i], .kick_fd = events_[i].kick.get()});
    out.interrupt_fds.push_back(events_[i].call.get());
    out.trouble_fds.push_back(events_[i].error.get());
  }
  return out;
}

std::span<const ended_access> vhost_user_target::turn() {
  const auto ended = disk_->turn();
  if (disk_->troubled())
    throw setup_error(ECONNRESET, daemon_.link().name(), "it closed the connection, died, or reported an error");
  return ended;
}

target_cost vhost_user_target::cost() {
  target_cost out{.enters = disk_->enters(), .daemon_time = {}};
  timespec used{};
  if (daemon_clock_ && ::clock_gettime(*daemon_clock_, &used) == 0)
    out.daemon_time = std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
  return out;
}

}  // namespace vloop::bench
