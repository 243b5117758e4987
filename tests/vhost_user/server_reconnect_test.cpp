// SPDX-License-Identifier: MIT
// Either side dies: what was in flight is done once, by whoever comes, and nothing that was answered is done again.
#include <linux/virtio_blk.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "devices/blk.hpp"
#include "support/child_process.hpp"
#include "support/front_end.hpp"
#include "support/socket_server.hpp"
#include "support/temporary_file.hpp"
#include "vhost_user/guarded_memory.hpp"
#include "vring/inflight_log.hpp"

namespace vloop::test {
namespace {

using namespace std::chrono_literals;
using vhost_user::request_code;

constexpr std::uint64_t disk_bytes = 8 << 20;

// Answers every request with nothing, and remembers the first byte of each, in order.
class recorder final : public device {
 public:
  explicit recorder(std::uint16_t queue_size) {
    description_.id = 2;
    description_.queues = {{.size = queue_size}};
    description_.kind = "recorder";
    description_.label = "test";
  }
  const device_description& describe() const override { return description_; }
  void start(std::uint64_t) override {}
  task<void> serve(queue& requests, loop&) override {
    while (auto r = co_await requests.next()) {
      {
        const std::lock_guard held(lock_);
        seen_.push_back(static_cast<int>(r->front().front()));
      }
      requests.complete(std::move(*r));
    }
  }
  std::vector<int> seen() {
    const std::lock_guard held(lock_);
    return seen_;
  }

