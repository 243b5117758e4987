// SPDX-License-Identifier: MIT
// What a block request asks for, told from its bytes alone.
#include "devices/blk_request.hpp"

#include <catch2/catch_test_macros.hpp>

#include <limits>

namespace vloop {
namespace {

using kind = blk_command::kind;
constexpr blk_limits disk{.sectors = 2048, .read_only = false};
constexpr blk_limits read_only_disk{.sectors = 2048, .read_only = true};
constexpr std::uint32_t header_bytes = sizeof(blk_header);

blk_header header(std::uint32_t type, std::uint64_t sector = 0) {
  return {.type = type, .ioprio = 0, .sector = sector};
}

blk_command read(std::uint64_t sector, std::uint32_t bytes) {
  return parse_blk_request(header(VIRTIO_BLK_T_IN, sector), header_bytes, bytes + 1, disk);
}
blk_command write(std::uint64_t sector, std::uint32_t bytes, const blk_limits& limits = disk) {
  return parse_blk_request(header(VIRTIO_BLK_T_OUT, sector), header_bytes + bytes, 1, limits);
}
blk_command refused(std::uint8_t status) {
  return {.what = kind::refuse, .status = status};
}

TEST_CASE("a read is at its sector and as long as the writable part less the status byte") {
  CHECK(read(8, 4096) == blk_command{.what = kind::read, .offset = 4096, .length = 4096});
}

TEST_CASE("a write is as long as the readable part less the header") {
  CHECK(write(8, 512) == blk_command{.what = kind::write, .offset = 4096, .length = 512});
}

TEST_CASE("the last sector is served, one more is refused") {
  CHECK(read(2047, 512).what == kind::read);
  CHECK(read(2048, 512) == refused(VIRTIO_BLK_S_IOERR));
  CHECK(read(2047, 1024) == refused(VIRTIO_BLK_S_IOERR));
  CHECK(write(2047, 1024) == refused(VIRTIO_BLK_S_IOERR));
}

TEST_CASE("hostile: a sector whose byte offset overflows is refused") {
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  CHECK(read(most, 512) == refused(VIRTIO_BLK_S_IOERR));
  CHECK(read(most / 512 + 1, 512) == refused(VIRTIO_BLK_S_IOERR));
  CHECK(write(most, 512) == refused(VIRTIO_BLK_S_IOERR));
}

TEST_CASE("data that is no multiple of 512 bytes is refused") {
  CHECK(read(0, 511) == refused(VIRTIO_BLK_S_IOERR));
  CHECK(write(0, 513) == refused(VIRTIO_BLK_S_IOERR));
}

TEST_CASE("a read or write of nothing succeeds within the disk") {
  CHECK(read(2048, 0).what == kind::read);
  CHECK(read(2049, 0) == refused(VIRTIO_BLK_S_IOERR));
  CHECK(write(0, 0).length == 0);
}

TEST_CASE("a read-only disk refuses writes and serves reads") {
  CHECK(write(0, 512, read_only_disk) == refused(VIRTIO_BLK_S_IOERR));
  CHECK(parse_blk_request(header(VIRTIO_BLK_T_IN), header_bytes, 513, read_only_disk).what == kind::read);
}

TEST_CASE("flush and GET_ID are known, other types are unsupported") {
  CHECK(parse_blk_request(header(VIRTIO_BLK_T_FLUSH), header_bytes, 1, disk).what == kind::flush);
  CHECK(parse_blk_request(header(VIRTIO_BLK_T_GET_ID), header_bytes, 21, disk) ==
        blk_command{.what = kind::get_id, .length = 20});
  CHECK(parse_blk_request(header(VIRTIO_BLK_T_DISCARD), header_bytes + 16, 1, disk) == refused(VIRTIO_BLK_S_UNSUPP));
  CHECK(parse_blk_request(header(0xffffffff), header_bytes, 1, disk) == refused(VIRTIO_BLK_S_UNSUPP));
}

TEST_CASE("a request without room for a status byte is given back as it is") {
  CHECK(parse_blk_request(header(VIRTIO_BLK_T_OUT), header_bytes + 512, 0, disk).what == kind::discard);
}

TEST_CASE("a request that is too short for a header is refused") {
  CHECK(parse_blk_request(std::nullopt, 15, 513, disk) == refused(VIRTIO_BLK_S_IOERR));
}

}  // namespace
}  // namespace vloop
