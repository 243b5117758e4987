// SPDX-License-Identifier: MIT
// Devices served to a front end over a socket: what they do, and what a front end may change while they do it.
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_input.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstring>
#include <filesystem>
#include <thread>

#include "devices/blk.hpp"
#include "devices/input.hpp"
#include "devices/rng.hpp"
#include "support/child_process.hpp"
#include "support/front_end.hpp"
#include "support/socket_server.hpp"
#include "support/temporary_file.hpp"
#include "vhost_user/back_channel.hpp"

namespace vloop::test {
namespace {

using namespace std::chrono_literals;
using vhost_user::protocol_feature;
using vhost_user::request_code;

constexpr std::uint64_t disk_bytes = 4 << 20;

std::unique_ptr<device> disk_on(const temporary_file& file, std::uint16_t queues = 1) {
  return std::make_unique<blk>(
      blk_options{.path = file.path(), .queues = queues, .queue_size = 64, .direct = direct_mode::off});
}

// Writes, reads back and flushes on each queue, many at a time; looks at the file as well.
void verify(front_end& vm, std::uint16_t queues, const temporary_file& file) {
  constexpr std::uint64_t each = 4096;
  constexpr std::uint64_t count = 48;
  for (std::uint16_t q = 0; q < queues; ++q) {
    blk_driver disk(vm.queue(q));
    const auto sector = [q](std::uint64_t i) { return (q * count + i) * each / 512; };
    std::vector<driver::ticket> tickets;
    for (std::uint64_t i = 0; i < count / 3; ++i) tickets.push_back(disk.write(sector(i), pattern(each, q * 1000 + i)));
    for (const auto t : tickets) CHECK(disk.finish(t).ok());
    CHECK(disk.finish(disk.flush()).ok());
    tickets.clear();
    for (std::uint64_t i = 0; i < count / 3; ++i) tickets.push_back(disk.read(sector(i), each));
    for (std::uint64_t i = 0; i < count / 3; ++i) {
      const auto read = disk.finish(tickets[i]);
      CHECK(read.ok());
      CHECK(read.data == pattern(each, q * 1000 + i));
      CHECK(file.read(sector(i) * 512, each) == read.data);
    }
  }
}

TEST_CASE("a disk is written, flushed and read over four queues, served by one worker or several") {
  for (const unsigned workers : {1U, 2U}) {
    const temporary_file file(disk_bytes);
    socket_server server(disk_on(file, 4), workers);
    front_end vm(server.path(), {.queues = 4});
    vm.set_up();
    for (int round = 0; round < 3; ++round) verify(vm, 4, file);
    CHECK(server.warnings().empty());
  }
}

TEST_CASE("a ring may have indirect descriptors, and no event index") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path(), {.event_index = false, .indirect = true});
  vm.set_up();
  verify(vm, 1, file);
}

TEST_CASE("a front end that knows no protocol features has its rings run from the kick on") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path(), {.knows_protocol_features = false});
  vm.set_up();
  verify(vm, 1, file);
}

TEST_CASE("a kick descriptor that does not block is waited for all the same, at no cost") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path());
  ::fcntl(vm.queue(0).kick_fd(), F_SETFL, O_NONBLOCK);
  vm.set_up();
  for (int round = 0; round < 3; ++round) verify(vm, 1, file);
  timespec before{}, after{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  std::this_thread::sleep_for(500ms);
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  CHECK((after.tv_sec - before.tv_sec) * 1'000'000'000 + after.tv_nsec - before.tv_nsec < 100'000'000);
  CHECK(blk_driver(vm.queue(0)).finish(blk_driver(vm.queue(0)).flush()).ok());
}

TEST_CASE("without a kick descriptor the ring is looked at every so often") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path());
  vm.negotiate();
  vm.give_memory();
  vm.say().set_vring(request_code::set_vring_num, 0, 64);
  vm.say().set_vring_address(vm.address_of_ring(0));
  vm.say().set_vring_fd(request_code::set_vring_call, 0, vm.queue(0).interrupt_fd());
  vm.say().set(request_code::set_vring_kick, vhost_user::vring_without_fd);
  vm.say().set_vring(request_code::set_vring_enable, 0, 1);
  verify(vm, 1, file);
}

