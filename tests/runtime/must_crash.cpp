// SPDX-License-Identifier: MIT
// Broken invariants that must end the program at once: `must_crash CASE` breaks one of them.
#include <array>
#include <cstdio>
#include <map>
#include <string_view>
#include <thread>

#include "runtime/event.hpp"
#include "runtime/loop.hpp"
#include "runtime/task_group.hpp"
#include "support/files.hpp"

using namespace vloop;
using namespace vloop::test;

namespace {

task<void> wait_for(event& e) {
  co_await e.wait();
}
task<void> await_empty() {
  task<void> nothing;
  co_await std::move(nothing);
}
task<void> read_forever(loop& io, int fd) {
  std::array<std::byte, 8> buffer{};
  co_await io.read(fd, buffer);
}
task<void> never_ends(loop& io, int fd) {
  std::array<std::byte, 8> buffer{};
  for (;;) co_await io.read(fd, buffer);
}
task<void> await_shared(operation& shared) {
  co_await shared;
}

void unjoined_group() {
  event e;
  task_group group;
  group.spawn(wait_for(e));
}

void abandoned_event() {
  task_group* group = new task_group;
  event e;
  group->spawn(wait_for(e));
}

void empty_task() {
  task_group group;
  group.spawn(await_empty());
}

void operation_awaited_twice() {
  loop io;
  const pipe_ends pipe;
  std::array<std::byte, 8> buffer{};
  auto shared = io.read(pipe.read_end.get(), buffer);
  task_group group;
  group.spawn(await_shared(shared));
  group.spawn(await_shared(shared));
}

void operation_destroyed_in_flight() {
  loop io;
  const pipe_ends pipe;
  auto reading = read_forever(io, pipe.read_end.get());
  const auto frame = reading.release();
  frame.promise().start(
      frame, [](void*, std::coroutine_handle<>) noexcept {}, nullptr);
  frame.destroy();
}

void operation_on_a_foreign_thread() {
  loop io;
  const pipe_ends pipe;
  std::thread([&] {
    task_group group;
    group.spawn(read_forever(io, pipe.read_end.get()));
  }).join();
}

void operations_that_outlive_their_loop() {
  loop_options options;
  options.shutdown_limit = std::chrono::milliseconds(50);
  task_group group;
  const pipe_ends pipe;
  loop io(options);
  group.spawn(never_ends(io, pipe.read_end.get()));
}

void hook_in_two_loops() {
  struct nothing final : turn_hook {
    void at_turn_end() noexcept override {}
  } hook;
  loop one;
  loop two;
  one.add_hook(hook);
  two.add_hook(hook);
}

const std::map<std::string_view, void (*)()> cases{
    {"unjoined_group", &unjoined_group},
    {"abandoned_event", &abandoned_event},
    {"empty_task", &empty_task},
    {"operation_awaited_twice", &operation_awaited_twice},
    {"operation_destroyed_in_flight", &operation_destroyed_in_flight},
    {"operation_on_a_foreign_thread", &operation_on_a_foreign_thread},
    {"operations_that_outlive_their_loop", &operations_that_outlive_their_loop},
    {"hook_in_two_loops", &hook_in_two_loops},
};

}  // namespace

int main(int argc, char** argv) {
  const auto found = argc == 2 ? cases.find(argv[1]) : cases.end();
  if (found == cases.end()) {
    std::fputs("usage: must_crash CASE\n", stderr);
    return 2;
  }
  found->second();
  return 0;
}
