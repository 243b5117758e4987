// SPDX-License-Identifier: MIT
// A daemon with INFLIGHT_SHMFD that dies: the next one finds in the log what is left to do, and does that and no more.
#include <algorithm>
#include <cstring>

#include "support/temporary_file.hpp"
#include "vhost_user/served.hpp"

namespace vloop::test {
namespace {

using vhost_user::protocol_feature;
using vhost_user::request_code;

std::uint64_t sector_of(const fake_daemon::taken& t) {
  virtio_blk_outhdr header;
  std::memcpy(&header, t.header.data(), sizeof header);
  return header.sector;
}

void answer(fake_daemon::taken& t) {
  t.writable.back()[0] = std::byte{VIRTIO_BLK_S_OK};
  t.give_back(1);
  t.daemon.interrupt();
}

// Keeps a log, and does `on_request` with what it gets.
fake_daemon::script that_logs(std::function<bool(fake_daemon::taken&)> on_request = {}) {
  return {.on_request = std::move(on_request), .protocol_features = vhost_user::bit(protocol_feature::inflight_shmfd)};
}

TEST_CASE("requests that a daemon answered out of order before it died are not done again, the others once") {
  std::vector<std::uint64_t> order;  // the daemon's thread's, until the end
  {
    std::vector<fake_daemon::taken> kept;
    served s(that_logs([&](fake_daemon::taken& t) {
               order.push_back(sector_of(t));
               if (order.size() > 5) {
                 answer(t);
                 return true;
               }
               kept.push_back(t);
               if (order.size() < 5) return true;
               answer(kept[3]);
               answer(kept[1]);
               kept.clear();
               t.daemon.drop_connection();
               return true;
             }),
             {.queue_size = 64, .reconnect = 10s});
    auto disk = s.disk();
    std::vector<blk_driver::ticket> tickets;
    for (std::uint64_t i = 0; i < 8; ++i) tickets.push_back(disk.write(i, pattern(512, i)));
    for (const auto t : tickets) CHECK(disk.finish(t).ok());
    CHECK(s.daemon.connections() == 2);
    CHECK_FALSE(s.watched->failed());
    const auto seen = s.daemon.seen();
    CHECK(std::ranges::count(seen, request_code::get_inflight_fd) == 1);
    CHECK(std::ranges::count(seen, request_code::set_inflight_fd) == 2);
    s.rig->stop();
  }
  CHECK(order == std::vector<std::uint64_t>{0, 1, 2, 3, 4, 0, 2, 4, 5, 6, 7});
}

TEST_CASE("a daemon that dies before it says in its log what it gave back has that not done again") {
  std::atomic<unsigned> count{0};
  served s(that_logs([&count](fake_daemon::taken& t) {
             if (++count != 1) return false;
             t.writable.back()[0] = std::byte{VIRTIO_BLK_S_OK};
             t.log->giving_back(t.head);
             t.used.push(t.head, 1);
             t.daemon.drop_connection();
             return true;
           }),
           {.reconnect = 10s});
  CHECK(s.disk().finish(s.disk().flush()).ok());
  CHECK(s.disk().finish(s.disk().flush()).ok());
  CHECK(count == 2);
  CHECK(s.daemon.connections() == 2);
}

TEST_CASE("requests that come while no daemon is there are served by the next, after those that are left") {
  std::vector<std::uint64_t> order;
  {
    std::atomic<bool> gone{false};
    served s(that_logs([&](fake_daemon::taken& t) {
               order.push_back(sector_of(t));
               if (order.size() != 1) return false;
               t.daemon.drop_connection();
               gone = true;
               return true;
             }),
             {.reconnect = 10s});
    auto disk = s.disk();
    const auto first = disk.write(0, pattern(512, 0));
    const auto deadline = std::chrono::steady_clock::now() + long_wait;
    while (!gone && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(1ms);
    const auto second = disk.write(1, pattern(512, 1));
    CHECK(disk.finish(first).ok());
    CHECK(disk.finish(second).ok());
    s.rig->stop();
  }
  CHECK(order == std::vector<std::uint64_t>{0, 0, 1});
}

TEST_CASE("a daemon that dies again and again leaves its log to each that comes") {
  std::atomic<unsigned> count{0};
  std::atomic<unsigned> died{0};
  served s(that_logs([&](fake_daemon::taken& t) {
             if (++count % 4 != 0) return false;
             ++died;
             t.daemon.drop_connection();
             return true;
           }),
           {.reconnect = 10s});
  for (std::uint64_t i = 0; i < 20; ++i) {
    CHECK(s.disk().finish(s.disk().write(i * 8, pattern(4096, i))).ok());
    CHECK(s.disk().finish(s.disk().read(i * 8, 4096)).data == pattern(4096, i));
  }
  CHECK(count == 40 + died);
  CHECK(s.daemon.connections() == died + 1);
}

TEST_CASE("several queues share a region, each with its own part") {
  std::atomic<unsigned> count{0};
  fake_daemon::script how = that_logs([&count](fake_daemon::taken& t) {
    if (++count != 3) return false;
    t.daemon.drop_connection();
    return true;
  });
  how.features = std::uint64_t{1} << VIRTIO_BLK_F_MQ;
  how.queues = 3;
  served s(how, {.reconnect = 10s});
  for (std::size_t round = 0; round < 3; ++round)
    for (std::size_t q = 0; q < 3; ++q) CHECK(s.disk(q).finish(s.disk(q).write(q, pattern(512, round + q))).ok());
  CHECK(count == 10);
  CHECK_FALSE(s.watched->failed());
}

TEST_CASE("a daemon without the feature is asked for no log") {
  served s;
  CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
  CHECK(std::ranges::count(s.daemon.seen(), request_code::get_inflight_fd) == 0);
}

}  // namespace
}  // namespace vloop::test
