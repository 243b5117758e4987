// SPDX-License-Identifier: MIT
// Work from other threads, and the loop's own thread.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/event.hpp"
#include "runtime/loop.hpp"
#include "runtime/task_group.hpp"
#include "support/files.hpp"

using namespace vloop;
using namespace vloop::test;
using namespace std::chrono_literals;

namespace {

ring_mode any_mode() {
  return GENERATE(ring_mode::deferred, ring_mode::cooperative, ring_mode::interrupting);
}

task<void> wait_for(event& e) {
  co_await e.wait();
}
task<void> one_turn(loop& io) {
  co_await io.next_turn();
}
task<void> sleep_once(loop& io, std::chrono::nanoseconds time) {
  co_await io.sleep(time);
}

}  // namespace

TEST_CASE("posted work runs on the loop's thread and wakes it from its sleep") {
  loop io(ring_in(any_mode()));
  event posted;
  bool on_thread = false;
  std::thread poster([&] {
    std::this_thread::sleep_for(10ms);
    CHECK_FALSE(io.on_this_thread());
    io.post([&] {
      on_thread = io.on_this_thread();
      posted.set();
    });
  });
  io.run(wait_for(posted));
  poster.join();
  CHECK(on_thread);
}

TEST_CASE("work posted before the loop runs is run") {
  loop io(ring_in(any_mode()));
  event posted;
  io.post([&] { posted.set(); });
  io.run(wait_for(posted));
  CHECK(io.counters().posts == 1);
}

TEST_CASE("twenty thousand posts of four threads all arrive, each thread's in order") {
  constexpr int each = 5000;
  loop io(ring_in(any_mode()));
  event done;
  std::array<int, 4> next{};
  int out_of_order = 0;
  int arrived = 0;
  std::vector<std::thread> posters;
  for (std::size_t t = 0; t < next.size(); ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        io.post([&, t, i] {
          if (next[t]++ != i) ++out_of_order;
          if (++arrived == 4 * each) done.set();
        });
      }
    });
  }
  io.run(wait_for(done));
  for (auto& poster : posters) poster.join();
  CHECK(out_of_order == 0);
  CHECK(arrived == 4 * each);
}

TEST_CASE("posted work may spawn tasks, which the loop then drives") {
  loop io(ring_in(any_mode()));
  event posted;
  task_group group;
  std::thread poster([&] {
    io.post([&] {
      group.spawn(sleep_once(io, 1ms));
      posted.set();
    });
  });
  io.run(wait_for(posted));
  poster.join();
  const auto join = [](task_group& all) -> task<void> { co_await all.join(); };
  io.run(join(group));
  CHECK(group.size() == 0);
}

TEST_CASE("loops on four threads work side by side") {
  std::vector<std::thread> threads;
  std::array<bool, 4> done{};
  for (auto& one : done) {
    threads.emplace_back([&one] {
      loop io(ring_in(ring_mode::deferred));
      for (int i = 0; i < 100; ++i) io.run(one_turn(io));
      io.run(sleep_once(io, 1ms));
      one = true;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(done == std::array<bool, 4>{true, true, true, true});
}

TEST_CASE("a loop that was asked for an older mode uses it") {
  const auto mode = any_mode();
  const loop io(ring_in(mode));
  CHECK(io.mode() >= mode);
}
