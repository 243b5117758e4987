// SPDX-License-Identifier: MIT
// What a driver can do wrong with a block request (virtio 1.2, 5.2.6), over a ring that is in order: each request gets
// exactly the status that the specification names, the file changes only where it should, and the disk goes on.
#include <catch2/catch_test_macros.hpp>

#include <linux/virtio_blk.h>

#include <cstring>
#include <limits>

#include "hostile/rig.hpp"

namespace vloop::test {
namespace {

using rig = hostile_rig;
using chain = rig::chain;

constexpr std::uint32_t sector = 512;
constexpr std::uint64_t disk_sectors = rig::disk_sectors;
constexpr std::uint64_t header_at = rig::page(0), data_at = rig::page(16), status_at = rig::page(2);
constexpr std::uint64_t table = rig::page(24);
constexpr std::uint8_t ok = VIRTIO_BLK_S_OK, io_error = VIRTIO_BLK_S_IOERR, unsupported = VIRTIO_BLK_S_UNSUPP;

const vring_desc header = rig::r(header_at, sizeof(virtio_blk_outhdr));
const vring_desc status = rig::w(status_at, 1);

struct blk_case {
  const char* name;
  std::uint32_t type;
  std::uint64_t sector_at;
  chain what;
  std::uint8_t status;    // 0xee: the byte is not touched
  std::uint32_t written;  // the used length
};

constexpr std::uint8_t untouched = 0xee;

chain read_of(std::uint32_t bytes) {
  return {header, rig::w(data_at, bytes), status};
}
chain write_of(std::uint32_t bytes) {
  return {header, rig::r(data_at, bytes), status};
}
vring_desc header_of(std::uint32_t bytes) {
  return rig::r(header_at, bytes);
}

const blk_case cases[] = {
    // ---- headers ----
    {"a request without a header", VIRTIO_BLK_T_IN, 0, {rig::w(data_at, sector), status}, io_error, sector + 1},
    {"a header of one byte", VIRTIO_BLK_T_IN, 0, {header_of(1), rig::w(data_at, sector), status}, io_error, sector + 1},
    {"a header one byte short",
     VIRTIO_BLK_T_IN,
     0,
     {header_of(15), rig::w(data_at, sector), status},
     io_error,
     sector + 1},
    {"a header of eight bytes before a write", VIRTIO_BLK_T_OUT, 0, {header_of(8), status}, io_error, 1},
    {"a header that is one byte longer, before a read",
     VIRTIO_BLK_T_IN,
     0,
     {header_of(17), rig::w(data_at, sector), status},
     ok,
     sector + 1},
    {"a header that is one byte longer, before a write",
     VIRTIO_BLK_T_OUT,
     0,
     {header_of(17), rig::r(data_at, sector), status},
     io_error,
     1},
    {"a status byte and nothing else", VIRTIO_BLK_T_IN, 0, {status}, io_error, 1},
    {"a header cut into two",
     VIRTIO_BLK_T_IN,
     0,
     {header_of(7), rig::r(header_at + 7, 9), rig::w(data_at, sector), status},
     ok,
     sector + 1},

    // ---- the status byte ----
    {"a read whose status byte is missing: its last byte of data is it",
     VIRTIO_BLK_T_IN,
     0,
     {header, rig::w(data_at, sector)},
     untouched,
     sector},
    {"a write whose status byte is missing", VIRTIO_BLK_T_OUT, 0, {header, rig::r(data_at, sector)}, untouched, 0},
    {"a flush whose status byte is missing", VIRTIO_BLK_T_FLUSH, 0, {header}, untouched, 0},
    {"a header that is readable and nothing writable", VIRTIO_BLK_T_IN, 0, {header}, untouched, 0},
    {"a status byte in the descriptor of the data",
     VIRTIO_BLK_T_IN,
     0,
     {header, rig::w(status_at - sector, sector + 1)},
     ok,
     sector + 1},
    {"a status byte that lies over the data",
     VIRTIO_BLK_T_IN,
     0,
     {header, rig::w(status_at, sector), status},
     ok,
     sector + 1},
    {"a status byte that lies over the header",
     VIRTIO_BLK_T_IN,
     0,
     {header, rig::w(data_at, sector), rig::w(header_at, 1)},
     untouched,
     sector + 1},

    // ---- lengths ----
    {"a read one byte short of a sector", VIRTIO_BLK_T_IN, 0, read_of(sector - 1), io_error, sector},
    {"a read one byte longer than a sector", VIRTIO_BLK_T_IN, 0, read_of(sector + 1), io_error, sector + 2},
    {"a read of one byte", VIRTIO_BLK_T_IN, 0, read_of(1), io_error, 2},
    {"a read of nothing", VIRTIO_BLK_T_IN, 0, {header, status}, ok, 1},
    {"a write one byte short of a sector", VIRTIO_BLK_T_OUT, 0, write_of(sector - 1), io_error, 1},
    {"a write one byte longer than a sector", VIRTIO_BLK_T_OUT, 0, write_of(sector + 1), io_error, 1},
    {"a write of one byte", VIRTIO_BLK_T_OUT, 0, write_of(1), io_error, 1},
    {"a write of nothing", VIRTIO_BLK_T_OUT, 0, {header, status}, ok, 1},

    // ---- sectors ----
    {"a read of the sector behind the last", VIRTIO_BLK_T_IN, disk_sectors, read_of(sector), io_error, sector + 1},
    {"a read that begins in the last sector and ends behind it", VIRTIO_BLK_T_IN, disk_sectors - 1, read_of(2 * sector),
     io_error, 2 * sector + 1},
    {"a read of the last sector", VIRTIO_BLK_T_IN, disk_sectors - 1, read_of(sector), ok, sector + 1},
    {"a read at the greatest sector there is", VIRTIO_BLK_T_IN, std::numeric_limits<std::uint64_t>::max(),
     read_of(sector), io_error, sector + 1},
    {"a read whose position in bytes wraps to 0", VIRTIO_BLK_T_IN, std::uint64_t{1} << 55, read_of(sector), io_error,
     sector + 1},
    {"a read whose position in bytes is negative", VIRTIO_BLK_T_IN, std::uint64_t{1} << 54, read_of(sector), io_error,
     sector + 1},
    {"a read whose last sector wraps", VIRTIO_BLK_T_IN, std::numeric_limits<std::uint64_t>::max() - 1,
     read_of(4 * sector), io_error, 4 * sector + 1},
    {"a read of nothing behind the end", VIRTIO_BLK_T_IN, disk_sectors + 1, {header, status}, io_error, 1},
    {"a read of nothing at the end", VIRTIO_BLK_T_IN, disk_sectors, {header, status}, ok, 1},
    {"a write to the sector behind the last", VIRTIO_BLK_T_OUT, disk_sectors, write_of(sector), io_error, 1},
    {"a write that begins in the last sector and ends behind it", VIRTIO_BLK_T_OUT, disk_sectors - 1,
     write_of(2 * sector), io_error, 1},
    {"a write at the greatest sector there is", VIRTIO_BLK_T_OUT, std::numeric_limits<std::uint64_t>::max(),
     write_of(sector), io_error, 1},

    // ---- types ----
    {"a type of nonsense", 0xffffffff, 0, read_of(sector), unsupported, sector + 1},
    {"a type that nobody defined", 3, 0, read_of(sector), unsupported, sector + 1},
    {"a SCSI command of the legacy interface", VIRTIO_BLK_T_SCSI_CMD, 0, read_of(sector), unsupported, sector + 1},
    {"a read with the legacy barrier bit", 0x80000000, 0, read_of(sector), unsupported, sector + 1},
    {"a discard, which was not offered", VIRTIO_BLK_T_DISCARD, 0, write_of(16), unsupported, 1},
    {"write zeroes, which was not offered", VIRTIO_BLK_T_WRITE_ZEROES, 0, write_of(16), unsupported, 1},
    {"a secure erase, which was not offered", VIRTIO_BLK_T_SECURE_ERASE, 0, write_of(16), unsupported, 1},
    {"a flush of a sector, with data", VIRTIO_BLK_T_FLUSH, 5, write_of(sector), ok, 1},
    {"a flush with room for an answer", VIRTIO_BLK_T_FLUSH, 0, read_of(sector), ok, sector + 1},
    {"GET_ID without room", VIRTIO_BLK_T_GET_ID, 0, {header, status}, ok, 1},
    {"GET_ID with room for one byte", VIRTIO_BLK_T_GET_ID, 0, read_of(1), ok, 2},
    {"GET_ID with room for a page", VIRTIO_BLK_T_GET_ID, 0, read_of(4096), ok, 4097},
    {"GET_ID at a sector that is not there, which it does not look at", VIRTIO_BLK_T_GET_ID, ~std::uint64_t{0},
     read_of(20), ok, 21},
    {"a read whose buffer was meant for a write", VIRTIO_BLK_T_IN, 0, write_of(sector), ok, 1},
    {"a write whose buffer was meant for a read", VIRTIO_BLK_T_OUT, 0, read_of(sector), ok, sector + 1},
};

void write_header(rig& q, std::uint32_t type, std::uint64_t sector_at) {
  const virtio_blk_outhdr h{.type = type, .ioprio = 0, .sector = sector_at};
  std::memcpy(q.at(header_at), &h, sizeof h);
}

TEST_CASE("hostile blk: each request gets its status, the file stays as it was, and the disk goes on") {
  for (const blk_case& one : cases) DYNAMIC_SECTION(one.name) {
      rig q(lane::blk);
      const auto before = q.file().read(0, disk_sectors * sector);
      write_header(q, one.type, one.sector_at);
      *q.at(status_at) = std::byte{untouched};
      q.submit(one.what);
      CHECK(q.next_used().written == one.written);
      CHECK(q.status_at(status_at) == one.status);
      CHECK(q.error() == ring_error::none);
      CHECK(q.file().read(0, disk_sectors * sector) == before);  // no case writes a whole sector that is there
      q.expect_a_valid_request_served();
    }
}

TEST_CASE("hostile blk: a failed read leaves zeros, not what was in the buffer before") {
  rig q(lane::blk);
  write_header(q, VIRTIO_BLK_T_IN, disk_sectors);
  std::memset(q.at(data_at), 0x5a, sector);
  q.submit(read_of(sector));
  CHECK(q.next_used().written == sector + 1);
  CHECK(q.status_at(status_at) == io_error);
  const std::vector<std::byte> zeros(sector);
  CHECK(std::memcmp(q.at(data_at), zeros.data(), sector) == 0);
  q.expect_a_valid_request_served();
}

TEST_CASE("hostile blk: a write to a read-only disk fails and writes nothing") {
  rig q(lane::blk, {.read_only = true});
  const auto before = q.file().read(0, disk_sectors * sector);
  write_header(q, VIRTIO_BLK_T_OUT, 0);
  std::memset(q.at(data_at), 0x5a, sector);
  q.submit(write_of(sector));
  CHECK(q.next_used().written == 1);
  CHECK(q.status_at(status_at) == io_error);
  CHECK(q.file().read(0, disk_sectors * sector) == before);
  q.expect_a_valid_request_served();
}

TEST_CASE("hostile blk: as many segments as the device allows are served") {
  rig q(lane::blk);
  chain c{header};
  for (std::uint32_t i = 0; i < 254; ++i) c.push_back(rig::w(data_at + 2 * i, i == 253 ? sector - 2 * 253 : 2));
  c.push_back(status);
  write_header(q, VIRTIO_BLK_T_IN, 1);
  q.write_table(c, table);
  q.offer(0);
  q.kick();
  CHECK(q.next_used().written == sector + 1);
  CHECK(q.status_at(status_at) == ok);
  CHECK(std::memcmp(q.at(data_at), q.file().read(sector, sector).data(), sector) == 0);
  q.expect_a_valid_request_served();
}

TEST_CASE("hostile blk: a header before an indirect table belongs to its chain") {
  rig q(lane::blk);
  write_header(q, VIRTIO_BLK_T_IN, 3);
  q.write_table({rig::w(data_at, sector), status}, table, 1);
  q.desc(0) = header;
  q.desc(0).flags = VRING_DESC_F_NEXT;
  q.desc(0).next = 1;
  q.offer(0);
  q.kick();
  CHECK(q.next_used().written == sector + 1);
  CHECK(q.status_at(status_at) == ok);
  q.expect_a_valid_request_served();
}

// The driver races with the device on purpose: ThreadSanitizer would say so.
#ifndef __SANITIZE_THREAD__
TEST_CASE("hostile blk: what the driver changes of a header after it was offered changes nothing, or all of it") {
  rig q(lane::blk);
  const auto before = q.file().read(0, disk_sectors * sector);
  q.write(read_of(sector));
  std::memset(q.at(data_at), 0x5a, sector);
  for (int i = 0; i < 200; ++i) {  // the type flips between a read and a request that is unsupported, under the device
    write_header(q, VIRTIO_BLK_T_IN, 0);
    q.offer(0);
    q.kick();
    write_header(q, 0xffffffff, 0);
    CHECK(q.next_used().written == sector + 1);
    const std::uint8_t seen = q.status_at(status_at);
    CHECK((seen == ok || seen == unsupported));
  }
  CHECK(q.file().read(0, disk_sectors * sector) == before);
  q.expect_a_valid_request_served();
}
#endif

}  // namespace
}  // namespace vloop::test
