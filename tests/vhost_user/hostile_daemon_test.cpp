// SPDX-License-Identifier: MIT
// A daemon that lies, hangs or dies: each time the device ends, in bounded time and with one line that says why, or the
// request fails; and the driver is never told what the daemon made up.
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "vhost_user/served.hpp"
#include "vring/inflight_log.hpp"

namespace vloop::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using vhost_user::message_header;
using vhost_user::request_code;
using message = fake_daemon::message;

// For a daemon that does not answer. The second is for one that has answered others before.
constexpr auto short_wait = 300ms;
constexpr auto longer_wait = 2000ms;
constexpr auto usual_wait = 5000ms;

bool is(const message& m, request_code code) {
  return m.header.code == static_cast<std::uint32_t>(code);
}

// A script that does `what` in place of an answer to `code`.
fake_daemon::script instead_of(request_code code, std::function<void(fake_daemon&, const message&)> what) {
  return {.on_message = [code, what](fake_daemon& d, const message& m) {
    if (!is(m, code)) return false;
    what(d, m);
    return true;
  }};
}

std::ptrdiff_t open_files() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

// Stage 1 ends with a line that has `text` in it, soon, and nothing stays open.
void refused(fake_daemon::script how, const std::string& text, std::chrono::milliseconds answer_max = usual_wait) {
  fake_daemon daemon(std::move(how));
  const auto files = open_files();
  const auto began = std::chrono::steady_clock::now();
  try {
    vhost_user::external_device device({.path = daemon.path(), .answer_max = answer_max});
    FAIL("was accepted");
  } catch (const setup_error& error) {
    CHECK_THAT(error.what(), ContainsSubstring(text));
    CHECK(is_one_line(error.what()));
  }
  CHECK(std::chrono::steady_clock::now() - began < long_wait);
  // The daemon's own end of the connection closes a moment later.
  for (const auto end = began + long_wait; open_files() > files && std::chrono::steady_clock::now() < end;)
    std::this_thread::sleep_for(1ms);
  CHECK(open_files() <= files);
}

// Stage 3, or the service after it, ends with such a line, and nothing stays open.
void ends(fake_daemon::script how, const std::string& text, std::chrono::milliseconds answer_max = usual_wait) {
  const auto files = open_files();
  {
    served s(std::move(how), {.answer_max = answer_max});
    const auto ticket = s.disk().read(0, 4096);
    const std::string line = s.watched->failure();
    CHECK_THAT(line, ContainsSubstring(text));
    CHECK(is_one_line(line));
    s.rig->stop();
    CHECK_FALSE(s.rig->queue(0).finished(ticket));  // it is the transport's to answer, as if we had died
  }
  CHECK(open_files() == files);
}

void push_raw(fake_daemon::taken& t, std::uint32_t id, std::uint32_t length) {
  const std::uint16_t at = t.ring.used->idx;
  t.ring.used->ring[at % t.ring.size] = {.id = id, .len = length};
  std::atomic_ref(t.ring.used->idx).store(static_cast<std::uint16_t>(at + 1), std::memory_order_release);
  t.daemon.interrupt();
}

// ---- stage 1: words ----

TEST_CASE("no socket: the daemon has to be started first") {
  CHECK_THROWS_WITH(vhost_user::external_device({.path = "no-such-socket"}),
                    ContainsSubstring("start the daemon first"));
}

TEST_CASE("a path that no socket can have is refused") {
  CHECK_THROWS_WITH(vhost_user::external_device({.path = std::string(200, 'x')}), ContainsSubstring("107 bytes"));
}

TEST_CASE("a daemon that never answers costs the deadline") {
  refused(instead_of(request_code::get_features, [](auto&, auto&) {}), "GET_FEATURES: Connection timed out (no answer",
          short_wait);
}

TEST_CASE("a daemon that hangs in the middle of a header costs the deadline") {
  refused(instead_of(request_code::get_features,
                     [](fake_daemon& d, auto&) { d.send_raw(std::vector<std::byte>(5, std::byte{1})); }),
          "no answer within 300 ms", short_wait);
}

TEST_CASE("a daemon that hangs in the middle of a payload costs the deadline") {
  refused(instead_of(request_code::get_features,
                     [](fake_daemon& d, auto&) {
                       const message_header header{.code = 1, .flags = 5, .size = 8};
                       d.send_raw(std::as_bytes(std::span(&header, 1)));
                       d.send_raw(std::vector<std::byte>(3));
                     }),
          "no answer within 300 ms", short_wait);
}