 private:
  device_description description_;
  std::mutex lock_;
  std::vector<int> seen_;
};

std::uint16_t used_index(front_end& vm, std::size_t queue) {
  return std::atomic_ref(vm.queue(queue).ring().used->idx).load();
}

// The guest goes on with another back end: ring and log as the last one left them.
void go_on(front_end& vm, std::uint16_t queues) {
  vm.negotiate();
  vm.keep_log();
  vm.give_memory();
  for (std::uint16_t i = 0; i < queues; ++i) vm.set_up_ring(i, used_index(vm, i));
}

driver::ticket submit(front_end& vm, int number) {
  const std::byte byte{static_cast<std::uint8_t>(number)};
  return vm.queue(0).submit(std::span(&byte, 1), 0);
}

// A back end that took `took` of the requests that are offered, gave back `gave` of those (out of order) and died.
void die_after(front_end& vm, const vhost_user::inflight_region& log, std::uint16_t queue_size,
               std::vector<std::uint16_t> took, const std::vector<std::uint16_t>& gave,
               bool before_it_is_written_down) {
  vhost_user::guarded_memory memory("log", log.memory.get(), log.where.mmap_offset, log.where.mmap_size, -1);
  inflight_log keeper(memory.bytes(), queue_size);
  const split_ring& ring = vm.queue(0).ring();
  keeper.resume(used_index(vm, 0));
  for (const std::uint16_t i : took) keeper.take(ring.available->ring[i]);
  used_writer used(ring, false, used_index(vm, 0));
  for (const std::uint16_t i : gave) {
    keeper.giving_back(ring.available->ring[i]);
    used.push(ring.available->ring[i], 0);
    if (!before_it_is_written_down) keeper.gave_back(used.next());
  }
}

TEST_CASE("what a back end had taken and not answered is done first, in order, and what it answered not again") {
  for (const bool died_early : {false, true}) {
    auto made = std::make_unique<recorder>(std::uint16_t{16});
    recorder& device = *made;
    socket_server server(std::move(made));
    front_end vm(server.path(), {.queue_size = 16});
    vm.negotiate();
    vm.keep_log();
    std::vector<driver::ticket> tickets;
    for (int i = 0; i < 8; ++i) tickets.push_back(submit(vm, i));
    // It took five of the eight, answered the fourth and then the second.
    const auto log = vm.say().get_inflight(1, 16);
    vm.say().set_inflight(log);
    die_after(vm, log, 16, {0, 1, 2, 3, 4}, {3, 1}, died_early);
    vm.give_memory();
    vm.set_up_ring(0, used_index(vm, 0));
    for (const auto t : tickets) vm.queue(0).finish(t);
    CHECK(device.seen() == std::vector<int>{0, 2, 4, 5, 6, 7});
  }
}

TEST_CASE("a front end that dies and comes back finds each request done once") {
  auto made = std::make_unique<recorder>(std::uint16_t{64});
  recorder& device = *made;
  socket_server server(std::move(made));
  auto vm = std::make_unique<front_end>(server.path());
  go_on(*vm, 1);
  std::vector<int> expected;
  for (int round = 0; round < 10; ++round) {
    std::vector<driver::ticket> tickets;
    for (int i = 0; i < 20; ++i) {
      tickets.push_back(submit(*vm, i));
      expected.push_back(i);
      if (i != 10 + round % 5) continue;
      // The connection goes while some are under way; the guest goes on.
      auto next = std::make_unique<front_end>(server.path(), std::move(*vm));
      vm.reset();
      vm = std::move(next);
      go_on(*vm, 1);
    }
    for (const auto t : tickets) vm->queue(0).finish(t);
  }
  CHECK(device.seen() == expected);
  CHECK(server.warnings().empty());
}

TEST_CASE("a front end that comes at once after another has gone is not taken for a second one") {
  const temporary_file file(disk_bytes);
  socket_server server(
      std::make_unique<blk>(blk_options{.path = file.path(), .queue_size = 64, .direct = direct_mode::off}));
  for (int round = 0; round < 50; ++round) {
    front_end vm(server.path());
    vm.set_up();
    blk_driver disk(vm.queue(0));
    disk.write(static_cast<std::uint64_t>(round) * 8, pattern(4096, 1));
  }
  CHECK(server.warnings().empty());
}

TEST_CASE("a log in which there is nothing but noise costs the front end its own requests at most") {
  for (const std::uint64_t seed : {1, 2, 3, 4, 5, 6, 7, 8}) {
    const temporary_file file(disk_bytes);
    socket_server server(
        std::make_unique<blk>(blk_options{.path = file.path(), .queue_size = 64, .direct = direct_mode::off}));
    {
      front_end vm(server.path());
      vm.negotiate();
      vm.give_memory();
      const auto log = vm.say().get_inflight(1, 64);
      {
        vhost_user::guarded_memory memory("log", log.memory.get(), 0, log.where.mmap_size, -1);
        const auto noise = pattern(memory.bytes().size(), seed);
        std::memcpy(memory.bytes().data(), noise.data(), noise.size());
        auto& head = *reinterpret_cast<inflight_head*>(memory.bytes().data());
        head.version = inflight_log::version;
        for (std::size_t i = 0; i < 64; ++i)
          memory.bytes()[sizeof(inflight_head) + i * sizeof(inflight_descriptor)] = std::byte{i % 3 == 0};
      }
      vm.say().set_inflight(log);
      vm.set_up_ring(0, 0);
      vm.say().get_vring_base(0);
    }
    front_end vm(server.path());
    vm.set_up();
    blk_driver disk(vm.queue(0));
    CHECK(disk.finish(disk.flush()).ok());
  }
}

// ---- the program itself, killed ----

std::unique_ptr<child_process> vloop_on(const std::string& image, const std::string& socket) {
  const char* const path = std::getenv("VLOOP");
  REQUIRE(path != nullptr);
  return std::make_unique<child_process>(
      std::vector<std::string>{path, "run", "--device", "blk=" + image + ",queues=2,direct=off,listen=" + socket});
}

TEST_CASE("a server killed twenty times under load loses no write") {
  const temporary_file file(disk_bytes);
  const std::string socket = file.path() + ".sock";
  constexpr std::uint64_t each = 8192;
  constexpr std::uint64_t count = 24;
  auto server = vloop_on(file.path(), socket);
  auto vm = std::make_unique<front_end>(socket, front_end_options{.queues = 2});
  go_on(*vm, 2);
  for (std::uint64_t round = 0; round < 20; ++round) {
    std::vector<driver::ticket> tickets;
    for (std::uint64_t i = 0; i < count; ++i) {
      blk_driver disk(vm->queue(i % 2));
      tickets.push_back(disk.write(i * each / 512, pattern(each, round * 100 + i)));
    }
    server->end(SIGKILL);
    server = vloop_on(file.path(), socket);
    auto next = std::make_unique<front_end>(socket, std::move(*vm));
    vm = std::move(next);
    go_on(*vm, 2);
    for (std::uint64_t i = 0; i < count; ++i) CHECK(blk_driver(vm->queue(i % 2)).finish(tickets[i]).ok());
    for (std::uint64_t i = 0; i < count; ++i) CHECK(file.read(i * each, each) == pattern(each, round * 100 + i));
  }
  const int status = server->end(SIGTERM);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(::access(socket.c_str(), F_OK) != 0);
}

}  // namespace
}  // namespace vloop::test
