// SPDX-License-Identifier: MIT
// An honest daemon: what the driver asks for is what it gets.
#include <linux/virtio_config.h>

#include <algorithm>
#include <cstring>

#include "support/temporary_file.hpp"
#include "vhost_user/served.hpp"

namespace vloop::test {
namespace {

constexpr std::uint64_t bit(unsigned n) {
  return std::uint64_t{1} << n;
}

TEST_CASE("what the driver writes is on the daemon's disk, and what is there is read") {
  served s;
  auto disk = s.disk();
  const auto data = pattern(4096, 1);
  CHECK(disk.finish(disk.write(16, data)).ok());
  const auto on_disk = s.daemon.disk();
  CHECK(std::equal(data.begin(), data.end(), on_disk.begin() + 16 * 512));
  const auto read = disk.finish(disk.read(16, 4096));
  CHECK(read.ok());
  CHECK(read.written == 4097);
  CHECK(read.data == data);
  CHECK(disk.finish(disk.flush()).ok());
}

TEST_CASE("requests larger than what is copied inline keep their data") {
  served s;
  auto disk = s.disk();
  const auto data = pattern(100 * 1024, 2);
  CHECK(disk.finish(disk.write(3, data)).ok());
  CHECK(disk.finish(disk.read(3, 100 * 1024)).data == data);
}

TEST_CASE("many requests of many sizes, in flight at once, keep to themselves") {
  served s;
  auto disk = s.disk();
  for (unsigned round = 0; round < 50; ++round) {
    std::vector<std::pair<blk_driver::ticket, std::vector<std::byte>>> all;
    for (unsigned i = 0; i < 5; ++i) {
      auto data = pattern(512 * (1 + (round * 7 + i * 13) % 60), round * 5 + i);
      const auto ticket = disk.write(i * 64, data);
      all.emplace_back(ticket, std::move(data));
    }
    for (auto& [ticket, data] : all) REQUIRE(disk.finish(ticket).ok());
    for (unsigned i = 0; i < 5; ++i)
      REQUIRE(disk.finish(disk.read(i * 64, static_cast<std::uint32_t>(all[i].second.size()))).data == all[i].second);
  }
}

TEST_CASE("an error of the daemon's disk is the driver's error, and brings no data") {
  served s;
  auto disk = s.disk();
  const auto read = disk.finish(disk.read(fake_daemon::sectors, 4096));
  CHECK(read.status == VIRTIO_BLK_S_IOERR);
  CHECK(std::ranges::all_of(read.data, [](std::byte b) { return b == std::byte{0}; }));
  CHECK(disk.finish(disk.raw(77, 0, {}, 1)).status == VIRTIO_BLK_S_UNSUPP);
}

TEST_CASE("a status that no disk has is an error") {
  served s({.on_request = [](fake_daemon::taken& t) {
    t.writable.back()[0] = std::byte{9};
    t.used.push(t.head, 1);
    t.daemon.interrupt();
    return true;
  }});
  CHECK(s.disk().finish(s.disk().read(0, 512)).status == VIRTIO_BLK_S_IOERR);
}

TEST_CASE("a daemon that writes no status gave an error") {
  served s({.on_request = [](fake_daemon::taken& t) {
    t.used.push(t.head, 513);
    t.daemon.interrupt();
    return true;
  }});
  CHECK(s.disk().finish(s.disk().read(0, 512)).status == VIRTIO_BLK_S_IOERR);
}

TEST_CASE("the driver is offered the disk's features that are checked, and none of the transport's") {
  served s({.features = bit(VIRTIO_BLK_F_FLUSH) | bit(VIRTIO_F_RING_PACKED) | bit(VIRTIO_F_ACCESS_PLATFORM) |
                        bit(VIRTIO_BLK_F_CONFIG_WCE)});
  const std::uint64_t expected =
      bit(VIRTIO_BLK_F_SIZE_MAX) | bit(VIRTIO_BLK_F_SEG_MAX) | bit(VIRTIO_BLK_F_BLK_SIZE) | bit(VIRTIO_BLK_F_FLUSH);
  CHECK(s.external->describe().features == expected);
  CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
  const std::uint64_t told = bit(VIRTIO_BLK_F_SEG_MAX) | bit(VIRTIO_BLK_F_BLK_SIZE) | bit(VIRTIO_BLK_F_FLUSH) |
                             bit(VIRTIO_F_VERSION_1) | bit(VIRTIO_RING_F_EVENT_IDX) | vhost_user::has_protocol_features;
  CHECK(s.daemon.features_set() == told);
}

TEST_CASE("the largest request that the driver is allowed fits the daemon's ring, however small its pieces") {
  const auto with_small_pieces = [](fake_daemon& d, const fake_daemon::message& m) {
    if (m.header.code != static_cast<std::uint32_t>(vhost_user::request_code::get_config)) return false;
    std::vector<std::byte> payload(m.payload);
    virtio_blk_config config{};
    config.capacity = fake_daemon::sectors;
    config.size_max = 4096;
    config.blk_size = 512;
    config.seg_max = 126;
    config.num_queues = 1;
    std::memcpy(payload.data() + sizeof(vhost_user::config_head), &config,
                std::min(sizeof config, payload.size() - sizeof(vhost_user::config_head)));
    d.reply(vhost_user::request_code::get_config, payload);
    return true;
  };
  served s({.on_message = with_small_pieces, .features = bit(VIRTIO_BLK_F_SIZE_MAX)}, {.queue_size = 4});
  virtio_blk_config config{};
  const auto& bytes = s.external->describe().config;
  std::memcpy(&config, bytes.data(), bytes.size());
  const std::uint32_t most = config.seg_max * config.size_max;
  REQUIRE(most == 2 * 4096);
  const auto data = pattern(most, 7);
  CHECK(s.disk().finish(s.disk().write(0, data)).ok());
  CHECK(s.disk().finish(s.disk().read(0, most)).data == data);
}

TEST_CASE("the configuration is read whole, once, and its limits fit the shared memory and the ring") {
  served s;
  virtio_blk_config config{};
  const auto& bytes = s.external->describe().config;
  REQUIRE(bytes.size() == 60);
  std::memcpy(&config, bytes.data(), bytes.size());
  CHECK(config.capacity == fake_daemon::sectors);
  CHECK(config.seg_max == 14);
  CHECK(std::uint64_t{config.seg_max} * config.size_max <= vhost_user::request_bytes_max);
  const auto seen = s.daemon.seen();
  CHECK(std::ranges::count(seen, vhost_user::request_code::get_config) == 1);
}

TEST_CASE("each queue is relayed by itself") {
  served s({.features = bit(VIRTIO_BLK_F_MQ), .queues = 2});
  REQUIRE(s.external->describe().queues.size() == 2);
  const auto data = pattern(4096, 3);
  CHECK(s.disk(0).finish(s.disk(0).write(8, data)).ok());
  CHECK(s.disk(1).finish(s.disk(1).read(8, 4096)).data == data);
}

TEST_CASE("a daemon without protocol features is served by what the oldest have, if its class needs no configuration") {
  served s({.on_message =
                [](fake_daemon& d, const fake_daemon::message& m) {
                  if (m.header.code != static_cast<std::uint32_t>(vhost_user::request_code::get_features)) return false;
                  d.reply_number(vhost_user::request_code::get_features, bit(VIRTIO_F_VERSION_1));
                  return true;
                },
            .on_request =
                [](fake_daemon::taken& t) {
                  std::ranges::fill(t.writable.at(0), std::byte{0x5a});
                  t.used.push(t.head, static_cast<std::uint32_t>(t.writable.at(0).size()));
                  t.daemon.interrupt();
                  return true;
                }},
           {.type = "rng"});
  const auto one = std::byte{1};  // the fake daemon wants a readable part
  const auto a = s.rig->queue(0).finish(s.rig->queue(0).submit(std::span(&one, 1), 64));
  CHECK(a.written == 64);
  CHECK(a.writable[63] == std::byte{0x5a});
  const auto seen = s.daemon.seen();
  CHECK(std::ranges::count(seen, vhost_user::request_code::set_vring_enable) == 0);
  CHECK(std::ranges::count(seen, vhost_user::request_code::get_protocol_features) == 0);
}

TEST_CASE("a daemon with STATUS is led through the driver's states") {
  served s({.protocol_features = vhost_user::bit(vhost_user::protocol_feature::status)});
  CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
  const auto seen = s.daemon.seen();
  CHECK(std::ranges::count(seen, vhost_user::request_code::set_status) == 4);
}

TEST_CASE("what the daemon has is waited for when the queue stops") {
  std::atomic<bool> has_it{false};
  std::atomic<bool> hold{true};
  served s({.on_request = [&has_it, &hold](fake_daemon::taken&) {
    has_it = true;
    for (const auto end = std::chrono::steady_clock::now() + long_wait; hold && std::chrono::steady_clock::now() < end;)
      std::this_thread::sleep_for(1ms);
    return false;
  }});
  const auto ticket = s.disk().read(0, 512);
  const auto deadline = std::chrono::steady_clock::now() + long_wait;
  while (!has_it && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(1ms);
  REQUIRE(has_it);
  std::thread later([&hold] {
    std::this_thread::sleep_for(200ms);
    hold = false;
  });
  s.rig->stop();
  later.join();
  CHECK(s.rig->queue(0).finished(ticket));
}

TEST_CASE("a driver that resets its disk goes on with it") {
  served s;
  CHECK(s.disk().finish(s.disk().write(1, pattern(512, 4))).ok());
  s.rig->reset(0);
  CHECK(s.disk().finish(s.disk().read(1, 512)).data == pattern(512, 4));
}

}  // namespace
}  // namespace vloop::test