TEST_CASE("a daemon that dies before its answer is told of") {
  refused(instead_of(request_code::get_features, [](fake_daemon& d, auto&) { d.close_socket(); }),
          "GET_FEATURES: Connection reset by peer (it closed the connection)");
}

TEST_CASE("a daemon that dies in the middle of a header is told of") {
  refused(instead_of(request_code::get_features,
                     [](fake_daemon& d, auto&) {
                       d.send_raw(std::vector<std::byte>(7, std::byte{1}));
                       d.close_socket();
                     }),
          "it closed the connection");
}

TEST_CASE("a daemon that dies when its configuration is asked for is told of") {
  refused(instead_of(request_code::get_config, [](fake_daemon& d, auto&) { d.close_socket(); }),
          "GET_CONFIG: Connection reset by peer");
}

TEST_CASE("a reply that is too short is refused") {
  refused(instead_of(request_code::get_features,
                     [](fake_daemon& d, auto&) { d.reply(request_code::get_features, std::vector<std::byte>(4)); }),
          "GET_FEATURES: Protocol error (its reply has 4 bytes, not 8)");
}

TEST_CASE("a reply that is too long is refused") {
  refused(instead_of(request_code::get_features,
                     [](fake_daemon& d, auto&) { d.reply(request_code::get_features, std::vector<std::byte>(16)); }),
          "its reply has 16 bytes, not 8");
}

TEST_CASE("a payload beyond what any message has is refused unread") {
  refused(instead_of(request_code::get_features,
                     [](fake_daemon& d, auto&) {
                       const message_header header{.code = 1, .flags = 5, .size = 0xffffffff};
                       d.send_raw(std::as_bytes(std::span(&header, 1)));
                     }),
          "its message has 4294967295 bytes");
}

TEST_CASE("a reply to another request is refused") {
  refused(instead_of(request_code::get_features,
                     [](fake_daemon& d, auto&) { d.reply_number(request_code::get_queue_num, 1); }),
          "it replied to request 17 instead");
}

TEST_CASE("a message that is not marked as a reply is refused") {
  refused(instead_of(request_code::get_features,
                     [](fake_daemon& d, auto&) {
                       d.reply(request_code::get_features, std::vector<std::byte>(8), 0, message_header::version);
                     }),
          "not marked as a reply");
}

TEST_CASE("a message of another version is refused") {
  refused(instead_of(request_code::get_features,
                     [](fake_daemon& d, auto&) {
                       d.reply(request_code::get_features, std::vector<std::byte>(8), 0, 2 | message_header::reply);
                     }),
          "its message is of version 2");
}

TEST_CASE("a reply with a descriptor is refused, and the descriptor closed") {
  refused(instead_of(request_code::get_features,
                     [](fake_daemon& d, auto&) { d.reply(request_code::get_features, std::vector<std::byte>(8), 1); }),
          "its reply has descriptors: 1, not none");
}

TEST_CASE("a reply with more descriptors than a message can have is refused, and they are closed") {
  refused(instead_of(request_code::get_features,
                     [](fake_daemon& d, auto&) { d.reply(request_code::get_features, std::vector<std::byte>(8), 40); }),
          "more than 8 descriptors");
}

TEST_CASE("a request that is refused by its acknowledgement is told of") {
  refused(
      instead_of(request_code::set_owner, [](fake_daemon& d, auto&) { d.reply_number(request_code::set_owner, 1); }),
      "SET_OWNER: Protocol error (it refused that with status 1)");
}

// ---- stage 1: what it says of the device ----

TEST_CASE("a daemon that does not speak virtio 1 is refused") {
  refused({.without_features = std::uint64_t{1} << VIRTIO_F_VERSION_1}, "it has no VIRTIO_F_VERSION_1");
}

TEST_CASE("a disk that cannot tell its configuration is refused") {
  refused({.without_protocol_features = vhost_user::bit(vhost_user::protocol_feature::config)},
          "it cannot tell its configuration; is it a blk");
}

TEST_CASE("a disk that refuses every size of configuration is refused") {
  refused(instead_of(request_code::get_config, [](fake_daemon& d, auto&) { d.reply(request_code::get_config, {}); }),
          "it refuses every size that a blk has");
}

