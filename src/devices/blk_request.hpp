// SPDX-License-Identifier: MIT
// What a block request asks for (virtio 1.3, 5.2.6), told apart from doing it: a pure function of bytes that the
// driver wrote, and the disk's limits.
#pragma once

#include <linux/virtio_blk.h>

#include <cstdint>
#include <optional>

namespace vloop {

using blk_header = virtio_blk_outhdr;  // 16 bytes at the start of the readable part, little endian

struct blk_limits {
  std::uint64_t sectors = 0;  // capacity in units of 512 bytes
  bool read_only = false;
};

struct blk_command {
  enum class kind : std::uint8_t {
    read,
    write,
    flush,
    get_id,
    refuse,   // answered with `status`, nothing moves
    discard,  // the request has no room for a status byte: given back as it is
  };
  kind what = kind::refuse;
  std::uint8_t status = VIRTIO_BLK_S_OK;  // refuse
  std::uint64_t offset = 0;               // read, write: bytes into the disk
  std::uint32_t length = 0;               // read, write, get_id: bytes of data in the request

  bool operator==(const blk_command&) const = default;
};

constexpr std::uint32_t blk_sector_bytes = 512;
constexpr std::uint32_t blk_status_bytes = 1;
constexpr std::uint32_t blk_id_bytes = VIRTIO_BLK_ID_BYTES;  // 20

// header: nullopt if the readable part is too short for one. readable, writable: bytes of the request's two parts.
blk_command parse_blk_request(const std::optional<blk_header>& header, std::uint32_t readable, std::uint32_t writable,
                              const blk_limits& limits);

}  // namespace vloop
