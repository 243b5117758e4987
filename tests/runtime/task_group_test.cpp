// SPDX-License-Identifier: MIT
#include <catch2/catch_test_macros.hpp>
#include <stdexcept>
#include <string>

#include "runtime/event.hpp"
#include "runtime/task_group.hpp"

using namespace vloop;

namespace {

task<void> after(event& e, int& count) {
  co_await e.wait();
  ++count;
}

task<void> throws_after(event& e, const char* text) {
  co_await e.wait();
  throw std::runtime_error(text);
}

task<void> join_into(task_group& group, std::string& outcome) {
  try {
    co_await group.join();
    outcome = "joined";
  } catch (const std::runtime_error& error) {
    outcome = error.what();
  }
}

task<void> spawns(task_group& group, event& first, event& second, int& count) {
  co_await first.wait();
  group.spawn(after(second, count));
}

}  // namespace

TEST_CASE("join waits until the last task has finished") {
  event one;
  event two;
  int count = 0;
  std::string outcome;
  task_group group;
  task_group parent;
  group.spawn(after(one, count));
  group.spawn(after(two, count));
  parent.spawn(join_into(group, outcome));
  one.set();
  CHECK(outcome.empty());
  two.set();
  CHECK(outcome == "joined");
  CHECK(count == 2);
}

TEST_CASE("joining an empty group goes on at once") {
  std::string outcome;
  task_group group;
  task_group parent;
  parent.spawn(join_into(group, outcome));
  CHECK(outcome == "joined");
}

TEST_CASE("join rethrows the first exception after all tasks have finished") {
  event one;
  event two;
  event three;
  int count = 0;
  std::string outcome;
  task_group group;
  task_group parent;
  group.spawn(throws_after(one, "first"));
  group.spawn(throws_after(two, "second"));
  group.spawn(after(three, count));
  parent.spawn(join_into(group, outcome));
  one.set();
  two.set();
  CHECK(outcome.empty());
  three.set();
  CHECK(outcome == "first");
}

TEST_CASE("a group can be used again after join threw") {
  event e;
  e.set();
  int count = 0;
  std::string outcome;
  task_group group;
  task_group parent;
  group.spawn(throws_after(e, "first"));
  parent.spawn(join_into(group, outcome));
  CHECK(outcome == "first");
  group.spawn(after(e, count));
  parent.spawn(join_into(group, outcome));
  CHECK(outcome == "joined");
}

TEST_CASE("join also waits for a task that was spawned while it waits") {
  event one;
  event two;
  int count = 0;
  std::string outcome;
  task_group group;
  task_group parent;
  group.spawn(spawns(group, one, two, count));
  parent.spawn(join_into(group, outcome));
  one.set();
  CHECK(group.size() == 1);
  CHECK(outcome.empty());
  two.set();
  CHECK(outcome == "joined");
}