TEST_CASE("random bytes come over a socket, and differ") {
  socket_server server(std::make_unique<rng>(rng_options{.source = "/dev/urandom", .queue_size = 8}));
  front_end vm(server.path(), {.queue_size = 8});
  vm.set_up();
  const auto first = vm.queue(0).finish(vm.queue(0).submit({}, 64));
  CHECK(first.written == 64);
  const std::vector<std::byte> bytes(first.writable.begin(), first.writable.end());
  const auto second = vm.queue(0).finish(vm.queue(0).submit({}, 64));
  CHECK(bytes != std::vector<std::byte>(second.writable.begin(), second.writable.end()));
}

TEST_CASE("input events come over a socket, and the pages are selected by SET_CONFIG") {
  socket_server server(std::make_unique<input>(
      input_options{.source = synthetic_options{.kind = synthetic_kind::mouse, .rate = 1000}, .queue_size = 64}));
  front_end vm(server.path(), {.queues = 2});
  vm.set_up();
  const std::array<std::byte, 2> name{std::byte{VIRTIO_INPUT_CFG_ID_NAME}, std::byte{0}};
  vm.say().set_config(name);
  const auto config = vm.say().get_config(sizeof(virtio_input_config));
  REQUIRE(config);
  CHECK(config->at(0) == std::byte{VIRTIO_INPUT_CFG_ID_NAME});
  CHECK(config->at(2) != std::byte{0});
  std::vector<driver::ticket> buffers;
  for (int i = 0; i < 32; ++i) buffers.push_back(vm.queue(0).submit({}, 8));
  for (const auto t : buffers) CHECK(vm.queue(0).finish(t).written == 8);
}

TEST_CASE("the configuration is read whole or in part, with zeros behind its end") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file, 2));
  front_end vm(server.path(), {.queues = 2});
  vm.negotiate();
  const auto config = vm.say().get_config(60);
  REQUIRE(config);
  virtio_blk_config told{};
  std::memcpy(&told, config->data(), 60);
  CHECK(told.capacity == disk_bytes / 512);
  CHECK(told.num_queues == 2);
  CHECK(told.max_discard_sectors == 0);
  CHECK(vm.say().get(request_code::get_queue_num) == 2);
}

// ---- life of a ring ----

TEST_CASE("a ring that is stopped finishes what it has, and goes on from the base it told") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path());
  vm.set_up();
  blk_driver disk(vm.queue(0));
  for (int round = 0; round < 5; ++round) {
    std::vector<driver::ticket> tickets;
    for (std::uint64_t i = 0; i < 16; ++i) tickets.push_back(disk.write(i * 8, pattern(4096, i)));
    const std::uint32_t base = vm.say().get_vring_base(0);
    // All that was taken is done, nothing else is touched.
    std::size_t finished = 0;
    for (const auto t : tickets) finished += vm.queue(0).finished(t) ? 1 : 0;
    CHECK(base % 65536 == (round * 16 + finished) % 65536);
    vm.set_up_ring(0, static_cast<std::uint16_t>(base));
    for (const auto t : tickets) CHECK(disk.finish(t).ok());
  }
  CHECK(server.warnings().empty());
}

TEST_CASE("a disabled ring takes nothing until it is enabled") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path());
  vm.set_up();
  blk_driver disk(vm.queue(0));
  vm.say().set_vring(request_code::set_vring_enable, 0, 0);
  const auto t = disk.flush();
  std::this_thread::sleep_for(50ms);
  CHECK_FALSE(vm.queue(0).finished(t));
  vm.say().set_vring(request_code::set_vring_enable, 0, 1);
  CHECK(disk.finish(t).ok());
}

TEST_CASE("another kick descriptor takes the place of the first") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path());
  vm.set_up();
  verify(vm, 1, file);
  vm.say().set_vring_fd(request_code::set_vring_kick, 0, vm.queue(0).kick_fd());
  verify(vm, 1, file);
  CHECK(server.warnings().empty());
}

