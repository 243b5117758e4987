// SPDX-License-Identifier: MIT
// The end of a loop: what still waits is cancelled and told; nothing leaks (run with LeakSanitizer).
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>

#include "runtime/loop.hpp"
#include "runtime/setup_error.hpp"
#include "runtime/task_group.hpp"
#include "support/files.hpp"

using namespace vloop;
using namespace vloop::test;
using namespace std::chrono_literals;

namespace {

ring_mode any_mode() {
  return GENERATE(ring_mode::deferred, ring_mode::cooperative, ring_mode::interrupting);
}

task<void> read_into(loop& io, int fd, std::int32_t& result) {
  const auto owned = std::make_unique<std::array<std::byte, 64>>();
  result = co_await io.read(fd, *owned);
}

task<void> bounded_read_into(loop& io, int fd, std::int32_t& result) {
  std::array<std::byte, 64> buffer{};
  result = co_await with_timeout(io.read(fd, buffer), 1h);
}

task<void> sleep_into(loop& io, std::int32_t& result) {
  result = co_await io.sleep(1h);
}

task<void> read_twice(loop& io, int fd, std::array<std::int32_t, 2>& results) {
  std::array<std::byte, 64> buffer{};
  results[0] = co_await io.read(fd, buffer);
  results[1] = co_await io.read(fd, buffer);
}

task<void> one_turn(loop& io) {
  co_await io.next_turn();
}

task<void> fails(loop& io) {
  co_await io.next_turn();
  throw std::runtime_error("as planned");
}

}  // namespace

TEST_CASE("what waits when its loop is destroyed ends with -ECANCELED") {
  const pipe_ends pipe;
  std::int32_t read = 0;
  std::int32_t bounded = 0;
  std::int32_t slept = 0;
  task_group group;
  {
    loop io(ring_in(any_mode()));
    group.spawn(read_into(io, pipe.read_end.get(), read));
    group.spawn(bounded_read_into(io, pipe.read_end.get(), bounded));
    group.spawn(sleep_into(io, slept));
    io.run(one_turn(io));
    CHECK(group.size() == 3);
  }
  CHECK(group.size() == 0);
  CHECK(read == -ECANCELED);
  CHECK(bounded == -ECANCELED);
  CHECK(slept == -ECANCELED);
}

TEST_CASE("what was started and never submitted ends with -ECANCELED too") {
  const pipe_ends pipe;
  std::int32_t read = 0;
  task_group group;
  {
    loop io(ring_in(any_mode()));
    group.spawn(read_into(io, pipe.read_end.get(), read));
  }
  CHECK(read == -ECANCELED);
}

TEST_CASE("an operation that is started while the loop is being destroyed fails at once") {
  const pipe_ends pipe;
  std::array<std::int32_t, 2> results{};
  task_group group;
  {
    loop io(ring_in(any_mode()));
    group.spawn(read_twice(io, pipe.read_end.get(), results));
    io.run(one_turn(io));
  }
  CHECK(results == std::array<std::int32_t, 2>{-ECANCELED, -ECANCELED});
}

TEST_CASE("a thousand waiting operations end within the limit") {
  const pipe_ends pipe;
  std::array<std::int32_t, 1000> results{};
  task_group group;
  const auto begin = std::chrono::steady_clock::now();
  {
    loop io(ring_in(any_mode()));
    for (auto& result : results) group.spawn(read_into(io, pipe.read_end.get(), result));
    io.run(one_turn(io));
  }
  CHECK(group.size() == 0);
  CHECK(std::chrono::steady_clock::now() - begin < 5s);
}

TEST_CASE("posted work that comes too late is dropped, not leaked") {
  bool ran = false;
  {
    loop io(ring_in(any_mode()));
    io.post([&ran, owned = std::make_unique<int>(1)] { ran = owned != nullptr; });
  }
  CHECK_FALSE(ran);
}

TEST_CASE("run rethrows what its root threw, and the loop can run again") {
  loop io(ring_in(any_mode()));
  CHECK_THROWS_AS(io.run(fails(io)), std::runtime_error);
  io.run(one_turn(io));
}

TEST_CASE("a ring that the kernel refuses is one clear line") {
  loop_options options;
  options.entries = 0;
  std::string line;
  try {
    const loop io(options);
  } catch (const setup_error& error) {
    line = error.what();
  }
  CHECK(line == "cannot make an io_uring ring of 0 entries: Invalid argument");
}
