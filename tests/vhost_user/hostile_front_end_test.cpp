// SPDX-License-Identifier: MIT
// A front end that breaks the protocol, or the rules of memory: each time its connection ends with one line that says
// what it did, nothing of it stays open or mapped, and the next front end is served.
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "devices/blk.hpp"
#include "support/front_end.hpp"
#include "support/socket_server.hpp"
#include "support/temporary_file.hpp"
#include "vhost_user/socket_message.hpp"

namespace vloop::test {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using vhost_user::config_head;
using vhost_user::inflight_description;
using vhost_user::memory_region;
using vhost_user::memory_slot;
using vhost_user::message_header;
using vhost_user::request_code;
using vhost_user::vring_address;
using vhost_user::vring_state;

std::ptrdiff_t open_files() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

// Of memory that can be shared with another process.
std::ptrdiff_t shared_mappings() {
  std::ifstream maps("/proc/self/maps");
  std::ptrdiff_t count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find("memfd:") != std::string::npos ? 1 : 0;
  return count;
}

template <class T>
std::vector<std::byte> bytes_of(const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  return {bytes.begin(), bytes.end()};
}

void send_raw(front_end& vm, const message_header& header, std::span<const std::byte> payload,
              std::span<const int> fds = {}) {
  std::vector<std::byte> all = bytes_of(header);
  all.insert(all.end(), payload.begin(), payload.end());
  CHECK(vhost_user::send_some(vm.say().link().fd(), all, fds) == static_cast<std::ptrdiff_t>(all.size()));
}

void send(front_end& vm, request_code code, std::span<const std::byte> payload, std::span<const int> fds = {}) {
  send_raw(vm,
           {.code = static_cast<std::uint32_t>(code),
            .flags = message_header::version,
            .size = static_cast<std::uint32_t>(payload.size())},
           payload, fds);
}
template <class T>
void send(front_end& vm, request_code code, const T& payload, std::span<const int> fds = {}) {
  send(vm, code, std::span<const std::byte>(bytes_of(payload)), fds);
}
void send_number(front_end& vm, request_code code, std::uint64_t value, std::span<const int> fds = {}) {
  send(vm, code, value, fds);
}

// How far a front end comes before it does what is wrong.
enum class after { nothing, negotiation, memory, set_up };

void come_to(front_end& vm, after what) {
  if (what >= after::negotiation) vm.negotiate();
  if (what >= after::memory) vm.give_memory();
  if (what == after::set_up)
    for (std::uint32_t i = 0; i < 2; ++i) vm.set_up_ring(i, 0);
}

void served_well(socket_server& server) {
  front_end vm(server.path(), {.queues = 2});
  vm.set_up();
  blk_driver disk(vm.queue(0));
  CHECK(disk.finish(disk.write(8, pattern(4096, 7))).ok());
  CHECK(disk.finish(disk.read(8, 4096)).data == pattern(4096, 7));
}

template <class Condition>
bool becomes(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!condition() && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(1ms);
  return condition();
}

void ends(after how_far, const std::function<void(front_end&)>& what, const std::string& text) {
  const temporary_file file(4 << 20);
  socket_server server(std::make_unique<blk>(
      blk_options{.path = file.path(), .queues = 2, .queue_size = 64, .direct = direct_mode::off}));
  const auto files = open_files();
  const auto mappings = shared_mappings();
  const auto nothing_left = [&] { return open_files() == files && shared_mappings() == mappings; };
  served_well(server);
  REQUIRE(becomes(nothing_left));
  {
    front_end vm(server.path(), {.queues = 2});
    come_to(vm, how_far);
    what(vm);
    CHECK(server.said("the front end's connection is ended"));
    // Nothing is left on the socket but its end.
    std::array<std::byte, 4096> rest;
    CHECK(becomes([&] {
      return ::recv(vm.say().link().fd(), rest.data(), rest.size(), MSG_DONTWAIT) <= 0 &&
             (errno != EAGAIN || ::recv(vm.say().link().fd(), rest.data(), 1, MSG_DONTWAIT) == 0);
    }));
  }
  const auto warnings = server.warnings();
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings.front(), ContainsSubstring(text));
  CHECK(warnings.front().find('\n') == std::string::npos);
  CHECK(becomes(nothing_left));
  CHECK(open_files() == files);
  CHECK(shared_mappings() == mappings);
  served_well(server);
}

