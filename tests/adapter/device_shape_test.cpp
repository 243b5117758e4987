// SPDX-License-Identifier: MIT
#include "adapter/device_shape.hpp"

#include <linux/virtio_blk.h>

#include <catch2/catch_test_macros.hpp>
#include <cstring>

using namespace vloop;

namespace {

constexpr std::uint64_t transport_bits = (std::uint64_t{1} << 32) | (std::uint64_t{1} << 29);

std::vector<std::byte> config_of(std::uint64_t sectors, std::uint32_t block_size, std::uint32_t seg_max) {
  virtio_blk_config config{};
  config.capacity = sectors;
  config.blk_size = block_size;
  config.seg_max = seg_max;
  std::vector<std::byte> bytes(offsetof(virtio_blk_config, max_discard_sectors));
  std::memcpy(bytes.data(), &config, bytes.size());
  return bytes;
}

device_description disk_of_two_queues() {
  device_description d;
  d.id = 2;
  d.features = 0x244;
  d.config = config_of(1000, 512, 254);
  d.config_changes = 8;
  d.queues = {{.size = 256}, {.size = 256}};
  d.kind = "blk";
  return d;
}

/// A disk, and the server that made it.
struct pair_of {
  device_shape there{.id = 2,
                     .features = 0x244 | transport_bits,
                     .queue_count = 2,
                     .queue_sizes = std::vector<std::uint16_t>{256, 256},
                     .config = config_of(1000, 512, 254)};
  device_description server = disk_of_two_queues();
};

}  // namespace

TEST_CASE("a server fits the device that it made, whatever the transport added") {
  const pair_of one;
  CHECK(misfit(one.there, one.server).empty());
}

TEST_CASE("the size of a disk may differ") {
  pair_of one;
  one.server.config = config_of(5000, 512, 254);
  CHECK(misfit(one.there, one.server).empty());
}

TEST_CASE("another kind does not fit") {
  pair_of one;
  one.server.id = 4;
  one.server.kind = "rng";
  CHECK(misfit(one.there, one.server) == "it is of the kind blk, not rng");
}

TEST_CASE("another number of queues, or other sizes, do not fit") {
  pair_of one;
  one.server.queues.pop_back();
  CHECK(misfit(one.there, one.server) == "it was made with 2 queues, not 1");
  one.server.queues.push_back({.size = 128});
  CHECK(misfit(one.there, one.server) == "its queue 1 was made with 256 entries, not 128");
}

TEST_CASE("other features do not fit, and read-only is told in words") {
  pair_of one;
  one.server.features |= std::uint64_t{1} << VIRTIO_BLK_F_RO;
  CHECK(misfit(one.there, one.server) == "it was not made read-only");
  one.there.features = one.server.features;
  one.server.features = 0x244;
  CHECK(misfit(one.there, one.server) == "it was made read-only, so add ,readonly");
  one.there.features = 0x1244;
  CHECK(misfit(one.there, one.server) == "it offers its driver the features 0x1244, not 0x244");
}

TEST_CASE("another block size, limit or length of the configuration does not fit") {
  pair_of one;
  one.server.config = config_of(1000, 4096, 254);
  CHECK(misfit(one.there, one.server) == "it was made with blocks of 512 bytes, this file has 4096");
  one.server.config = config_of(1000, 512, 100);
  CHECK(misfit(one.there, one.server) == "its configuration space is another");
  one.server.config = config_of(1000, 512, 254);
  one.server.config.pop_back();
  CHECK(misfit(one.there, one.server) == "its configuration space is another");
}

TEST_CASE("what is not known is taken to fit") {
  pair_of one;
  one.there.queue_sizes = std::nullopt;
  one.there.config = std::nullopt;
  one.server.queues[0].size = 4;
  one.server.config.clear();
  CHECK(misfit(one.there, one.server).empty());
}

TEST_CASE("a server fits the way in which a device's memory is reached") {
  pair_of one;
  one.there.in_place = true;
  CHECK(misfit(one.there, one.server) == "it was made with a window, so add ,access=window");
  one.server.in_place = true;
  CHECK(misfit(one.there, one.server).empty());
  one.there.in_place = false;
  CHECK(misfit(one.there, one.server) == "it was made without a window, so leave access=window out");
}