TEST_CASE("a configuration of another size than was asked for is refused") {
  refused(instead_of(request_code::get_config,
                     [](fake_daemon& d, auto&) {
                       const vhost_user::config_head head{.offset = 0, .size = 60, .flags = 0};
                       std::vector<std::byte> bytes(sizeof head + 20);
                       std::memcpy(bytes.data(), &head, sizeof head);
                       d.reply(request_code::get_config, bytes);
                     }),
          "its reply has 20 bytes of configuration, not 60");
}

TEST_CASE("a configuration that begins elsewhere is refused") {
  refused(instead_of(request_code::get_config,
                     [](fake_daemon& d, auto&) {
                       const vhost_user::config_head head{.offset = 8, .size = 60, .flags = 0};
                       std::vector<std::byte> bytes(sizeof head + 60);
                       std::memcpy(bytes.data(), &head, sizeof head);
                       d.reply(request_code::get_config, bytes);
                     }),
          "bytes of configuration, not 60");
}

TEST_CASE("a configuration without its own head is refused") {
  refused(instead_of(request_code::get_config,
                     [](fake_daemon& d, auto&) { d.reply(request_code::get_config, std::vector<std::byte>(5)); }),
          "GET_CONFIG: Protocol error (its reply has 5 bytes)");
}

TEST_CASE("a daemon without queues is refused") {
  refused(instead_of(request_code::get_queue_num,
                     [](fake_daemon& d, auto&) { d.reply_number(request_code::get_queue_num, 0); }),
          "it has no queues");
}

TEST_CASE("more queues than the daemon has are refused") {
  fake_daemon daemon;
  CHECK_THROWS_WITH(vhost_user::external_device({.path = daemon.path(), .queues = 2}),
                    ContainsSubstring("has 1 queue(s), not 2"));
}

// ---- stage 3 ----

TEST_CASE("a daemon that hangs when it gets the memory ends the device") {
  ends(instead_of(request_code::set_mem_table, [](auto&, auto&) {}), "SET_MEM_TABLE: Connection timed out",
       longer_wait);
}

TEST_CASE("a daemon that refuses the memory ends the device") {
  ends(instead_of(request_code::set_mem_table,
                  [](fake_daemon& d, auto&) { d.reply_number(request_code::set_mem_table, 22); }),
       "SET_MEM_TABLE: Protocol error (it refused that with status 22)");
}

TEST_CASE("a daemon that dies when it gets the features ends the device") {
  ends(instead_of(request_code::set_features, [](fake_daemon& d, auto&) { d.close_socket(); }),
       "SET_FEATURES: Connection reset by peer");
}

TEST_CASE("a daemon that dies when a ring is enabled ends the device") {
  ends(instead_of(request_code::set_vring_enable, [](fake_daemon& d, auto&) { d.close_socket(); }),
       "SET_VRING_ENABLE: Connection reset by peer");
}

TEST_CASE("a daemon that does not accept the features in its status ends the device") {
  auto how =
      instead_of(request_code::get_status, [](fake_daemon& d, auto&) { d.reply_number(request_code::get_status, 3); });
  how.protocol_features = vhost_user::bit(vhost_user::protocol_feature::status);
  ends(std::move(how), "GET_STATUS: Protocol error (it does not accept the features");
}

// ---- the rings ----

TEST_CASE("a head that was never given ends the device") {
  ends({.on_request =
            [](fake_daemon::taken& t) {
              push_raw(t, static_cast<std::uint32_t>(t.head) ^ 1, 4097);
              return true;
            }},
       "it gave back a request that it was not given");
}

TEST_CASE("a head beyond the ring ends the device") {
  ends({.on_request =
            [](fake_daemon::taken& t) {
              push_raw(t, 0x12345678, 4097);
              return true;
            }},
       "it gave back a request that it was not given");
}

TEST_CASE("a length above what is writable means all of it, as daemons say that count what they read") {
  served s({.on_request = [](fake_daemon::taken& t) {
    for (const auto part : t.writable) std::ranges::fill(part, std::byte{0});
    push_raw(t, t.head, 0xffffffff);
    return true;
  }});
  const auto answer = s.disk().finish(s.disk().read(0, 4096));
  CHECK(answer.ok());
  CHECK(answer.written == 4097);
}

TEST_CASE("a used index that jumps ends the device") {
  ends({.on_request =
            [](fake_daemon::taken& t) {
              std::atomic_ref(t.ring.used->idx).store(1000, std::memory_order_release);
              t.daemon.interrupt();
              return true;
            }},
       "it gave back a request that it was not given");
}

