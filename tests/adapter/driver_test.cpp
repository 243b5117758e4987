// SPDX-License-Identifier: MIT
// Devices and drivers in one process, by the public header alone.
#include "vloop/driver.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>
#include <linux/input-event-codes.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "support/temporary_file.hpp"

namespace vloop::test {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::size_t disk_bytes = 4 << 20;

struct served_disk {
  explicit served_disk(bool read_only = false) : file(disk_bytes), disk(io, {file.path(), read_only}) {}
  temporary_file file;
  driver_loop io;
  disk_driver disk;
};

// Nothing comes out of it.
struct silent_fifo {
  silent_fifo() {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(fd >= 0);
  }
  ~silent_fifo() {
    ::close(fd);
    ::unlink(path.c_str());
  }
  void say(std::string_view text) const {
    REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  std::string path = "vloop-driver-test-fifo-" + std::to_string(::getpid());
  int fd = -1;
};

driver_task<std::int32_t> copy_block(disk_driver& disk, std::uint64_t from, std::uint64_t to) {
  std::vector<std::byte> block(4096);
  const std::int32_t got = co_await disk.read(from, block);
  if (got < 0) co_return got;
  const std::int32_t put = co_await disk.write(to, block);
  if (put < 0) co_return put;
  const std::int32_t flushed = co_await disk.flush();
  co_return flushed < 0 ? flushed : put;
}

driver_task<> copy_blocks(disk_driver& disk, std::size_t count, std::int32_t& copied) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t n = co_await copy_block(disk, i * 4096, disk_bytes / 2 + i * 4096);
    copied += n;
  }
}

driver_task<> fail_after_a_read(disk_driver& disk) {
  std::vector<std::byte> block(512);
  co_await disk.read(0, block);
  throw std::runtime_error("as the coroutine says");
}

driver_task<> note_result(driver_request& request, std::int32_t& result) {
  const std::int32_t n = co_await request;
  result = n;
}

// Runs it up to where it waits, as another coroutine would.
void begin(const driver_task<>& task) {
  task.operator co_await().await_suspend(std::noop_coroutine());
}

TEST_CASE("what a program writes to a disk in its process is in the file, and is read back") {
  served_disk d;
  CHECK(d.disk.bytes() == disk_bytes);
  CHECK(d.disk.block_size() >= 512);
  const auto data = pattern(64 << 10, 1);
  CHECK(d.disk.write(4096, data).wait() == 64 << 10);
  CHECK(d.disk.flush().wait() == 0);
  CHECK(d.file.read(4096, data.size()) == data);
  std::vector<std::byte> back(data.size());
  CHECK(d.disk.read(4096, back).wait() == 64 << 10);
  CHECK(back == data);
}

TEST_CASE("coroutines read, write and flush, and await each other") {
  served_disk d;
  const auto data = pattern(16 * 4096, 2);
  d.file.write(0, data);
  std::int32_t copied = 0;
  d.io.run(copy_blocks(d.disk, 16, copied));
  CHECK(copied == 16 * 4096);
  CHECK(d.file.read(disk_bytes / 2, data.size()) == data);
  CHECK(d.io.run(copy_block(d.disk, disk_bytes, 0)) == -EINVAL);
}

TEST_CASE("what a coroutine throws comes out of run") {
  served_disk d;
  CHECK_THROWS_AS(d.io.run(fail_after_a_read(d.disk)), std::runtime_error);
  CHECK(d.disk.flush().wait() == 0);
}

TEST_CASE("requests that no disk could serve are not submitted, and the next one is served") {
  served_disk d;
  std::vector<std::byte> block(4096), large(disk_driver::request_bytes_max + 512);
  CHECK(d.disk.read(1, block).wait() == -EINVAL);
  CHECK(d.disk.read(0, std::span(block).first(100)).wait() == -EINVAL);
  CHECK(d.disk.read(0, {}).wait() == -EINVAL);
  CHECK(d.disk.read(disk_bytes - 512, block).wait() == -EINVAL);
  CHECK(d.disk.read(~std::uint64_t{0} - 511, block).wait() == -EINVAL);
  CHECK(d.disk.read(0, large).wait() == -EMSGSIZE);
  CHECK(d.disk.read(0, std::span(large).first(disk_driver::request_bytes_max)).wait() == 1 << 20);
  CHECK(d.disk.read(disk_bytes - 4096, block).wait() == 4096);
}

