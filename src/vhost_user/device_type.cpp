// SPDX-License-Identifier: MIT
#include "vhost_user/device_type.hpp"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace vloop::vhost_user {
namespace {

constexpr std::uint64_t bit(unsigned feature) {
  return std::uint64_t{1} << feature;
}

// Those whose fields the module checks before a driver sees them.
constexpr std::uint64_t blk_features = bit(VIRTIO_BLK_F_SIZE_MAX) | bit(VIRTIO_BLK_F_SEG_MAX) |
                                       bit(VIRTIO_BLK_F_GEOMETRY) | bit(VIRTIO_BLK_F_RO) | bit(VIRTIO_BLK_F_BLK_SIZE) |
                                       bit(VIRTIO_BLK_F_FLUSH) | bit(VIRTIO_BLK_F_TOPOLOGY) | bit(VIRTIO_BLK_F_MQ);
// Device type features (virtio 1.3, 2.2); the others belong to the transport, which is not the daemon's.
constexpr std::uint64_t type_features = (bit(24) - 1) | ~(bit(50) - 1);

// A daemon refuses a size that is not its own, and has the structure of the version it was written for.
constexpr std::array<std::uint32_t, 2> blk_config{60, 36};  // with write zeroes; up to the number of queues
constexpr std::array<std::uint32_t, 1> console_config{12};
constexpr std::array<std::uint32_t, 1> gpio_config{8};
constexpr std::array<std::uint32_t, 2> sound_config{16, 12};
constexpr std::array<std::uint32_t, 1> can_config{2};
constexpr std::array<std::uint32_t, 1> vsock_config{8};
constexpr std::array<std::uint32_t, 1> scsi_config{36};
constexpr std::array<std::uint32_t, 2> fs_config{40, 44};  // up to the number of queues; with notify_buf_size
constexpr std::array<std::uint32_t, 7> any_config{256, 128, 64, 32, 16, 8, 4};

constexpr std::uint32_t virtio_id_can = 36;  // newer than the headers of some releases
constexpr std::uint32_t blk_header_bytes = 16;
constexpr std::uint32_t id_max = 63;

struct known {
  std::string_view name;
  std::uint32_t id;
  std::uint16_t queues;
  std::uint16_t queue_size;
  std::span<const std::uint32_t> config;
};

constexpr std::array<known, 11> table{{{"blk", VIRTIO_ID_BLOCK, 1, 128, blk_config},
                                       {"rng", VIRTIO_ID_RNG, 1, 8, {}},
                                       {"input", VIRTIO_ID_INPUT, 2, 64, {}},
                                       {"console", VIRTIO_ID_CONSOLE, 2, 128, console_config},
                                       {"gpio", VIRTIO_ID_GPIO, 2, 128, gpio_config},
                                       {"i2c", VIRTIO_ID_I2C_ADAPTER, 1, 128, {}},
                                       {"sound", VIRTIO_ID_SOUND, 4, 64, sound_config},
                                       {"can", virtio_id_can, 3, 64, can_config},
                                       {"vsock", VIRTIO_ID_VSOCK, 3, 128, vsock_config},
                                       {"scsi", VIRTIO_ID_SCSI, 3, 128, scsi_config},
                                       {"fs", VIRTIO_ID_FS, 2, 128, fs_config}}};

device_type make(const known& from) {
  device_type type{.name = std::string(from.name),
                   .id = from.id,
                   .queues = from.queues,
                   .queue_size = from.queue_size,
                   .config_sizes = from.config,
                   .features = type_features};
  if (from.id == VIRTIO_ID_BLOCK) {
    type.config_changes = sizeof(virtio_blk_config::capacity);
    type.features = blk_features;
    type.has_status = true;
    type.head_bytes = blk_header_bytes;
    type.answers_everything = true;
  } else if (from.id == VIRTIO_ID_RNG) {
    type.features = 0;  // it has none
    type.answers = filling::some;
    type.answers_everything = true;
  } else if (from.id == VIRTIO_ID_INPUT) {
    type.features = 0;
    type.answers = filling::whole;
    type.has_pages = true;
  }
  return type;
}

}  // namespace

std::optional<device_type> find_device_type(std::string_view word) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
  const bool is_number = error == std::errc{} && end == word.data() + word.size();
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const known& one) { return is_number ? one.id == id : one.name == word; });
  if (found != table.end()) return make(*found);
  if (!is_number || id == 0 || id > id_max) return std::nullopt;
  const std::string name = "virtio id " + std::to_string(id);
  return make({.name = name, .id = id, .queues = 1, .queue_size = 128, .config = any_config});
}

std::string_view known_device_types() {
  return "blk, rng, input, console, gpio, i2c, sound, can, vsock, scsi, fs, or a virtio id from 1 to 63";
}

}  // namespace vloop::vhost_user