TEST_CASE("a device that is reset begins anew, with features that the driver chooses again") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path());
  vm.set_up();
  verify(vm, 1, file);
  for (const auto how : {request_code::reset_device, request_code::set_status}) {
    if (how == request_code::set_status) vm.say().set(request_code::set_status, 0);
    if (how == request_code::reset_device) vm.say().say(request_code::reset_device);
    vm.queue(0).reset();
    vm.say().set(request_code::set_features, vm.features());
    vm.set_up_ring(0, 0);
    verify(vm, 1, file);
  }
  CHECK(server.warnings().empty());
}

TEST_CASE("the status is what was set last, and zero after a reset") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path());
  vm.negotiate();
  vm.say().set(request_code::set_status, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
  CHECK(vm.say().get(request_code::get_status) == (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER));
  vm.say().set(request_code::set_status, 0);
  CHECK(vm.say().get(request_code::get_status) == 0);
}

TEST_CASE("RESET_OWNER stops the rings") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path());
  vm.set_up();
  vm.say().say(request_code::reset_owner);
  blk_driver disk(vm.queue(0));
  const auto t = disk.flush();
  std::this_thread::sleep_for(50ms);
  CHECK_FALSE(vm.queue(0).finished(t));
}

// ---- memory ----

TEST_CASE("memory is added while a ring runs, used, and removed while requests are under way elsewhere") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path());
  vm.negotiate();
  CHECK(vm.say().get(request_code::get_max_mem_slots) >= 32);
  vm.say().add_memory(vm.region(), vm.memory().fd());
  vm.set_up_ring(0, 0);
  const shared_memory more(1 << 20);
  const vhost_user::memory_region region{
      .guest_address = 0x8'0000'0000, .size = 1 << 20, .user_address = 0x6000'0000'0000, .mmap_offset = 0};
  blk_driver disk(vm.queue(0));
  for (int round = 0; round < 10; ++round) {
    std::vector<driver::ticket> tickets;
    for (std::uint64_t i = 0; i < 8; ++i) tickets.push_back(disk.write(i * 8, pattern(4096, i)));
    vm.say().add_memory(region, more.fd());
    for (std::uint64_t i = 8; i < 16; ++i) tickets.push_back(disk.write(i * 8, pattern(4096, i)));
    vm.say().remove_memory(region);
    for (const auto t : tickets) CHECK(disk.finish(t).ok());
  }
  CHECK(server.warnings().empty());
}

TEST_CASE("another memory table takes the place of the first while a ring runs") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path());
  vm.set_up();
  blk_driver disk(vm.queue(0));
  for (int round = 0; round < 10; ++round) {
    std::vector<driver::ticket> tickets;
    for (std::uint64_t i = 0; i < 16; ++i) tickets.push_back(disk.write(i * 8, pattern(4096, i)));
    vm.give_memory();
    for (const auto t : tickets) CHECK(disk.finish(t).ok());
  }
}

// ---- front ends come and go ----

TEST_CASE("one front end after the other is served, and a second at the same time is not") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  for (int round = 0; round < 5; ++round) {
    front_end vm(server.path());
    vm.set_up();
    verify(vm, 1, file);
    CHECK_THROWS(front_end(server.path(), {.limit = 5s}).negotiate());
    CHECK(server.said("a second front end is refused"));
    CHECK(server.warnings().size() == 1);
    server.forget_lines();
    verify(vm, 1, file);
  }
}

TEST_CASE("a stop finishes what was taken, closes the connection and takes the socket away") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path());
  vm.set_up();
  blk_driver disk(vm.queue(0));
  CHECK(disk.finish(disk.write(0, pattern(4096, 1))).ok());
  server.stop();
  CHECK_THROWS(vm.say().get(request_code::get_features));
  CHECK_FALSE(std::filesystem::exists(server.path()));
  CHECK(server.warnings().empty());
}

