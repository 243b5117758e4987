// SPDX-License-Identifier: MIT
#include "devices/blk_request.hpp"

namespace vloop {
namespace {

using kind = blk_command::kind;

blk_command refuse(std::uint8_t status) {
  return {.what = kind::refuse, .status = status};
}

// Reads and writes. Comparing sectors with what is left behind the first one cannot overflow.
blk_command move(kind what, std::uint64_t sector, std::uint32_t length, const blk_limits& limits) {
  if (length % blk_sector_bytes != 0) return refuse(VIRTIO_BLK_S_IOERR);  // 5.2.6: "a multiple of 512 bytes"
  const std::uint64_t sectors = length / blk_sector_bytes;
  // 5.2.6.1: "A driver MUST NOT submit a request which would cause a read or write beyond capacity."
  if (sector > limits.sectors || sectors > limits.sectors - sector) return refuse(VIRTIO_BLK_S_IOERR);
  return {.what = what, .offset = sector * blk_sector_bytes, .length = length};
}

}  // namespace

blk_command parse_blk_request(const std::optional<blk_header>& header, std::uint32_t readable, std::uint32_t writable,
                              const blk_limits& limits) {
  if (writable < blk_status_bytes) return {.what = kind::discard};
  if (!header || readable < sizeof(blk_header)) return refuse(VIRTIO_BLK_S_IOERR);
  switch (header->type) {
    case VIRTIO_BLK_T_IN:
      return move(kind::read, header->sector, writable - blk_status_bytes, limits);
    case VIRTIO_BLK_T_OUT:
      // 5.2.6.2: with VIRTIO_BLK_F_RO a write fails with IOERR and nothing is written.
      if (limits.read_only) return refuse(VIRTIO_BLK_S_IOERR);
      return move(kind::write, header->sector, readable - static_cast<std::uint32_t>(sizeof(blk_header)), limits);
    case VIRTIO_BLK_T_FLUSH:
      return {.what = kind::flush};
    case VIRTIO_BLK_T_GET_ID:
      return {.what = kind::get_id, .length = writable - blk_status_bytes};
    default:
      return refuse(VIRTIO_BLK_S_UNSUPP);
  }
}

}  // namespace vloop