TEST_CASE("a used index that goes back ends the device") {
  ends({.on_request =
            [](fake_daemon::taken& t) {
              std::atomic_ref(t.ring.used->idx).store(0xffff, std::memory_order_release);
              t.daemon.interrupt();
              return true;
            }},
       "it gave back a request that it was not given");
}

TEST_CASE("a head that is given back twice ends the device") {
  served s({.on_request = [](fake_daemon::taken& t) {
    t.writable.back()[0] = std::byte{VIRTIO_BLK_S_OK};
    push_raw(t, t.head, 1);
    push_raw(t, t.head, 1);
    return true;
  }});
  s.disk().flush();
  CHECK_THAT(s.watched->failure(), ContainsSubstring("it gave back a request that it was not given"));
}

TEST_CASE("a daemon that overwrites descriptors and the available ring harms nobody but itself") {
  served s({.on_request = [](fake_daemon::taken& t) {
    std::memset(t.ring.available->ring, 0xff, t.ring.size * sizeof t.ring.available->ring[0]);
    std::memset(t.ring.descriptors, 0xff, split_ring::descriptors_bytes(t.ring.size));
    t.writable.back()[0] = std::byte{VIRTIO_BLK_S_OK};
    push_raw(t, t.head, 1);
    return true;
  }});
  for (int i = 0; i < 40; ++i) CHECK(s.disk().finish(s.disk().flush()).ok());
  CHECK_FALSE(s.watched->failed());
}

TEST_CASE("interrupts for nothing are looked into, and that is all") {
  served s({.on_request = [](fake_daemon::taken& t) {
    for (int i = 0; i < 100; ++i) t.daemon.interrupt();
    return false;
  }});
  for (int i = 0; i < 20; ++i) CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
  CHECK_FALSE(s.watched->failed());
}

TEST_CASE("an eventfd that the daemon made one that does not wait is waited for all the same") {
  served s({.on_request = [](fake_daemon::taken& t) {
    ::fcntl(t.daemon.call_fd(), F_SETFL, O_NONBLOCK);
    return false;
  }});
  for (int i = 0; i < 20; ++i) CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
  CHECK_FALSE(s.watched->failed());
}

// ---- the memory and the in-flight log ----

fake_daemon::script with(fake_daemon::script how, vhost_user::protocol_feature feature) {
  how.protocol_features |= vhost_user::bit(feature);
  return how;
}

TEST_CASE("a daemon with room for no memory is refused") {
  refused(with(instead_of(request_code::get_max_mem_slots,
                          [](fake_daemon& d, auto&) { d.reply_number(request_code::get_max_mem_slots, 0); }),
               vhost_user::protocol_feature::configure_mem_slots),
          "GET_MAX_MEM_SLOTS: Protocol error (it has room for no memory at all)");
}

TEST_CASE("a daemon that refuses memory in a slot ends the device") {
  ends(with(instead_of(request_code::add_mem_reg,
                       [](fake_daemon& d, auto&) { d.reply_number(request_code::add_mem_reg, 1); }),
            vhost_user::protocol_feature::configure_mem_slots),
       "ADD_MEM_REG: Protocol error (it refused that with status 1)");
}

// A daemon that answers GET_INFLIGHT_FD by `what`, which gets what an honest one would say.
fake_daemon::script whose_log(std::function<void(fake_daemon&, vhost_user::inflight_description)> what) {
  return with(instead_of(request_code::get_inflight_fd,
                         [what](fake_daemon& d, const message& m) {
                           vhost_user::inflight_description told;
                           std::memcpy(&told, m.payload.data(), sizeof told);
                           told.mmap_size = inflight_log::bytes(told.queue_size) * told.queues;
                           what(d, told);
                         }),
              vhost_user::protocol_feature::inflight_shmfd);
}

// Sends `told` with a file of `bytes`.
void reply_with_file(fake_daemon& d, const vhost_user::inflight_description& told, std::uint64_t bytes) {
  const owned_fd file(::memfd_create("vloop hostile daemon", MFD_CLOEXEC));
  if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) return;
  d.reply_with_fd(request_code::get_inflight_fd, std::as_bytes(std::span(&told, 1)), file.get());
}

TEST_CASE("an in-flight log without a descriptor ends the device") {
  ends(whose_log([](fake_daemon& d, auto told) {
         d.reply(request_code::get_inflight_fd, std::as_bytes(std::span(&told, 1)), 0);
       }),
       "GET_INFLIGHT_FD: Protocol error (its reply has descriptors: 0, not one)");
}

