// SPDX-License-Identifier: MIT
// No heap allocation per request: counted on the device's thread by the program's own operator new.
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <cstdlib>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "devices/blk.hpp"
#include "devices/input.hpp"
#include "devices/rng.hpp"
#include "support/input_driver.hpp"
#include "support/rig.hpp"
#include "support/temporary_file.hpp"

namespace {

std::atomic<std::uint64_t> allocations{0};
thread_local bool counted = false;  // set on the device's thread while it counts

void* counting_allocate(std::size_t bytes) {
  if (counted) ++allocations;
  void* const p = std::malloc(bytes);
  if (!p) throw std::bad_alloc();
  return p;
}

}  // namespace

// Not inlined: where GCC inlines one of a pair and not the other, it takes them for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  return counting_allocate(bytes);
}
[[gnu::noinline]] void* operator new[](std::size_t bytes) {
  return counting_allocate(bytes);
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete[](void* p) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete[](void* p, std::size_t) noexcept {
  std::free(p);
}

namespace vloop::test {
namespace {

constexpr int warm_up_requests = 2'000;
constexpr int counted_requests = 100'000;

// Serves requests, mixed and many in flight, until `count` were answered.
void exercise_blk(blk_driver disk, int count) {
  const auto data = pattern(4096, 1);
  std::vector<blk_driver::ticket> tickets;
  for (int i = 0; i < count; i += 32) {
    tickets.clear();
    for (int j = 0; j < 32; ++j) {
      const auto sector = static_cast<std::uint64_t>((i + j) % 256) * 8;
      if (j == 31) {
        tickets.push_back(i % 1024 == 0 ? disk.flush() : disk.get_id());
      } else {
        tickets.push_back(j % 2 ? disk.write(sector, data) : disk.read(sector, 4096));
      }
    }
    for (const auto t : tickets)
      if (!disk.finish(t).ok()) FAIL("a request failed");
  }
}

void exercise_rng(driver& d, int count) {
  for (int i = 0; i < count; ++i)
    if (d.finish(d.submit({}, 64)).written != 64) FAIL("a request failed");
}

std::uint64_t allocations_during(rig& r, const auto& work) {
  r.on_worker([] { counted = true; });
  const std::uint64_t before = allocations;
  work();
  const std::uint64_t after = allocations;
  r.on_worker([] { counted = false; });
  return after - before;
}

TEST_CASE("100,000 block requests allocate nothing on the device's thread") {
  temporary_file file(8 << 20);
  blk device({.path = file.path(), .direct = direct_mode::off});
  const auto rig = transports()[0].make(device, {});
  const blk_driver disk(rig->queue(0));
  exercise_blk(disk, warm_up_requests);
  CHECK(allocations_during(*rig, [&] { exercise_blk(disk, counted_requests); }) == 0);
}

TEST_CASE("100,000 random requests allocate nothing on the device's thread") {
  rng device({});
  const auto rig = transports()[0].make(device, {});
  exercise_rng(rig->queue(0), warm_up_requests);
  CHECK(allocations_during(*rig, [&] { exercise_rng(rig->queue(0), counted_requests); }) == 0);
}

TEST_CASE("100,000 input reports allocate nothing on the device's thread") {
  std::string text;
  for (int i = 0; i < warm_up_requests + counted_requests; ++i) text += "E: 0 0002 0000 1\nE: 0 0000 0000 0\n";
  temporary_file file(0);
  file.write(0, std::as_bytes(std::span(text)));
  input device({.source = event_text_options{file.path()}});
  const auto rig = transports()[0].make(device, {});
  input_driver events(rig->queue(input::event_queue), 16);
  const auto listen = [&events](int count) {
    for (int i = 0; i < count; ++i)
      if (events.next_report().size() != 1) FAIL("not the report that was expected");
  };
  listen(warm_up_requests);
  CHECK(allocations_during(*rig, [&] { listen(counted_requests); }) == 0);
}

TEST_CASE("the counter counts") {
  rng device({});
  const auto rig = transports()[0].make(device, {});
  static int* volatile seen = nullptr;  // a compiler may leave out an allocation that nobody sees
  const auto allocate = [] {
    seen = new int;
    delete seen;
  };
  CHECK(allocations_during(*rig, [&] { rig->on_worker(allocate); }) >= 1);
}

}  // namespace
}  // namespace vloop::test