int memory_of(std::uint64_t bytes, int seals = 0) {
  const int fd = ::memfd_create("vloop hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  REQUIRE(::ftruncate(fd, static_cast<off_t>(bytes)) == 0);
  if (seals != 0) REQUIRE(::fcntl(fd, F_ADD_SEALS, seals) == 0);
  return fd;
}

// A descriptor for the time of a call.
struct lent {
  explicit lent(int with) : fd(with) {}
  lent(const lent&) = delete;
  lent& operator=(const lent&) = delete;
  ~lent() { ::close(fd); }
  std::span<const int> one() const { return {&fd, 1}; }
  int fd;
};

struct table {
  std::uint32_t count = 1;
  std::uint32_t padding = 0;
  std::array<memory_region, 8> regions{};
};

void send_table(front_end& vm, const table& all, std::size_t regions, std::span<const int> fds) {
  const auto bytes = bytes_of(all);
  send(vm, request_code::set_mem_table, std::span<const std::byte>(bytes).first(8 + regions * sizeof(memory_region)),
       fds);
}

// ---- the frame ----

TEST_CASE("a message of another version") {
  ends(
      after::nothing, [](auto& vm) { send_raw(vm, {.code = 1, .flags = 2, .size = 0}, {}); }, "version 2");
}
TEST_CASE("a reply that was not asked for") {
  ends(
      after::nothing, [](auto& vm) { send_raw(vm, {.code = 1, .flags = 5, .size = 0}, {}); }, "nobody asked for");
}
TEST_CASE("reserved flags") {
  ends(
      after::nothing, [](auto& vm) { send_raw(vm, {.code = 1, .flags = 0x11, .size = 0}, {}); }, "reserved flags");
}
TEST_CASE("a payload beyond what any message has, unread") {
  ends(
      after::nothing, [](auto& vm) { send_raw(vm, {.code = 2, .flags = 1, .size = 0xffffffff}, {}); },
      "4294967295 bytes");
}
TEST_CASE("a request that nobody knows") {
  ends(
      after::nothing, [](auto& vm) { send_raw(vm, {.code = 4711, .flags = 1, .size = 0}, {}); }, "request 4711");
}
TEST_CASE("more descriptors than a message can have") {
  ends(
      after::nothing,
      [](auto& vm) {
        const std::vector<int> many(12, vm.memory().fd());
        send_raw(vm, {.code = 1, .flags = 1, .size = 0}, {}, many);
      },
      "more than 8 descriptors");
}
TEST_CASE("the end in the middle of a header") {
  ends(
      after::nothing,
      [](auto& vm) {
        const std::array<std::byte, 5> half{};
        CHECK(::send(vm.say().link().fd(), half.data(), half.size(), 0) == 5);
        ::shutdown(vm.say().link().fd(), SHUT_WR);
      },
      "in the middle of it");
}
TEST_CASE("the end in the middle of a payload, with a descriptor") {
  ends(
      after::nothing,
      [](auto& vm) {
        const int fd = vm.memory().fd();
        const std::array<std::byte, 3> half{};
        send_raw(vm, {.code = 2, .flags = 1, .size = 8}, half, std::span(&fd, 1));
        ::shutdown(vm.say().link().fd(), SHUT_WR);
      },
      "in the middle of it");
}
TEST_CASE("a pause in the middle of a message, while the rings are served on") {
  ends(
      after::set_up,
      [](auto& vm) {
        const std::array<std::byte, 5> half{};
        CHECK(::send(vm.say().link().fd(), half.data(), half.size(), 0) == 5);
        blk_driver disk(vm.queue(1));
        for (std::uint64_t i = 0; i < 50; ++i) CHECK(disk.finish(disk.write(i, pattern(512, i))).ok());
      },
      "did not come within");
}

// ---- forms ----

TEST_CASE("a payload that is too short") {
  ends(
      after::nothing, [](auto& vm) { send(vm, request_code::set_features, std::uint32_t{0}); },
      "SET_FEATURES: Protocol error (4 bytes, not 8)");
}
TEST_CASE("a payload that is too long") {
  ends(
      after::nothing, [](auto& vm) { send(vm, request_code::set_features, std::array<std::uint64_t, 2>{}); },
      "16 bytes, not 8");
}
TEST_CASE("a payload where there is none") {
  ends(
      after::nothing, [](auto& vm) { send_number(vm, request_code::get_features, 0); }, "8 bytes, not 0");
}
TEST_CASE("a descriptor where there is none") {
  ends(
      after::nothing,
      [](auto& vm) {
        const int fd = vm.memory().fd();
        send_raw(vm, {.code = 1, .flags = 1, .size = 0}, {}, std::span(&fd, 1));
      },
      "descriptors: 1, not 0");
}
TEST_CASE("a request whose protocol feature was not negotiated") {
  ends(
      after::nothing, [](auto& vm) { send(vm, request_code::get_config, config_head{.size = 4}); },
      "GET_CONFIG: Protocol error (it needs a protocol feature");
}
TEST_CASE("a log of written memory") {
  ends(
      after::negotiation, [](auto& vm) { send_number(vm, request_code::set_log_base, 0); }, "SET_LOG_BASE");
}

// ---- features ----

TEST_CASE("features that were not offered") {
  ends(
      after::nothing,
      [](auto& vm) { send_number(vm, request_code::set_features, std::uint64_t{1} << VIRTIO_F_RING_PACKED); },
      "0x400000000 was not offered");
}
TEST_CASE("protocol features that were not offered") {
  ends(
      after::nothing, [](auto& vm) { send_number(vm, request_code::set_protocol_features, 1U << 8); },
      "0x100 was not offered");
}
TEST_CASE("other features while a ring is running") {
  ends(
      after::set_up, [](auto& vm) { send_number(vm, request_code::set_features, 0); },
      "other features while a ring is running");
}
TEST_CASE("a status of more than a byte") {
  ends(
      after::negotiation, [](auto& vm) { send_number(vm, request_code::set_status, 256); }, "0x100 is no status");
}

// ---- memory ----

TEST_CASE("a memory table of no regions") {
  ends(
      after::negotiation, [](auto& vm) { send_table(vm, {.count = 0}, 0, {}); }, "a table of 0 regions");
}
TEST_CASE("a memory table of more regions than it can have") {
  ends(
      after::negotiation, [](auto& vm) { send_table(vm, {.count = 9}, 8, {}); }, "a table of 9 regions");
}
TEST_CASE("a memory table whose size does not fit its number") {
  ends(
      after::negotiation, [](auto& vm) { send_table(vm, {.count = 2}, 1, {}); }, "for 2 regions");
}
TEST_CASE("a memory table with too few descriptors") {
  ends(
      after::negotiation, [](auto& vm) { send_table(vm, {.count = 1}, 1, {}); }, "descriptors: 0, not 1");
}
TEST_CASE("a region of no bytes") {
  ends(
      after::negotiation,
      [](auto& vm) {
        const lent memory(memory_of(65536));
        send_table(vm, {}, 1, memory.one());
      },
      "SET_MEM_TABLE");
}
TEST_CASE("a region that is larger than its file") {
  ends(
      after::negotiation,
      [](auto& vm) {
        const lent memory(memory_of(65536));
        send_table(vm, {.regions = {{{.size = 65537}}}}, 1, memory.one());
      },
      "its file has 65536 bytes");
}
TEST_CASE("a region that begins behind its file") {
  ends(
      after::negotiation,
      [](auto& vm) {
        const lent memory(memory_of(65536));
        send_table(vm, {.regions = {{{.size = 4096, .mmap_offset = ~std::uint64_t{4095}}}}}, 1, memory.one());
      },
      "its file has 65536 bytes");
}
TEST_CASE("a region past the end of the guest's addresses") {
  ends(
      after::negotiation,
      [](auto& vm) {
        const lent memory(memory_of(65536));
        send_table(vm, {.regions = {{{.guest_address = ~std::uint64_t{4095}, .size = 65536}}}}, 1, memory.one());
      },
      "by the guest's addresses");
}
TEST_CASE("regions that overlap in the guest's addresses") {
  ends(
      after::negotiation,
      [](auto& vm) {
        const lent memory(memory_of(65536));
        const std::array fds{memory.fd, memory.fd};
        send_table(vm,
                   {.count = 2,
                    .regions = {{{.size = 65536}, {.guest_address = 65535, .size = 65536, .user_address = 1 << 20}}}},
                   2, fds);
      },
      "by the guest's addresses");
}
TEST_CASE("regions that overlap in the front end's addresses") {
  ends(
      after::negotiation,
      [](auto& vm) {
        const lent memory(memory_of(65536));
        const std::array fds{memory.fd, memory.fd};
        send_table(vm, {.count = 2, .regions = {{{.size = 65536}, {.guest_address = 1 << 20, .size = 65536}}}}, 2, fds);
      },
      "by the front end's addresses");
}
TEST_CASE("memory that is no file") {
  ends(
      after::negotiation,
      [](auto& vm) {
        const lent event(::eventfd(0, EFD_CLOEXEC));
        send_table(vm, {.regions = {{{.size = 4096}}}}, 1, event.one());
      },
      "not of memory");
}
TEST_CASE("memory that is a file of a file system, which could let its pages be waited for") {
  ends(
      after::negotiation,
      [](auto& vm) {
        const lent program(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
        send_table(vm, {.regions = {{{.size = 4096}}}}, 1, program.one());
      },
      "not of memory");
}
TEST_CASE("memory that may not be written") {
  ends(
      after::negotiation,
      [](auto& vm) {
        const lent memory(memory_of(65536, F_SEAL_WRITE));
        send_table(vm, {.regions = {{{.size = 65536}}}}, 1, memory.one());
      },
      "its memory cannot be mapped");
}
TEST_CASE("a region that is added twice") {
  ends(
      after::memory,
      [](auto& vm) {
        const int fd = vm.memory().fd();
        send(vm, request_code::add_mem_reg, memory_slot{.region = vm.region()}, std::span(&fd, 1));
      },
      "ADD_MEM_REG");
}
TEST_CASE("a region that is added without its descriptor") {
  ends(
      after::negotiation, [](auto& vm) { send(vm, request_code::add_mem_reg, memory_slot{.region = vm.region()}); },
      "descriptors: 0, not 1");
}
TEST_CASE("a region that is removed and was never there") {
  ends(
      after::memory,
      [](auto& vm) {
        memory_region other = vm.region();
        other.size /= 2;
        send(vm, request_code::rem_mem_reg, memory_slot{.region = other});
      },
      "there is no such region");
}
TEST_CASE("memory that is removed under a ring that lies in it") {
  ends(
      after::set_up, [](auto& vm) { send(vm, request_code::rem_mem_reg, memory_slot{.region = vm.region()}); },
      "outside the driver's memory");
}
TEST_CASE("memory that is made smaller under a ring that uses it") {
  ends(
      after::set_up,
      [](auto& vm) {
        CHECK(::ftruncate(vm.memory().fd(), 0) == 0);
        vm.queue(0).kick();
      },
      "made smaller while it was in use");
}

// ---- rings ----

TEST_CASE("a queue that the device has not") {
  ends(
      after::negotiation, [](auto& vm) { send(vm, request_code::set_vring_num, vring_state{.index = 2, .value = 64}); },
      "queue 2 of 2");
}
TEST_CASE("the address of a queue that the device has not") {
  ends(
      after::negotiation, [](auto& vm) { send(vm, request_code::set_vring_addr, vring_address{.index = 0xffffffff}); },
      "queue 4294967295 of 2");
}
TEST_CASE("the base of a queue that the device has not") {
  ends(
      after::negotiation, [](auto& vm) { send(vm, request_code::get_vring_base, vring_state{.index = 7}); },
      "GET_VRING_BASE");
}
TEST_CASE("a kick for a queue that the device has not") {
  ends(
      after::negotiation,
      [](auto& vm) { send_number(vm, request_code::set_vring_kick, vhost_user::vring_without_fd | 9); },
      "queue 9 of 2");
}
TEST_CASE("a ring of no entries") {
  ends(
      after::negotiation, [](auto& vm) { send(vm, request_code::set_vring_num, vring_state{}); }, "0 entries");
}
TEST_CASE("a ring whose size is no power of two") {
  ends(
      after::negotiation, [](auto& vm) { send(vm, request_code::set_vring_num, vring_state{.value = 100}); },
      "100 entries");
}
TEST_CASE("a ring of more entries than there can be") {
  ends(
      after::negotiation, [](auto& vm) { send(vm, request_code::set_vring_num, vring_state{.value = 65536}); },
      "65536 entries");
}
TEST_CASE("a base that is no index") {
  ends(
      after::negotiation, [](auto& vm) { send(vm, request_code::set_vring_base, vring_state{.value = 65536}); },
      "0x10000 is no index");
}
TEST_CASE("an address with a log") {
  ends(
      after::memory,
      [](auto& vm) {
        vring_address where = vm.address_of_ring(0);
        where.flags = 1;
        send(vm, request_code::set_vring_addr, where);
      },
      "a log was not offered");
}
TEST_CASE("a ring that is neither enabled nor disabled") {
  ends(
      after::negotiation, [](auto& vm) { send(vm, request_code::set_vring_enable, vring_state{.value = 2}); },
      "2 is neither 0 nor 1");
}
TEST_CASE("a ring that is to run before it was set up") {
  ends(
      after::memory,
      [](auto& vm) {
        send(vm, request_code::set_vring_enable, vring_state{.value = 1});
        send_number(vm, request_code::set_vring_kick, vhost_user::vring_without_fd);
      },
      "before SET_VRING_NUM and SET_VRING_ADDR");
}
TEST_CASE("a ring that is to run before the features are known") {
  ends(
      after::nothing,
      [](auto& vm) {
        send(vm, request_code::set_vring_enable, vring_state{.value = 1});
        send_number(vm, request_code::set_vring_kick, vhost_user::vring_without_fd);
      },
      "before SET_FEATURES");
}

// A ring that is set up but for what `change` does to its addresses.
void ends_with_ring(const std::function<void(vring_address&)>& change, const std::string& text) {
  ends(
      after::memory,
      [&](auto& vm) {
        vring_address where = vm.address_of_ring(0);
        change(where);
        send(vm, request_code::set_vring_num, vring_state{.value = 64});
        send(vm, request_code::set_vring_addr, where);
        send(vm, request_code::set_vring_enable, vring_state{.value = 1});
        send_number(vm, request_code::set_vring_kick, vhost_user::vring_without_fd);
      },
      text);
}
TEST_CASE("a ring outside all memory") {
  ends_with_ring([](auto& where) { where.descriptors = 0x1000; }, "outside the driver's memory");
}
TEST_CASE("a ring that is named by the guest's addresses, which are not the front end's") {
  ends_with_ring([](auto& where) { where.used -= front_end::user_base - shared_memory::first_address; },
                 "outside the driver's memory");
}
TEST_CASE("a ring at the end of the addresses") {
  ends_with_ring([](auto& where) { where.available = ~std::uint64_t{1}; }, "outside the driver's memory");
}
TEST_CASE("a ring that is not aligned") {
  ends_with_ring([](auto& where) { where.used += 2; }, "not aligned");
}
TEST_CASE("a ring whose parts overlap") {
  ends_with_ring([](auto& where) { where.used = where.descriptors; }, "overlap");
}
TEST_CASE("a ring that is given another size while it is running") {
  ends(
      after::set_up, [](auto& vm) { send(vm, request_code::set_vring_num, vring_state{.value = 32}); },
      "queue 0 is running");
}
TEST_CASE("a ring that is moved while it is running") {
  ends(
      after::set_up, [](auto& vm) { send(vm, request_code::set_vring_addr, vm.address_of_ring(1)); },
      "queue 1 is running");
}
TEST_CASE("a ring that is given another base while it is running") {
  ends(
      after::set_up, [](auto& vm) { send(vm, request_code::set_vring_base, vring_state{.value = 3}); },
      "queue 0 is running");
}

// ---- descriptors of rings ----

TEST_CASE("a kick without its descriptor") {
  ends(
      after::memory, [](auto& vm) { send_number(vm, request_code::set_vring_kick, 0); }, "descriptors: 0, not 1");
}
TEST_CASE("a kick with a descriptor that it says it has not") {
  ends(
      after::memory,
      [](auto& vm) {
        const lent event(::eventfd(0, EFD_CLOEXEC));
        send_number(vm, request_code::set_vring_kick, vhost_user::vring_without_fd, event.one());
      },
      "descriptors: 1, not 0");
}
TEST_CASE("a kick with two descriptors") {
  ends(
      after::memory,
      [](auto& vm) {
        const lent event(::eventfd(0, EFD_CLOEXEC));
        const std::array fds{event.fd, event.fd};
        send_number(vm, request_code::set_vring_kick, 0, fds);
      },
      "descriptors: 2, not 0 to 1");
}
TEST_CASE("reserved bits beside a queue's number") {
  ends(
      after::memory, [](auto& vm) { send_number(vm, request_code::set_vring_call, 0x300); }, "reserved bits");
}
TEST_CASE("a kick by a pipe") {
  ends(
      after::memory,
      [](auto& vm) {
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        const lent read(ends[0]);
        const lent write(ends[1]);
        send_number(vm, request_code::set_vring_kick, 0, read.one());
      },
      "is no eventfd");
}
TEST_CASE("a call to a file") {
  ends(
      after::memory,
      [](auto& vm) {
        const lent zeros(::open("/dev/zero", O_RDWR | O_CLOEXEC));
        send_number(vm, request_code::set_vring_call, 0, zeros.one());
      },
      "is no eventfd");
}
TEST_CASE("a back channel that is no socket") {
  ends(
      after::negotiation,
      [](auto& vm) {
        const lent zeros(::open("/dev/zero", O_RDWR | O_CLOEXEC));
        send(vm, request_code::set_backend_req_fd, std::span<const std::byte>(), zeros.one());
      },
      "is no socket");
}

// ---- configuration ----

TEST_CASE("a piece of the configuration that is behind its end") {
  ends(
      after::negotiation,
      [](auto& vm) { send(vm, request_code::get_config, config_head{.offset = 0xffffffff, .size = 2}); },
      "2 bytes at 4294967295");
}
TEST_CASE("a piece of the configuration that is larger than all of it") {
  ends(
      after::negotiation, [](auto& vm) { send(vm, request_code::get_config, config_head{.size = 257}); },
      "257 bytes at 0");
}
TEST_CASE("a piece of the configuration that does not fit its message") {
  ends(
      after::negotiation, [](auto& vm) { send(vm, request_code::set_config, config_head{.size = 8}); },
      "12 bytes, not 20");
}

// ---- the in-flight log ----

TEST_CASE("a log for no queues") {
  ends(
      after::negotiation,
      [](auto& vm) { send(vm, request_code::get_inflight_fd, inflight_description{.queues = 0, .queue_size = 64}); },
      "0 queues of 64");
}
TEST_CASE("a log for more queues than there are") {
  ends(
      after::negotiation,
      [](auto& vm) { send(vm, request_code::get_inflight_fd, inflight_description{.queues = 3, .queue_size = 64}); },
      "3 queues of 64");
}
TEST_CASE("a log of fewer bytes than it needs") {
  ends(
      after::negotiation,
      [](auto& vm) {
        const lent memory(memory_of(65536));
        send(vm, request_code::set_inflight_fd, inflight_description{.mmap_size = 100, .queues = 2, .queue_size = 64},
             memory.one());
      },
      "100 bytes are too few");
}
TEST_CASE("a log that is larger than its file") {
  ends(
      after::negotiation,
      [](auto& vm) {
        const lent memory(memory_of(4096));
        send(vm, request_code::set_inflight_fd, inflight_description{.mmap_size = 65536, .queues = 2, .queue_size = 64},
             memory.one());
      },
      "its file has 4096 bytes");
}
TEST_CASE("a log that is not aligned") {
  ends(
      after::negotiation,
      [](auto& vm) {
        const lent memory(memory_of(65536));
        send(vm, request_code::set_inflight_fd,
             inflight_description{.mmap_size = 4096, .mmap_offset = 4, .queues = 2, .queue_size = 64}, memory.one());
      },
      "not aligned");
}
TEST_CASE("a log that comes when a ring is running") {
  ends(
      after::set_up,
      [](auto& vm) {
        const lent memory(memory_of(65536));
        send(vm, request_code::set_inflight_fd, inflight_description{.mmap_size = 65536, .queues = 2, .queue_size = 64},
             memory.one());
      },
      "a ring is running");
}
TEST_CASE("a log for rings smaller than those that come") {
  ends(
      after::memory,
      [](auto& vm) {
        const lent memory(memory_of(65536));
        send(vm, request_code::set_inflight_fd, inflight_description{.mmap_size = 65536, .queues = 2, .queue_size = 16},
             memory.one());
        send(vm, request_code::set_vring_num, vring_state{.value = 64});
        send(vm, request_code::set_vring_addr, vm.address_of_ring(0));
        send(vm, request_code::set_vring_enable, vring_state{.value = 1});
        send_number(vm, request_code::set_vring_kick, vhost_user::vring_without_fd);
      },
      "has no room for it");
}

}  // namespace
}  // namespace vloop::test