TEST_CASE("an in-flight log with two descriptors ends the device, and they are closed") {
  ends(whose_log([](fake_daemon& d, auto told) {
         d.reply(request_code::get_inflight_fd, std::as_bytes(std::span(&told, 1)), 2);
       }),
       "its reply has descriptors: 2, not one");
}

TEST_CASE("an in-flight log whose description is too short ends the device") {
  ends(whose_log([](fake_daemon& d, auto) { d.reply(request_code::get_inflight_fd, std::vector<std::byte>(8), 1); }),
       "GET_INFLIGHT_FD: Protocol error (its reply has 8 bytes)");
}

TEST_CASE("an in-flight log whose description is too long ends the device") {
  ends(whose_log([](fake_daemon& d, auto) { d.reply(request_code::get_inflight_fd, std::vector<std::byte>(32), 1); }),
       "GET_INFLIGHT_FD: Protocol error (its reply has 32 bytes)");
}

TEST_CASE("an in-flight log that is too small for the rings ends the device") {
  ends(whose_log([](fake_daemon& d, auto told) {
         told.mmap_size -= 1;
         reply_with_file(d, told, 65536);
       }),
       "its region of 319 bytes is too small for 1 queue(s) of 16");
}

TEST_CASE("an in-flight log that is larger than its file ends the device") {
  ends(whose_log([](fake_daemon& d, auto told) { reply_with_file(d, told, told.mmap_size - 1); }),
       "its region cannot be mapped where it says");
}

TEST_CASE("an in-flight log that lies beyond its file ends the device") {
  ends(whose_log([](fake_daemon& d, auto told) {
         told.mmap_offset = ~std::uint64_t{0} - 4095;
         reply_with_file(d, told, 65536);
       }),
       "its region cannot be mapped where it says");
}

TEST_CASE("an in-flight log that begins within a page ends the device") {
  ends(whose_log([](fake_daemon& d, auto told) {
         told.mmap_offset = 8;
         reply_with_file(d, told, 65536);
       }),
       "its region cannot be mapped where it says");
}

TEST_CASE("an in-flight log that is no memory ends the device") {
  ends(whose_log([](fake_daemon& d, auto told) {
         const owned_fd event(::eventfd(0, EFD_CLOEXEC));
         d.reply_with_fd(request_code::get_inflight_fd, std::as_bytes(std::span(&told, 1)), event.get());
       }),
       "its region cannot be mapped where it says");
}

TEST_CASE("a daemon that hangs when it is asked for its log ends the device") {
  ends(whose_log([](auto&, auto) {}), "GET_INFLIGHT_FD: Connection timed out", longer_wait);
}

TEST_CASE("a daemon that does not take the log ends the device") {
  ends(with(instead_of(request_code::set_inflight_fd,
                       [](fake_daemon& d, auto&) { d.reply_number(request_code::set_inflight_fd, 5); }),
            vhost_user::protocol_feature::inflight_shmfd),
       "SET_INFLIGHT_FD: Protocol error (it refused that with status 5)");
}

TEST_CASE("a log that the daemon fills with garbage harms nobody but itself") {
  served s(with({.on_request =
                     [](fake_daemon::taken& t) {
                       for (std::uint16_t i = 0; i < t.ring.size; ++i) t.log->take(i);
                       return false;
                     }},
                vhost_user::protocol_feature::inflight_shmfd));
  for (int i = 0; i < 40; ++i) CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
  CHECK_FALSE(s.watched->failed());
}

// ---- a ring is to be stopped ----

// The driver resets the device, and the daemon behaves as the script says: the device ends with such a line.
void ends_at_reset(fake_daemon::script how, const std::string& text,
                   std::chrono::milliseconds answer_max = usual_wait) {
  served s(std::move(how), {.answer_max = answer_max});
  CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
  s.rig->reset(0);
  const auto ticket = s.disk().read(0, 512);
  const std::string line = s.watched->failure();
  CHECK_THAT(line, ContainsSubstring(text));
  CHECK(is_one_line(line));
  s.rig->stop();
  CHECK_FALSE(s.rig->queue(0).finished(ticket));
}

fake_daemon::script whose_base_is(vhost_user::vring_state told, std::size_t bytes = sizeof(vhost_user::vring_state),
                                  std::size_t fds = 0) {
  return instead_of(request_code::get_vring_base, [=](fake_daemon& d, auto&) {
    std::vector<std::byte> payload(std::max(bytes, sizeof told));
    std::memcpy(payload.data(), &told, sizeof told);
    d.reply(request_code::get_vring_base, std::span(payload).first(bytes), fds);
  });
}

