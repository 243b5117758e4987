// SPDX-License-Identifier: MIT
// A daemon that goes away and comes back: what it had is given to it again, once, in order.
#include <linux/virtio_config.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include "support/temporary_file.hpp"
#include "vhost_user/served.hpp"

namespace vloop::test {
namespace {

using Catch::Matchers::ContainsSubstring;

std::uint64_t sector_of(const fake_daemon::taken& t) {
  virtio_blk_outhdr header;
  std::memcpy(&header, t.header.data(), sizeof header);
  return header.sector;
}

TEST_CASE("what a daemon had when it died is done by the one that comes, in the same order") {
  std::vector<std::uint64_t> order;  // the daemon's thread's, until the end
  {
    served s({.on_request =
                  [&order](fake_daemon::taken& t) {
                    order.push_back(sector_of(t));
                    if (order.size() == 5) t.daemon.drop_connection();
                    return order.size() <= 5;
                  }},
             {.queue_size = 64, .reconnect = 10s});
    std::vector<blk_driver::ticket> tickets;
    auto disk = s.disk();
    for (std::uint64_t i = 0; i < 8; ++i) tickets.push_back(disk.write(i, pattern(512, i)));
    for (const auto t : tickets) CHECK(disk.finish(t).ok());
    for (std::uint64_t i = 0; i < 8; ++i) CHECK(disk.finish(disk.read(i, 512)).data == pattern(512, i));
    CHECK(s.daemon.connections() == 2);
    CHECK_FALSE(s.watched->failed());
    s.rig->stop();
  }
  REQUIRE(order.size() == 5 + 8 + 8);
  for (std::uint64_t i = 0; i < 5; ++i) CHECK(order[i] == i);
  for (std::uint64_t i = 0; i < 8; ++i) CHECK(order[5 + i] == i);
}

TEST_CASE("what a daemon had answered before it died is not asked for again") {
  std::atomic<unsigned> count{0};
  served s({.on_request =
                [&count](fake_daemon::taken& t) {
                  if (++count != 2) return false;
                  t.daemon.drop_connection();
                  return true;
                }},
           {.reconnect = 10s});
  CHECK(s.disk().finish(s.disk().write(0, pattern(512, 1))).ok());
  CHECK(s.disk().finish(s.disk().read(0, 512)).data == pattern(512, 1));
  CHECK(count == 3);
}

TEST_CASE("a daemon that dies again and again is met again each time") {
  std::atomic<unsigned> count{0};
  served s({.on_request =
                [&count](fake_daemon::taken& t) {
                  if (++count % 3 != 0) return false;
                  t.daemon.drop_connection();
                  return true;
                }},
           {.reconnect = 10s});
  for (std::uint64_t i = 0; i < 20; ++i) {
    CHECK(s.disk().finish(s.disk().write(i * 8, pattern(4096, i))).ok());
    CHECK(s.disk().finish(s.disk().read(i * 8, 4096)).data == pattern(4096, i));
  }
  CHECK(s.daemon.connections() > 10);
}

TEST_CASE("a daemon that does not come back in time ends the device") {
  served s({.on_request =
                [](fake_daemon::taken& t) {
                  t.daemon.close_socket();
                  return true;
                }},
           {.reconnect = 1s});
  const auto ticket = s.disk().read(0, 512);
  const auto line = s.watched->failure();
  CHECK_THAT(line, ContainsSubstring("it did not come back within 1 s"));
  CHECK(is_one_line(line));
  s.rig->stop();
  CHECK_FALSE(s.rig->queue(0).finished(ticket));
}

// Dies with its first request; the one that is started then says `other` where it is asked for `code`.
fake_daemon::script comes_back_with(vhost_user::request_code code, std::uint64_t other) {
  const auto back = std::make_shared<std::atomic<bool>>(false);
  return {.on_message =
              [=](fake_daemon& d, const fake_daemon::message& m) {
                if (!*back || m.header.code != static_cast<std::uint32_t>(code)) return false;
                d.reply_number(code, other);
                return true;
              },
          .on_request =
              [=](fake_daemon::taken& t) {
                *back = true;
                t.daemon.drop_connection();
                return true;
              }};
}

TEST_CASE("a daemon that comes back as another ends the device") {
  served s(comes_back_with(vhost_user::request_code::get_queue_num, 0), {.reconnect = 10s});
  s.disk().read(0, 512);
  CHECK_THAT(s.watched->failure(), ContainsSubstring("it has no queues"));
}

TEST_CASE("a daemon that comes back with other features ends the device") {
  const std::uint64_t features = std::uint64_t{1} << VIRTIO_F_VERSION_1 | std::uint64_t{1} << VIRTIO_BLK_F_SEG_MAX |
                                 vhost_user::has_protocol_features;
  served s(comes_back_with(vhost_user::request_code::get_features, features), {.reconnect = 10s});
  s.disk().read(0, 512);
  CHECK_THAT(s.watched->failure(), ContainsSubstring("it has come back with other features"));
}

TEST_CASE("a stop does not wait for a daemon that may come back") {
  served s({.on_request =
                [](fake_daemon::taken& t) {
                  t.daemon.close_socket();
                  return true;
                }},
           {.reconnect = 3600s});
  s.disk().read(0, 512);
  const auto began = std::chrono::steady_clock::now();
  s.rig->stop();
  s.rig.reset();
  s.watched.reset();
  s.external.reset();
  CHECK(std::chrono::steady_clock::now() - began < 15s);
}

}  // namespace
}  // namespace vloop::test
