// SPDX-License-Identifier: MIT
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <stdexcept>
#include <string>

#include "runtime/event.hpp"
#include "runtime/task.hpp"
#include "runtime/task_group.hpp"

using namespace vloop;

namespace {

/// Runs a task that needs no loop.
void drive(task<void> work) {
  task_group group;
  group.spawn(std::move(work));
  REQUIRE(group.size() == 0);
  group.rethrow();
}

task<void> mark(bool& ran) {
  ran = true;
  co_return;
}

task<int> seven() {
  co_return 7;
}
task<std::unique_ptr<int>> owned() {
  co_return std::make_unique<int>(8);
}
task<int> fails() {
  throw std::runtime_error("as planned");
  co_return 0;
}
task<int> passes_on() {
  co_return co_await fails();
}

task<void> wait_for(event& e) {
  co_await e.wait();
}

// Counts its copies that are alive: proves that a frame's locals die once.
struct counted {
  explicit counted(int& alive) : alive_(alive) { ++alive_; }
  counted(const counted& other) : alive_(other.alive_) { ++alive_; }
  ~counted() { --alive_; }
  counted& operator=(const counted&) = delete;
  int& alive_;
};

task<void> holds(counted, event& e) {
  co_await e.wait();
}

task<int> depth(int n) {
  if (n == 0) co_return 0;
  const int below = co_await depth(n - 1);
  co_return below + 1;
}

}  // namespace

TEST_CASE("a task runs when it is awaited and not before") {
  bool ran = false;
  {
    auto work = mark(ran);
    CHECK_FALSE(ran);
    drive(std::move(work));
    CHECK(ran);
    CHECK_FALSE(work);
  }
}

TEST_CASE("a task that was never awaited is destroyed without running") {
  bool ran = false;
  { const auto never = mark(ran); }
  CHECK_FALSE(ran);
}

TEST_CASE("a task gives its value to the one that awaits it") {
  const auto body = [](int& out) -> task<void> { out = co_await seven(); };
  int value = 0;
  drive(body(value));
  CHECK(value == 7);
}

TEST_CASE("a task's value may be move-only") {
  const auto body = [](int& out) -> task<void> {
    auto value = co_await owned();
    out = *value;
  };
  int value = 0;
  drive(body(value));
  CHECK(value == 8);
}

TEST_CASE("an exception goes through all awaiting tasks to the first that catches it") {
  const auto body = [](std::string& out) -> task<void> {
    try {
      const int never = co_await passes_on();
      out = std::to_string(never);
    } catch (const std::runtime_error& error) {
      out = error.what();
    }
  };
  std::string caught;
  drive(body(caught));
  CHECK(caught == "as planned");
}

TEST_CASE("an exception that no task catches reaches the owner of the group") {
  const auto body = []() -> task<void> { co_await passes_on(); };
  CHECK_THROWS_AS(drive(body()), std::runtime_error);
}

TEST_CASE("a suspended parent goes on when its child finishes") {
  const auto body = [](event& e, bool& done) -> task<void> {
    co_await wait_for(e);
    done = true;
  };
  event e;
  bool done = false;
  task_group group;
  group.spawn(body(e, done));
  CHECK_FALSE(done);
  e.set();
  CHECK(done);
  CHECK(group.size() == 0);
}

TEST_CASE("what a task holds dies once, when the task is done") {
  int alive = 0;
  {
    event e;
    task_group group;
    group.spawn(holds(counted(alive), e));
    CHECK(alive == 1);
    e.set();
  }
  CHECK(alive == 0);
}

TEST_CASE("a million children that finish at once don't grow the stack") {
  const auto body = [](long& sum) -> task<void> {
    for (int i = 0; i < 1'000'000; ++i) {
      const int n = co_await seven();
      sum += n;
    }
  };
  long sum = 0;
  drive(body(sum));
  CHECK(sum == 7'000'000);
}

TEST_CASE("tasks nest") {
  const auto body = [](int& out) -> task<void> { out = co_await depth(500); };
  int reached = 0;
  drive(body(reached));
  CHECK(reached == 500);
}

TEST_CASE("an event wakes its waiters in the order in which they came, once") {
  const auto body = [](event& e, std::string& log, char name) -> task<void> {
    co_await e.wait();
    log += name;
  };
  event e;
  std::string log;
  task_group group;
  for (const char name : {'a', 'b', 'c'}) group.spawn(body(e, log, name));
  CHECK(log.empty());
  e.set();
  e.set();
  CHECK(log == "abc");
  group.spawn(body(e, log, 'd'));
  CHECK(log == "abcd");
}
