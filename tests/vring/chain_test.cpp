// SPDX-License-Identifier: MIT
// Walking descriptor chains: what well-behaved drivers send, and one case for each thing that a hostile one can do.
#include "vring/chain.hpp"

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

namespace vloop {
namespace {

constexpr std::uint16_t next_flag = VRING_DESC_F_NEXT;
constexpr std::uint16_t write_flag = VRING_DESC_F_WRITE;
constexpr std::uint16_t indirect_flag = VRING_DESC_F_INDIRECT;

// A ring of 8 and a driver's memory of 64 KiB at address 0x100000; the ring itself lies outside that memory.
struct fixture {
  static constexpr std::uint64_t base = 0x100000;
  static constexpr std::uint16_t ring_size = 8;

  fixture() : memory(65536), ring_bytes(split_ring::bytes(ring_size) + 16) {
    map.add({.address = base, .memory = memory});
    const auto here = reinterpret_cast<std::uintptr_t>(ring_bytes.data());
    ring = split_ring::at(ring_bytes.data() + (16 - here % 16) % 16, ring_size);
  }

  void set(std::uint16_t index, std::uint64_t address, std::uint32_t length, std::uint16_t flags,
           std::uint16_t next = 0) {
    ring.descriptors[index] = {.addr = address, .len = length, .flags = flags, .next = next};
  }
  vring_desc* table_at(std::uint64_t offset) { return reinterpret_cast<vring_desc*>(memory.data() + offset); }

  ring_error walk(std::uint16_t head = 0, bool indirect = true, std::size_t segments_max = 32) {
    return walk_chain(ring, head, map, indirect, std::span(segments).first(segments_max), result);
  }

