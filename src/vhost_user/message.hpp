// SPDX-License-Identifier: MIT
// The messages of the vhost-user protocol (QEMU's docs/interop/vhost-user.rst) as they are on the socket: little
// endian as this machine is, packed, a header and a payload whose form the request decides. File descriptors travel
// beside the header.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace vloop::vhost_user {

static_assert(std::endian::native == std::endian::little);

// From the front end to the back end. Those that we know the meaning of, whichever side we are.
enum class request_code : std::uint32_t {
  get_features = 1,
  set_features = 2,
  set_owner = 3,
  reset_owner = 4,
  set_mem_table = 5,
  set_log_base = 6,
  set_log_fd = 7,
  set_vring_num = 8,
  set_vring_addr = 9,
  set_vring_base = 10,
  get_vring_base = 11,
  set_vring_kick = 12,
  set_vring_call = 13,
  set_vring_err = 14,
  get_protocol_features = 15,
  set_protocol_features = 16,
  get_queue_num = 17,
  set_vring_enable = 18,
  set_backend_req_fd = 21,
  get_config = 24,
  set_config = 25,
  get_inflight_fd = 31,
  set_inflight_fd = 32,
  reset_device = 34,
  get_max_mem_slots = 36,
  add_mem_reg = 37,
  rem_mem_reg = 38,
  set_status = 39,
  get_status = 40,
};
const char* to_string(request_code code);

// From the back end to the front end, on the back channel.
enum class backend_code : std::uint32_t {
  config_changed = 2,
};

// Bit numbers of GET_PROTOCOL_FEATURES.
enum class protocol_feature : unsigned {
  mq = 0,
  reply_ack = 3,
  backend_req = 5,
  config = 9,
  inflight_shmfd = 12,
  reset_device = 13,
  configure_mem_slots = 15,
  status = 16,
};

constexpr std::uint64_t bit(protocol_feature feature) {
  return std::uint64_t{1} << static_cast<unsigned>(feature);
}

// In the virtio features: that there are protocol features.
constexpr std::uint64_t has_protocol_features = std::uint64_t{1} << 30;

struct message_header {
  std::uint32_t code = 0;
  std::uint32_t flags = 0;
  std::uint32_t size = 0;  // of the payload

  static constexpr std::uint32_t version_mask = 0x3;
  static constexpr std::uint32_t version = 0x1;
  static constexpr std::uint32_t reply = 0x4;
  static constexpr std::uint32_t need_reply = 0x8;
};
static_assert(sizeof(message_header) == 12);

struct vring_state {
  std::uint32_t index = 0;
  std::uint32_t value = 0;
};

struct vring_address {
  std::uint32_t index = 0;
  std::uint32_t flags = 0;
  std::uint64_t descriptors = 0;  // all of them as the memory table's user addresses
  std::uint64_t used = 0;
  std::uint64_t available = 0;
  std::uint64_t log = 0;
};
static_assert(sizeof(vring_address) == 40);

struct memory_region {
  std::uint64_t guest_address = 0;
  std::uint64_t size = 0;
  std::uint64_t user_address = 0;
  std::uint64_t mmap_offset = 0;
};

// Of SET_MEM_TABLE, with the one region that we have.
struct memory_table {
  std::uint32_t count = 1;
  std::uint32_t padding = 0;
  memory_region region;
};
static_assert(sizeof(memory_table) == 40);

// Of ADD_MEM_REG and REM_MEM_REG.
struct memory_slot {
  std::uint64_t padding = 0;
  memory_region region;
};
static_assert(sizeof(memory_slot) == 40);

// Where the in-flight log of a device lies, within the descriptor beside it.
struct inflight_description {
  std::uint64_t mmap_size = 0;
  std::uint64_t mmap_offset = 0;
  std::uint16_t queues = 0;
  std::uint16_t queue_size = 0;
  std::uint32_t padding = 0;  // that some daemons don't send
};
static_assert(sizeof(inflight_description) == 24);
constexpr std::size_t inflight_description_bytes_min = 20;

constexpr std::size_t config_bytes_max = 256;

struct config_head {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  std::uint32_t flags = 0;
};
static_assert(sizeof(config_head) == 12);

// The longest payload that either side has reason to send.
constexpr std::size_t payload_bytes_max = sizeof(config_head) + config_bytes_max;

// What SET_VRING_KICK, _CALL and _ERR name besides the descriptor.
constexpr std::uint64_t vring_index_mask = 0xff;
constexpr std::uint64_t vring_without_fd = 0x100;

constexpr std::size_t fds_max = 8;

// Regions in one SET_MEM_TABLE, each with a descriptor.
constexpr std::uint32_t memory_table_regions_max = 8;
constexpr std::size_t memory_table_head_bytes = 8;  // their number and a padding; then the regions

}  // namespace vloop::vhost_user