TEST_CASE("a read-only disk refuses writes") {
  served_disk d(true);
  std::vector<std::byte> block(512);
  CHECK(d.disk.read_only());
  CHECK(d.disk.write(0, block).wait() == -EROFS);
  CHECK(d.disk.read(0, block).wait() == 512);
}

TEST_CASE("a backing that fails fails the request, with EIO") {
  served_disk d;
  REQUIRE(::ftruncate(d.file.fd(), 4096) == 0);
  std::vector<std::byte> block(4096);
  CHECK(d.disk.read(1 << 20, block).wait() == -EIO);
  CHECK(d.disk.read(0, block).wait() == 4096);
}

TEST_CASE("many requests are under way at once; too many are told so, and end all the same") {
  served_disk d;
  const auto data = pattern(disk_bytes, 3);
  d.file.write(0, data);
  std::vector<std::byte> back(disk_bytes);
  std::deque<driver_request> requests;
  unsigned refused = 0;
  for (std::size_t at = 0; at < disk_bytes;) {
    driver_request one = d.disk.read(at, std::span(back).subspan(at, 4096));
    if (one.done() && one.result() == -EAGAIN) {
      ++refused;
      REQUIRE_FALSE(requests.empty());
      CHECK(requests.front().wait() == 4096);
      requests.pop_front();
      continue;
    }
    requests.push_back(std::move(one));
    at += 4096;
  }
  for (driver_request& r : requests) CHECK(r.wait() == 4096);
  CHECK(refused > 0);
  CHECK(back == data);
}

TEST_CASE("a request that is dropped disturbs nobody") {
  served_disk d;
  {
    std::vector<std::byte> gone(1 << 20);
    for (int i = 0; i < 3; ++i) static_cast<void>(d.disk.read(0, gone));
  }
  std::vector<std::byte> block(4096);
  CHECK(d.disk.read(0, block).wait() == 4096);
}

TEST_CASE("a driver destroyed with requests under way leaves none of them undone") {
  temporary_file file(disk_bytes);
  driver_loop io;
  std::vector<std::byte> block(4096);
  for (int round = 0; round < 20; ++round) {
    std::deque<driver_request> requests;
    std::int32_t awaited = 1;
    {
      disk_driver disk(io, {.path = file.path()});
      for (int i = 0; i < 32; ++i) requests.push_back(disk.read(0, block));
      driver_request flush = disk.flush();
      const driver_task<> waits = note_result(flush, awaited);
      begin(waits);
      requests.push_back(disk.flush());
      if (round % 2) io.poll();
      // What waits, and its request, are dropped here, before the driver.
    }
    for (driver_request& r : requests) {
      CHECK(r.done());
      CHECK((r.result() >= 0 || r.result() == -ECANCELED));
    }
  }
}

TEST_CASE("a coroutine that waits when its driver is destroyed is resumed by that") {
  silent_fifo source;
  driver_loop io;
  std::array<std::byte, 16> bytes{};
  std::optional<entropy_driver> random(std::in_place, io, entropy{.source = source.path});
  driver_request request = random->read(bytes);
  std::int32_t result = 0;
  const driver_task<> waits = note_result(request, result);
  begin(waits);
  CHECK(result == 0);
  random.reset();
  CHECK((result == 16 || result == -ECANCELED));
  CHECK(request.done());
}

TEST_CASE("a coroutine that is destroyed while it waits is not resumed, and its request goes on") {
  silent_fifo source;
  driver_loop io;
  entropy_driver random(io, {.source = source.path});
  std::array<std::byte, 3> bytes{};
  driver_request request = random.read(bytes);
  std::int32_t result = 0;
  {
    const driver_task<> waits = note_result(request, result);
    begin(waits);
  }
  source.say("abc");
  CHECK(request.wait() == 3);
  CHECK(result == 0);
}

TEST_CASE("random bytes come, and differ") {
  driver_loop io;
  entropy_driver random(io);
  std::array<std::byte, 64> first{}, second{};
  CHECK(random.read(first).wait() == 64);
  CHECK(random.read(second).wait() == 64);
  CHECK(first != second);
  CHECK(random.read({}).wait() == -EINVAL);
  std::vector<std::byte> many(1 << 20);
  CHECK(random.read(many).wait() == 4096);
}

TEST_CASE("an entropy driver whose source never answers is destroyed at once, whenever that is") {
  silent_fifo source;
  driver_loop io;
  std::array<std::byte, 16> bytes{};
  const auto before = clock::now();
  for (int round = 0; round < 30; ++round) {
    entropy_driver random(io, {.source = source.path});
    const driver_request asked = random.read(bytes);
    // On most rounds the device has not even seen it yet; on others it waits.
    if (round % 10 == 9) CHECK(io.wait(50ms) == 0);
  }
  CHECK(clock::now() - before < 10s);
}

