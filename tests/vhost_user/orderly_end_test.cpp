// SPDX-License-Identifier: MIT
// What a daemon is told when it is not needed any more, and when the driver resets its device: it goes on living.
#include <linux/virtio_blk.h>

#include <algorithm>

#include "support/temporary_file.hpp"
#include "vhost_user/served.hpp"

namespace vloop::test {
namespace {

using vhost_user::protocol_feature;
using vhost_user::request_code;
using codes = std::vector<request_code>;

constexpr std::uint64_t bit(unsigned n) {
  return std::uint64_t{1} << n;
}

// The daemon goes on: what it saw since `before`.
codes seen_at_the_end(served& s) {
  CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
  const std::size_t before = s.daemon.seen().size();
  s.rig.reset();
  s.watched.reset();
  s.external.reset();
  const codes all = s.daemon.seen();
  return {all.begin() + static_cast<std::ptrdiff_t>(before), all.end()};
}

TEST_CASE("at the end each ring is stopped, then disabled") {
  served s({.features = bit(VIRTIO_BLK_F_MQ), .queues = 2});
  CHECK(seen_at_the_end(s) == codes{request_code::get_vring_base, request_code::set_vring_enable,
                                    request_code::get_vring_base, request_code::set_vring_enable});
}

TEST_CASE("a daemon with RESET_DEVICE is reset at the end by that") {
  served s({.protocol_features =
                vhost_user::bit(protocol_feature::reset_device) | vhost_user::bit(protocol_feature::status)});
  CHECK(seen_at_the_end(s) ==
        codes{request_code::get_vring_base, request_code::set_vring_enable, request_code::reset_device});
}

TEST_CASE("a daemon with STATUS is reset at the end by that") {
  served s({.protocol_features = vhost_user::bit(protocol_feature::status)});
  CHECK(seen_at_the_end(s) ==
        codes{request_code::get_vring_base, request_code::set_vring_enable, request_code::set_status});
}

TEST_CASE("memory that was added is removed at the end") {
  served s({.protocol_features = vhost_user::bit(protocol_feature::configure_mem_slots)});
  CHECK(seen_at_the_end(s) ==
        codes{request_code::get_vring_base, request_code::set_vring_enable, request_code::rem_mem_reg});
}

TEST_CASE("a daemon with memory slots gets its memory in one, and no table") {
  served s({.protocol_features = vhost_user::bit(protocol_feature::configure_mem_slots)});
  CHECK(s.disk().finish(s.disk().write(3, pattern(4096, 1))).ok());
  CHECK(s.disk().finish(s.disk().read(3, 4096)).data == pattern(4096, 1));
  const codes all = s.daemon.seen();
  CHECK(std::ranges::count(all, request_code::get_max_mem_slots) == 1);
  CHECK(std::ranges::count(all, request_code::add_mem_reg) == 1);
  CHECK(std::ranges::count(all, request_code::set_mem_table) == 0);
}

TEST_CASE("a daemon that is not needed any more and hangs does not hold up the end") {
  served s({.on_message = [](fake_daemon&, const fake_daemon::message& m) {
    return m.header.code == static_cast<std::uint32_t>(request_code::get_vring_base);
  }});
  CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
  const auto began = std::chrono::steady_clock::now();
  s.rig.reset();
  s.watched.reset();
  s.external.reset();
  CHECK(std::chrono::steady_clock::now() - began < 4s);
}

// ---- the driver resets its device ----

TEST_CASE("a driver that resets its device has the daemon's side reset, and goes on") {
  served s({.features = bit(VIRTIO_BLK_F_MQ),
            .protocol_features = vhost_user::bit(protocol_feature::reset_device),
            .queues = 2});
  CHECK(s.disk(1).finish(s.disk(1).write(8, pattern(4096, 5))).ok());
  s.rig->reset(0);
  CHECK(s.disk(0).finish(s.disk(0).read(8, 4096)).data == pattern(4096, 5));
  CHECK(s.disk(1).finish(s.disk(1).read(8, 4096)).data == pattern(4096, 5));
  const codes all = s.daemon.seen();
  CHECK(std::ranges::count(all, request_code::get_vring_base) == 2);
  CHECK(std::ranges::count(all, request_code::reset_device) == 1);
  CHECK(std::ranges::count(all, request_code::set_features) == 2);
  CHECK(std::ranges::count(all, request_code::set_vring_kick) == 4);
  CHECK_FALSE(s.watched->failed());
}

TEST_CASE("a driver may reset its device again and again") {
  served s({.protocol_features = vhost_user::bit(protocol_feature::configure_mem_slots) |
                                 vhost_user::bit(protocol_feature::inflight_shmfd) |
                                 vhost_user::bit(protocol_feature::status) |
                                 vhost_user::bit(protocol_feature::backend_req)});
  for (std::uint64_t i = 0; i < 10; ++i) {
    CHECK(s.disk().finish(s.disk().write(i, pattern(512, i))).ok());
    s.rig->reset(0);
    CHECK(s.disk().finish(s.disk().read(i, 512)).data == pattern(512, i));
  }
  CHECK(std::ranges::count(s.daemon.seen(), request_code::add_mem_reg) == 1);
  CHECK_FALSE(s.watched->failed());
}

TEST_CASE("what waits in the daemon when the driver resets its device is given up, and the next request is served") {
  std::atomic<int> count{0};
  served s({.on_message =
                [](fake_daemon& d, const fake_daemon::message& m) {
                  if (m.header.code != static_cast<std::uint32_t>(request_code::get_features)) return false;
                  d.reply_number(request_code::get_features,
                                 bit(VIRTIO_F_VERSION_1) | vhost_user::has_protocol_features);
                  return true;
                },
            .on_request =
                [&count](fake_daemon::taken& t) {
                  if (++count == 1) return true;  // kept for something that does not happen
                  std::ranges::fill(t.writable.at(0), std::byte{0x77});
                  t.give_back(static_cast<std::uint32_t>(t.writable.at(0).size()));
                  t.daemon.interrupt();
                  return true;
                }},
           {.type = "i2c"});
  const auto one = std::byte{1};
  auto& queue = s.rig->queue(0);
  queue.submit(std::span(&one, 1), 64);
  const auto deadline = std::chrono::steady_clock::now() + long_wait;
  while (count == 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(1ms);
  s.rig->reset(0);
  const auto answer = queue.finish(queue.submit(std::span(&one, 1), 64));
  CHECK(answer.written == 64);
  CHECK(answer.writable[63] == std::byte{0x77});
  CHECK(count == 2);
  CHECK_FALSE(s.watched->failed());
}

}  // namespace
}  // namespace vloop::test
