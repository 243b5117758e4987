// SPDX-License-Identifier: MIT
// What a daemon says without being asked: that its configuration has changed.
#include <linux/virtio_blk.h>

#include <algorithm>
#include <cstring>

#include "vhost_user/served.hpp"

namespace vloop::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using vhost_user::message_header;
using vhost_user::protocol_feature;
using vhost_user::request_code;

constexpr std::size_t config_bytes = 60;  // as a disk is asked for them first
constexpr auto config_changed = static_cast<std::uint32_t>(vhost_user::backend_code::config_changed);

fake_daemon::script that_asks() {
  return {.protocol_features = vhost_user::bit(protocol_feature::backend_req)};
}

// A disk in service whose daemon has a back channel.
struct asking : served {
  explicit asking(fake_daemon::script how = that_asks(), vhost_user::options wanted = {})
      : served(std::move(how), std::move(wanted)) {
    CHECK(disk().finish(disk().read(0, 512)).ok());
  }
};

virtio_blk_config config_in(const std::vector<std::byte>& bytes) {
  virtio_blk_config config{};
  std::memcpy(&config, bytes.data(), std::min(bytes.size(), sizeof config));
  return config;
}

// The service ends with one line that has `text`.
void ends_with(asking& s, const std::string& text) {
  const std::string line = s.watched->failure();
  CHECK_THAT(line, ContainsSubstring(text));
  CHECK(is_one_line(line));
}

TEST_CASE("a daemon whose disk was resized has its configuration read again, whole, and the driver is told") {
  asking s;
  s.daemon.resize(2 * fake_daemon::sectors);
  s.daemon.ask_back(config_changed);
  REQUIRE(s.told_within(long_wait, 1));
  const auto now = s.told().at(0);
  REQUIRE(now.size() == s.external->describe().config.size());
  CHECK(config_in(now).capacity == 2 * fake_daemon::sectors);
  CHECK(std::equal(now.begin() + 8, now.end(), s.external->describe().config.begin() + 8));
  CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
}

TEST_CASE("a disk can shrink, and change again and again") {
  asking s;
  for (std::size_t i = 1; i <= 5; ++i) {
    s.daemon.resize(fake_daemon::sectors / 2 + i);
    s.daemon.ask_back(config_changed);
    REQUIRE(s.told_within(long_wait, i));
    CHECK(config_in(s.told().at(i - 1)).capacity == fake_daemon::sectors / 2 + i);
  }
}

TEST_CASE("a change that is none is not told") {
  asking s;
  for (int i = 0; i < 20; ++i) s.daemon.ask_back(config_changed);
  CHECK_FALSE(s.told_within(200ms, 1));
  CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
}

TEST_CASE("a change that is to be acknowledged is, with zero") {
  asking s;
  s.daemon.resize(fake_daemon::sectors + 8);
  s.daemon.ask_back(config_changed, message_header::version | message_header::need_reply);
  const auto bytes = s.daemon.back_reply();
  REQUIRE(bytes.size() == sizeof(message_header) + 8);
  message_header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  CHECK(header.code == config_changed);
  CHECK(header.flags == (message_header::version | message_header::reply));
  CHECK(header.size == 8);
  CHECK(std::all_of(bytes.begin() + sizeof header, bytes.end(), [](std::byte b) { return b == std::byte{0}; }));
  CHECK(s.told_within(long_wait, 1));
}

TEST_CASE("nothing is acknowledged that was not to be") {
  asking s;
  s.daemon.ask_back(config_changed);
  CHECK(s.daemon.back_reply().empty());
}

TEST_CASE("a change before the back channel was there is found by looking") {
  fake_daemon::script how = that_asks();
  how.on_message = [](fake_daemon& d, const fake_daemon::message& m) {
    if (m.header.code == static_cast<std::uint32_t>(request_code::set_features)) d.resize(77);
    return false;
  };
  asking s(how);
  REQUIRE(s.told_within(long_wait, 1));
  CHECK(config_in(s.told().at(0)).capacity == 77);
}

TEST_CASE("a daemon without the feature gets no back channel") {
  served s;
  CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
  CHECK(std::ranges::count(s.daemon.seen(), request_code::set_backend_req_fd) == 0);
}

TEST_CASE("a daemon may close its back channel and go on") {
  asking s;
  s.daemon.close_back_channel();
  for (int i = 0; i < 50; ++i) CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
  CHECK_FALSE(s.watched->failed());
}

TEST_CASE("a daemon that comes back with another size is gone on with, and the driver told") {
  std::atomic<unsigned> count{0};
  fake_daemon::script how = that_asks();
  how.on_request = [&count](fake_daemon::taken& t) {
    if (++count != 2) return false;
    t.daemon.resize(fake_daemon::sectors + 16);
    t.daemon.drop_connection();
    return true;
  };
  asking s(how, {.reconnect = 10s});
  CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
  REQUIRE(s.told_within(long_wait, 1));
  CHECK(config_in(s.told().at(0)).capacity == fake_daemon::sectors + 16);
  CHECK_FALSE(s.watched->failed());
}