  std::vector<std::byte> memory;
  std::vector<std::byte> ring_bytes;
  memory_map map;
  split_ring ring;
  std::array<segment, 32> segments{};
  chain result;
};

TEST_CASE("a blk read has its header readable and its data and status writable") {
  fixture f;
  f.set(0, f.base, 16, next_flag, 4);
  f.set(4, f.base + 4096, 4096, next_flag | write_flag, 2);
  f.set(2, f.base + 100, 1, write_flag);
  REQUIRE(f.walk() == ring_error::none);
  CHECK(f.result.readable == 16);
  CHECK(f.result.writable == 4097);
  CHECK(f.result.readable_segments == 1);
  CHECK(f.result.writable_segments == 2);
  CHECK(f.segments[1].base == f.memory.data() + 4096);
  CHECK(f.segments[2].length == 1);
}

TEST_CASE("a chain of the whole queue is served") {
  fixture f;
  for (std::uint16_t i = 0; i < 8; ++i)
    f.set(i, f.base + i, 1, i < 7 ? next_flag : 0, static_cast<std::uint16_t>(i + 1));
  REQUIRE(f.walk() == ring_error::none);
  CHECK(f.result.readable == 8);
}

TEST_CASE("a buffer that reaches over two regions becomes two segments") {
  fixture f;
  std::vector<std::byte> more(4096);
  f.map.add({.address = f.base + 65536, .memory = more});
  f.set(0, f.base + 65000, 1000, write_flag);
  REQUIRE(f.walk() == ring_error::none);
  CHECK(f.result.writable == 1000);
  CHECK(f.result.writable_segments == 2);
  CHECK(f.segments[0].length == 536);
  CHECK(f.segments[1].base == more.data());
}

TEST_CASE("a chain in an indirect table is served, and the WRITE flag on the table ignored") {
  fixture f;
  f.table_at(512)[0] = {.addr = f.base, .len = 16, .flags = next_flag, .next = 1};
  f.table_at(512)[1] = {.addr = f.base + 4096, .len = 513, .flags = write_flag, .next = 0};
  f.set(0, f.base + 512, 32, indirect_flag | write_flag);
  REQUIRE(f.walk() == ring_error::none);
  CHECK(f.result.readable == 16);
  CHECK(f.result.writable == 513);
}

TEST_CASE("descriptors before an indirect table belong to the chain") {
  fixture f;
  f.table_at(512)[0] = {.addr = f.base + 4096, .len = 513, .flags = write_flag, .next = 0};
  f.set(0, f.base, 16, next_flag, 1);
  f.set(1, f.base + 512, 16, indirect_flag);
  REQUIRE(f.walk() == ring_error::none);
  CHECK(f.result.readable == 16);
  CHECK(f.result.writable == 513);
}

TEST_CASE("an indirect table longer than the queue is served, as Linux makes them") {
  fixture f;
  for (std::uint16_t i = 0; i < 20; ++i)
    f.table_at(512)[i] = {.addr = f.base + i,
                          .len = 1,
                          .flags = i < 19 ? next_flag : std::uint16_t{0},
                          .next = static_cast<std::uint16_t>(i + 1)};
  f.set(0, f.base + 512, 20 * 16, indirect_flag);
  REQUIRE(f.walk() == ring_error::none);
  CHECK(f.result.readable == 20);
}

TEST_CASE("an indirect table at an odd address is served") {
  fixture f;
  const vring_desc d{.addr = f.base, .len = 5, .flags = 0, .next = 0};
  std::memcpy(f.memory.data() + 513, &d, sizeof(d));
  f.set(0, f.base + 513, 16, indirect_flag);
  REQUIRE(f.walk() == ring_error::none);
  CHECK(f.result.readable == 5);
}

TEST_CASE("hostile: a head outside the table is rejected") {
  fixture f;
  CHECK(f.walk(8) == ring_error::bad_head);
  CHECK(f.walk(65535) == ring_error::bad_head);
}

TEST_CASE("hostile: a successor outside the table is rejected") {
  fixture f;
  f.set(0, f.base, 16, next_flag, 8);
  CHECK(f.walk() == ring_error::bad_next);
}

TEST_CASE("hostile: a descriptor that follows itself ends as too long") {
  fixture f;
  f.set(0, f.base, 16, next_flag, 0);
  CHECK(f.walk() == ring_error::too_long);
}

TEST_CASE("hostile: a loop over two descriptors ends as too long") {
  fixture f;
  f.set(0, f.base, 16, next_flag, 1);
  f.set(1, f.base, 16, next_flag, 0);
  CHECK(f.walk() == ring_error::too_long);
}

TEST_CASE("hostile: a loop of zero-length descriptors ends at the first") {
  fixture f;
  f.set(0, f.base, 0, next_flag, 0);
  CHECK(f.walk() == ring_error::zero_length);
}

TEST_CASE("hostile: a zero-length buffer is rejected") {
  fixture f;
  f.set(0, f.base, 16, next_flag, 1);
  f.set(1, f.base, 0, write_flag);
  CHECK(f.walk() == ring_error::zero_length);
}

TEST_CASE("hostile: a readable buffer after a writable one is rejected") {
  fixture f;
  f.set(0, f.base, 16, next_flag | write_flag, 1);
  f.set(1, f.base, 16, 0);
  CHECK(f.walk() == ring_error::write_before_read);
}

TEST_CASE("hostile: an address outside every region is rejected") {
  fixture f;
  f.set(0, 0, 16, 0);
  CHECK(f.walk() == ring_error::bad_address);
  f.set(0, f.base - 1, 1, 0);
  CHECK(f.walk() == ring_error::bad_address);
  f.set(0, f.base + 65536, 1, 0);
  CHECK(f.walk() == ring_error::bad_address);
}

TEST_CASE("a buffer that ends with its region is served; one byte more is rejected") {
  fixture f;
  f.set(0, f.base + 65535, 1, 0);
  CHECK(f.walk() == ring_error::none);
  f.set(0, f.base + 65535, 2, 0);
  CHECK(f.walk() == ring_error::bad_address);
}

TEST_CASE("hostile: a buffer that wraps around the address space is rejected") {
  fixture f;
  f.set(0, std::numeric_limits<std::uint64_t>::max() - 7, 16, 0);
  CHECK(f.walk() == ring_error::bad_address);
}

TEST_CASE("hostile: a chain of more than 2^32 - 1 bytes is rejected before any address is looked at") {
  fixture f;
  f.set(0, f.base, 16, next_flag, 1);
  f.set(1, f.base, 0xffffffff, 0);
  CHECK(f.walk() == ring_error::too_large);
}

TEST_CASE("hostile: a chain with more segments than the device allows is rejected") {
  fixture f;
  for (std::uint16_t i = 0; i < 5; ++i)
    f.set(i, f.base + i, 1, i < 4 ? next_flag : 0, static_cast<std::uint16_t>(i + 1));
  CHECK(f.walk(0, true, 5) == ring_error::none);
  CHECK(f.walk(0, true, 4) == ring_error::too_long);
}

TEST_CASE("hostile: an indirect table without the feature is rejected") {
  fixture f;
  f.table_at(512)[0] = {.addr = f.base, .len = 16, .flags = 0, .next = 0};
  f.set(0, f.base + 512, 16, indirect_flag);
  CHECK(f.walk(0, false) == ring_error::indirect_not_negotiated);
}

TEST_CASE("hostile: an indirect table of no or half descriptors is rejected") {
  fixture f;
  f.set(0, f.base + 512, 0, indirect_flag);
  CHECK(f.walk() == ring_error::indirect_size);
  f.set(0, f.base + 512, 24, indirect_flag);
  CHECK(f.walk() == ring_error::indirect_size);
}

TEST_CASE("hostile: a table in a table is rejected") {
  fixture f;
  f.table_at(512)[0] = {.addr = f.base + 512, .len = 16, .flags = indirect_flag, .next = 0};
  f.set(0, f.base + 512, 16, indirect_flag);
  CHECK(f.walk() == ring_error::indirect_chained);
}

TEST_CASE("hostile: a descriptor after an indirect table is rejected") {
  fixture f;
  f.table_at(512)[0] = {.addr = f.base, .len = 16, .flags = 0, .next = 0};
  f.set(0, f.base + 512, 16, indirect_flag | next_flag, 1);
  f.set(1, f.base, 16, 0);
  CHECK(f.walk() == ring_error::indirect_chained);
}

TEST_CASE("hostile: an indirect table outside the driver's memory is rejected") {
  fixture f;
  f.set(0, f.base + 65536 - 16, 32, indirect_flag);
  CHECK(f.walk() == ring_error::bad_address);
  f.set(0, std::numeric_limits<std::uint64_t>::max() - 15, 32, indirect_flag);
  CHECK(f.walk() == ring_error::bad_address);
}

TEST_CASE("hostile: a successor outside the indirect table is rejected") {
  fixture f;
  f.table_at(512)[0] = {.addr = f.base, .len = 16, .flags = next_flag, .next = 1};
  f.set(0, f.base + 512, 16, indirect_flag);
  CHECK(f.walk() == ring_error::bad_next);
}

TEST_CASE("hostile: a loop in an indirect table ends as too long") {
  fixture f;
  f.table_at(512)[0] = {.addr = f.base, .len = 16, .flags = next_flag, .next = 1};
  f.table_at(512)[1] = {.addr = f.base, .len = 16, .flags = next_flag, .next = 0};
  f.set(0, f.base + 512, 32, indirect_flag);
  CHECK(f.walk() == ring_error::too_long);
}

TEST_CASE("hostile: a huge indirect table that loops ends at the device's bound") {
  fixture f;
  for (int i = 0; i < 4096; ++i) f.table_at(0)[i] = {.addr = f.base, .len = 16, .flags = next_flag, .next = 0};
  f.set(0, f.base, 65536, indirect_flag);
  CHECK(f.walk() == ring_error::too_long);
}

TEST_CASE("hostile: unknown descriptor flags are ignored") {
  fixture f;
  f.set(0, f.base, 16, 0xfff8);
  CHECK(f.walk() == ring_error::none);
}

}  // namespace
}  // namespace vloop
