// SPDX-License-Identifier: MIT
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <thread>
#include <vector>

#include "runtime/frame_pool.hpp"
#include "runtime/task.hpp"
#include "runtime/task_group.hpp"
#include "support/allocations.hpp"

using namespace vloop;

namespace {

task<int> number(int n) {
  co_return n;
}

task<void> add_up(int& sum, int count) {
  for (int i = 0; i < count; ++i) {
    const int n = co_await number(1);
    sum += n;
  }
}

}  // namespace

TEST_CASE("a freed frame is given out again for a frame of the same size class") {
  void* first = frame_pool::allocate(200);
  frame_pool::release(first, 200);
  void* second = frame_pool::allocate(250);
  CHECK(first == second);
  frame_pool::release(second, 250);
}

TEST_CASE("every byte of a frame at a class's edge can be used") {
  for (const std::size_t size : {1UL, 63UL, 64UL, 65UL, 4096UL, 4097UL}) {
    void* block = frame_pool::allocate(size);
    std::memset(block, 0x5a, size);
    frame_pool::release(block, size);
  }
}

TEST_CASE("a frame larger than the largest class goes to the heap each time") {
  const auto before = frame_pool::heap_allocations();
  for (int i = 0; i < 3; ++i) frame_pool::release(frame_pool::allocate(100'000), 100'000);
  CHECK(frame_pool::heap_allocations() - before == 3);
}

TEST_CASE("frames freed on another thread serve that thread") {
  std::vector<void*> frames;
  for (int i = 0; i < 100; ++i) frames.push_back(frame_pool::allocate(512));
  std::thread([&frames] {
    for (void* frame : frames) frame_pool::release(frame, 512);
    const auto before = frame_pool::heap_allocations();
    for (void*& frame : frames) frame = frame_pool::allocate(512);
    CHECK(frame_pool::heap_allocations() == before);
    for (void* frame : frames) frame_pool::release(frame, 512);
  }).join();
}

TEST_CASE("a thread that only frees keeps a bounded number of frames") {
  const std::size_t many = frame_pool::kept_per_class + 100;
  std::vector<void*> frames;
  for (std::size_t i = 0; i < many; ++i) frames.push_back(frame_pool::allocate(64));
  std::thread([&] {
    for (void* frame : frames) frame_pool::release(frame, 64);
    const auto before = frame_pool::heap_allocations();
    for (void*& frame : frames) frame = frame_pool::allocate(64);
    CHECK(frame_pool::heap_allocations() - before == 100);
    for (void* frame : frames) frame_pool::release(frame, 64);
  }).join();
}

TEST_CASE("100,000 awaited tasks take nothing from the heap once warm") {
  int sum = 0;
  task_group group;
  group.spawn(add_up(sum, 10));
  const auto frames = frame_pool::heap_allocations();
  const auto all = test::allocations();
  group.spawn(add_up(sum, 100'000));
  CHECK(test::allocations() == all);
  CHECK(frame_pool::heap_allocations() == frames);
  CHECK(sum == 100'010);
}