TEST_CASE("a wait with a limit ends with it, and the loop's descriptor tells of what ended") {
  silent_fifo source;
  driver_loop io;
  entropy_driver random(io, {.source = source.path});
  std::array<std::byte, 3> bytes{};
  const driver_request asked = random.read(bytes);
  CHECK(io.wait(20ms) == 0);
  CHECK_FALSE(asked.done());
  source.say("abc");
  pollfd p{.fd = io.descriptor(), .events = POLLIN, .revents = 0};
  REQUIRE(::poll(&p, 1, 20'000) == 1);
  CHECK(io.poll() == 1);
  CHECK(asked.done());
  CHECK(asked.result() == 3);
  CHECK(bytes[2] == std::byte{'c'});
}

driver_task<std::vector<input_event>> take_events(input_driver& from, std::size_t count) {
  std::vector<input_event> events;
  while (events.size() < count) {
    const auto event = co_await from.next();
    if (!event) break;
    events.push_back(*event);
  }
  co_return events;
}

TEST_CASE("events of an input device come whole and in order") {
  driver_loop io;
  input_driver mouse(io, "synthetic:mouse,rate=10000,count=1000,queue-size=1024");
  // First the state of its three buttons, which the driver does not know; then movements of one step to the right.
  const auto events = io.run(take_events(mouse, 4 + 2 * 60));
  REQUIRE(events.size() == 4 + 2 * 60);
  CHECK(events[3].type == EV_SYN);
  for (std::size_t i = 4; i < events.size(); i += 2) {
    CHECK(events[i].type == EV_REL);
    CHECK(events[i].code == REL_X);
    CHECK(events[i].value == 1);
    CHECK(events[i + 1].type == EV_SYN);
  }
}

TEST_CASE("a light is told to the device, and whatever else is taken note of") {
  driver_loop io;
  input_driver keyboard(io, "synthetic:keyboard,count=1");
  CHECK(keyboard.send({EV_LED, LED_CAPSL, 1}).wait() == 0);
  CHECK(keyboard.send({0xffff, 0xffff, -1}).wait() == 0);
}

TEST_CASE("an input driver whose source is silent is destroyed at once") {
  driver_loop io;
  const auto before = clock::now();
  for (int round = 0; round < 10; ++round) {
    input_driver mouse(io, "synthetic:mouse,rate=1,count=1");
    if (round % 5 == 4) io.wait(20ms);
  }
  CHECK(clock::now() - before < 10s);
}

TEST_CASE("an input source that fails ends the events, and what is sent later says so") {
  silent_fifo source;
  source.say("N: A test's\nI: 0003 0001 0002 0003\nB: 02 03 00 00 00 00 00 00 00\n\n");
  driver_loop io;
  input_driver broken(io, "events:" + source.path);
  source.say("nonsense\n");
  CHECK(io.run(take_events(broken, 100)).size() < 100);
  CHECK(broken.send({EV_LED, 0, 0}).wait() == -ENODEV);
}

TEST_CASE("drivers of several devices share a loop") {
  temporary_file file(disk_bytes);
  driver_loop io;
  disk_driver disk(io, {.path = file.path()});
  entropy_driver random(io);
  std::array<std::byte, 512> bytes{};
  driver_request got = random.read(bytes);
  CHECK(got.wait() == 512);
  driver_request put = disk.write(0, bytes);
  CHECK(put.wait() == 512);
  CHECK(std::memcmp(file.read(0, 512).data(), bytes.data(), 512) == 0);
}

TEST_CASE("drivers that cannot be made say why, and the loop goes on") {
  driver_loop io;
  CHECK_THROWS_AS(disk_driver(io, {.path = "/nowhere/disk.img"}), std::system_error);
  CHECK_THROWS_AS(disk_driver(io, {.path = ""}), std::invalid_argument);
  CHECK_THROWS_AS(disk_driver(io, {.path = "/dev/null", .queues = 2}), std::invalid_argument);
  CHECK_THROWS_AS(entropy_driver(io, {.source = "/nowhere/random"}), std::system_error);
  CHECK_THROWS_AS(input_driver(io, "synthetic:elephant"), std::invalid_argument);
  CHECK_THROWS_AS(input_driver(io, "/dev/input/none"), std::system_error);
  CHECK(io.wait(0ms) == 0);
}

}  // namespace
}  // namespace vloop::test