// ---- lies ----

TEST_CASE("a request that we did not offer ends the device") {
  asking s;
  s.daemon.ask_back(3);
  ends_with(s, "its back channel: Protocol error (it asks for 3, which it was not offered)");
}

TEST_CASE("a reply on the back channel ends the device") {
  asking s;
  s.daemon.ask_back(config_changed, message_header::version | message_header::reply);
  ends_with(s, "it replied to what nobody asked it there");
}

TEST_CASE("a change with a payload ends the device") {
  asking s;
  s.daemon.ask_back(config_changed, message_header::version, std::vector<std::byte>(12));
  ends_with(s, "its CONFIG_CHANGE_MSG has 12 bytes, not none");
}

TEST_CASE("a change with descriptors ends the device") {
  asking s;
  s.daemon.ask_back(config_changed, message_header::version, {}, 2);
  ends_with(s, "its CONFIG_CHANGE_MSG has descriptors: 2, not none");
}

TEST_CASE("a back channel message of another version ends the device") {
  asking s;
  s.daemon.ask_back(config_changed, 2);
  ends_with(s, "its message is of version 2");
}

TEST_CASE("garbage on the back channel ends the device") {
  asking s;
  s.daemon.ask_back_raw(std::vector<std::byte>(64, std::byte{0xff}));
  ends_with(s, "its back channel: Protocol error");
}

TEST_CASE("a length on the back channel that no message has ends the device") {
  asking s;
  const message_header header{.code = config_changed, .flags = message_header::version, .size = 0x7fffffff};
  s.daemon.ask_back_raw(std::as_bytes(std::span(&header, 1)));
  ends_with(s, "its message has 2147483647 bytes");
}

TEST_CASE("a back channel that hangs in the middle of a message ends the device") {
  asking s(that_asks(), {.answer_max = 2000ms});
  s.daemon.ask_back_raw(std::vector<std::byte>(5, std::byte{1}));
  ends_with(s, "its back channel: Connection timed out");
}

TEST_CASE("a new capacity that no disk has ends the device, and the driver is not told") {
  asking s;
  s.daemon.resize(~std::uint64_t{0});
  s.daemon.ask_back(config_changed);
  ends_with(s, "its capacity of 18446744073709551615 sectors is no disk's");
  CHECK(s.told().empty());
}

// Says another value at `offset` of its configuration from the second reading on.
fake_daemon::script that_changes(std::size_t offset, std::byte value) {
  const auto readings = std::make_shared<std::atomic<int>>(0);
  fake_daemon::script how = that_asks();
  how.on_message = [=](fake_daemon& d, const fake_daemon::message& m) {
    if (m.header.code != static_cast<std::uint32_t>(request_code::get_config) || ++*readings < 3) return false;
    virtio_blk_config config{};
    config.capacity = fake_daemon::sectors;
    config.seg_max = 126;
    config.blk_size = 512;
    config.num_queues = 1;
    constexpr std::size_t head_bytes = sizeof(vhost_user::config_head);
    std::vector<std::byte> payload(head_bytes + config_bytes);
    std::copy_n(m.payload.begin(), head_bytes, payload.begin());
    std::memcpy(payload.data() + head_bytes, &config, config_bytes);
    payload.at(head_bytes + offset) = value;
    d.reply(request_code::get_config, payload);
    return true;
  };
  return how;
}

TEST_CASE("blocks of another size ends the device: its driver knows them for its life") {
  asking s(that_changes(offsetof(virtio_blk_config, blk_size) + 1, std::byte{0x10}));
  s.daemon.ask_back(config_changed);
  ends_with(s, "something changed that a blk keeps for its life");
  CHECK(s.told().empty());
}

TEST_CASE("blocks of a size that no disk has end the device") {
  asking s(that_changes(offsetof(virtio_blk_config, blk_size), std::byte{3}));
  s.daemon.ask_back(config_changed);
  ends_with(s, "its blocks of 515 bytes are no disk's");
}

TEST_CASE("a daemon that dies while its new configuration is read ends the device") {
  const auto readings = std::make_shared<std::atomic<int>>(0);
  fake_daemon::script how = that_asks();
  how.on_message = [=](fake_daemon& d, const fake_daemon::message& m) {
    if (m.header.code != static_cast<std::uint32_t>(request_code::get_config) || ++*readings < 3) return false;
    d.close_socket();
    return true;
  };
  asking s(how);
  s.daemon.ask_back(config_changed);
  ends_with(s, "GET_CONFIG: Connection reset by peer");
}

}  // namespace
}  // namespace vloop::test