TEST_CASE("a stop does not wait for a front end that says nothing, or half a message") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path());
  CHECK(server.said("a front end is there"));
  const std::byte half{};
  CHECK(::send(vm.say().link().fd(), &half, 1, 0) == 1);
  const auto began = std::chrono::steady_clock::now();
  server.stop();
  CHECK(std::chrono::steady_clock::now() - began < 3s);
}

// ---- the size of a disk, and other daemons ----

TEST_CASE("a disk whose file grows, or shrinks, is as large as that, and its front end is told") {
  const temporary_file file(disk_bytes);
  auto made = std::make_unique<blk>(blk_options{.path = file.path(), .queue_size = 64, .direct = direct_mode::off});
  blk& disk = *made;
  socket_server server(std::move(made));
  front_end vm(server.path());
  vm.set_up();
  vhost_user::back_channel news("the server", 20s);
  news.give_to(vm.say());
  blk_driver driver(vm.queue(0));
  CHECK_FALSE(driver.finish(driver.write(disk_bytes / 512, pattern(4096, 3))).ok());
  for (const std::uint64_t bytes : {disk_bytes * 2, disk_bytes}) {
    REQUIRE(::ftruncate(file.fd(), static_cast<off_t>(bytes)) == 0);
    disk.look_again();
    CHECK(news.take(true) == vhost_user::back_channel::news::config_changed);
    std::uint64_t sectors = 0;
    const auto config = vm.say().get_config(60);
    REQUIRE(config);
    std::memcpy(&sectors, config->data(), sizeof sectors);
    CHECK(sectors == bytes / 512);
    CHECK(driver.finish(driver.write(bytes / 512 - 8, pattern(4096, 3))).ok());
    CHECK_FALSE(driver.finish(driver.write(bytes / 512, pattern(4096, 3))).ok());
  }
  CHECK(server.warnings().empty());
}

TEST_CASE("a driver that breaks its ring is told by the error descriptor, and can go on after a reset") {
  const temporary_file file(disk_bytes);
  socket_server server(disk_on(file));
  front_end vm(server.path());
  vm.set_up();
  verify(vm, 1, file);
  const owned_fd error(::eventfd(0, EFD_CLOEXEC));
  vm.say().set_vring_fd(request_code::set_vring_err, 0, error.get());
  vring_avail& available = *vm.queue(0).ring().available;
  std::atomic_ref(available.idx).store(static_cast<std::uint16_t>(available.idx + 1000));
  vm.queue(0).kick();
  pollfd told{.fd = error.get(), .events = POLLIN, .revents = 0};
  CHECK(::poll(&told, 1, 20'000) == 1);
  REQUIRE(server.warnings().size() == 1);
  CHECK(server.warnings().front().find("queue 0: the driver broke its ring: the available index moved") !=
        std::string::npos);
  vm.say().say(request_code::reset_device);
  vm.queue(0).reset();
  vm.say().set(request_code::set_features, vm.features());
  vm.set_up_ring(0, 0);
  verify(vm, 1, file);
}

TEST_CASE("qemu-storage-daemon and vloop serve the same front end the same disk") {
  const std::string daemon = "/usr/bin/qemu-storage-daemon";
  if (!std::filesystem::exists(daemon)) {
    WARN("there is no " << daemon);
    return;
  }
  const temporary_file file(disk_bytes);
  const std::string socket = file.path() + ".qsd";
  {
    child_process other(
        {daemon, "--blockdev", "driver=file,node-name=file,filename=" + file.path(), "--export",
         "type=vhost-user-blk,id=export,node-name=file,writable=on,num-queues=2,addr.type=unix,addr.path=" + socket});
    front_end vm(socket, {.queues = 2});
    vm.set_up();
    verify(vm, 2, file);
  }
  std::filesystem::remove(socket);
  socket_server server(disk_on(file, 2));
  front_end vm(server.path(), {.queues = 2});
  vm.set_up();
  CHECK(blk_driver(vm.queue(0)).finish(blk_driver(vm.queue(0)).read(0, 4096)).data == pattern(4096, 0));
  verify(vm, 2, file);
}

}  // namespace
}  // namespace vloop::test