TEST_CASE("a base ahead of the ring ends the device") {
  ends_at_reset(whose_base_is({.index = 0, .value = 2}),
                "GET_VRING_BASE: Protocol error (its index 2 is not in the ring");
}

TEST_CASE("a base further behind than the ring is long ends the device") {
  ends_at_reset(whose_base_is({.index = 0, .value = 65000}), "its index 65000 is not in the ring of queue 0");
}

TEST_CASE("a base that no ring has ends the device") {
  ends_at_reset(whose_base_is({.index = 0, .value = 0x10001}), "its index 65537 is not in the ring of queue 0");
}

TEST_CASE("the base of another queue ends the device") {
  ends_at_reset(whose_base_is({.index = 7, .value = 1}), "its reply is for queue 7, not 0");
}

TEST_CASE("a base of another size ends the device") {
  ends_at_reset(whose_base_is({.index = 0, .value = 1}, 4), "GET_VRING_BASE: Protocol error (its reply has 4 bytes");
}

TEST_CASE("a base with a descriptor ends the device") {
  ends_at_reset(whose_base_is({.index = 0, .value = 1}, 8, 1), "its reply has descriptors: 1, not none");
}

TEST_CASE("a daemon that hangs when its ring is to be stopped ends the device") {
  ends_at_reset(instead_of(request_code::get_vring_base, [](auto&, auto&) {}), "GET_VRING_BASE: Connection timed out",
                longer_wait);
}

TEST_CASE("a daemon that dies when its ring is to be stopped ends the device") {
  ends_at_reset(instead_of(request_code::get_vring_base, [](fake_daemon& d, auto&) { d.close_socket(); }),
                "GET_VRING_BASE: Connection reset by peer");
}

TEST_CASE("a daemon that refuses to be reset ends the device") {
  ends_at_reset(with(instead_of(request_code::reset_device,
                                [](fake_daemon& d, auto&) { d.reply_number(request_code::reset_device, 1); }),
                     vhost_user::protocol_feature::reset_device),
                "RESET_DEVICE: Protocol error (it refused that with status 1)");
}

TEST_CASE("a lie at the very end is told of, and changes nothing") {
  std::vector<std::string> lines;
  {
    served s(whose_base_is({.index = 0, .value = 4711}));
    s.external->log_to([&lines](const std::string& line) { lines.push_back(line); });
    CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
    s.rig.reset();
    s.watched.reset();
    s.external.reset();
  }
  CHECK(std::ranges::count_if(lines, [](const auto& line) { return line.find("4711") != std::string::npos; }) == 1);
}

// ---- in service ----

TEST_CASE("a daemon that dies with a request in flight ends the device at once") {
  const auto began = std::chrono::steady_clock::now();
  ends({.on_request =
            [](fake_daemon::taken& t) {
              t.daemon.close_socket();
              return true;
            }},
       "it closed the connection, or died");
  CHECK(std::chrono::steady_clock::now() - began < 2s);
}

TEST_CASE("a message that nobody asked for ends the device") {
  ends({.on_request =
            [](fake_daemon::taken& t) {
              t.daemon.reply_number(request_code::get_features, 0);
              return true;
            }},
       "it sent a message that nobody asked for");
}

TEST_CASE("an error that the daemon reports of a ring ends the device") {
  ends({.on_request =
            [](fake_daemon::taken& t) {
              t.daemon.report_error();
              return true;
            }},
       "it reports an error of queue 0");
}

TEST_CASE("a daemon that shrinks the shared memory is refused that by the kernel") {
  served s;
  CHECK(s.disk().finish(s.disk().read(0, 512)).ok());
  const int memory = s.external->describe().files.at(0).fd;
  CHECK(::ftruncate(memory, 0) != 0);
}

TEST_CASE("a request that a silent daemon never gives back does not keep a stop from ending") {
  served s({.on_request = [](fake_daemon::taken&) { return true; }});
  const auto ticket = s.disk().read(0, 512);
  const auto began = std::chrono::steady_clock::now();
  s.rig->stop();
  CHECK(std::chrono::steady_clock::now() - began < 15s);
  CHECK_FALSE(s.rig->queue(0).finished(ticket));
}

}  // namespace
}  // namespace vloop::test
