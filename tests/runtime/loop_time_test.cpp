// SPDX-License-Identifier: MIT
// Sleeping, time limits and cancellation.
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <chrono>

#include "runtime/loop.hpp"
#include "runtime/task_group.hpp"
#include "support/files.hpp"

using namespace vloop;
using namespace vloop::test;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

namespace {

ring_mode any_mode() {
  return GENERATE(ring_mode::deferred, ring_mode::cooperative, ring_mode::interrupting);
}

task<void> sleep_for(loop& io, std::chrono::nanoseconds time, std::int32_t& result) {
  result = co_await io.sleep(time);
}

task<void> timeout_of(loop& io, std::chrono::nanoseconds time, std::int32_t& result) {
  result = co_await io.timeout(time);
}

task<void> bounded_read(loop& io, int fd, std::chrono::nanoseconds limit, std::int32_t& result) {
  std::array<std::byte, 8> buffer{};
  result = co_await with_timeout(io.read(fd, buffer), limit);
}

task<void> read_as(loop& io, operation& reading, std::int32_t& result) {
  static_cast<void>(io);
  result = co_await reading;
}

task<void> cancel_of(loop& io, const completion& target, std::int32_t& result) {
  result = co_await io.cancel(target);
}

task<void> cancel_pending_read(loop& io, int fd, std::int32_t& read, std::int32_t& cancelled) {
  std::array<std::byte, 8> buffer{};
  auto reading = io.read(fd, buffer);
  task_group group;
  group.spawn(read_as(io, reading, read));
  co_await io.next_turn();
  co_await cancel_of(io, reading, cancelled);
  co_await group.join();
}

task<void> cancel_before_submission(loop& io, int fd, std::int32_t& read, std::int32_t& cancelled) {
  std::array<std::byte, 8> buffer{};
  auto reading = io.read(fd, buffer);
  task_group group;
  group.spawn(read_as(io, reading, read));
  co_await cancel_of(io, reading, cancelled);
  co_await group.join();
}

task<void> plain_read(loop& io, int fd, std::int32_t& result) {
  std::array<std::byte, 8> buffer{};
  result = co_await io.read(fd, buffer);
}

task<void> cancel_all_of(loop& io, int fd, std::array<std::int32_t, 3>& reads, std::int32_t& cancelled) {
  task_group group;
  for (auto& result : reads) group.spawn(plain_read(io, fd, result));
  co_await io.next_turn();
  cancelled = co_await io.cancel_fd(fd);
  co_await group.join();
}

}  // namespace

TEST_CASE("a sleep ends with 0, not before its time") {
  loop io(ring_in(any_mode()));
  std::int32_t result = -1;
  const auto begin = steady::now();
  io.run(sleep_for(io, 30ms, result));
  CHECK(result == 0);
  CHECK(steady::now() - begin >= 30ms);
}

TEST_CASE("a sleep of no time or less ends at once") {
  loop io(ring_in(any_mode()));
  std::int32_t result = -1;
  io.run(sleep_for(io, 0ns, result));
  CHECK(result == 0);
  result = -1;
  io.run(sleep_for(io, -1s, result));
  CHECK(result == 0);
}

TEST_CASE("a timeout ends with -ETIME") {
  loop io(ring_in(any_mode()));
  std::int32_t result = 0;
  io.run(timeout_of(io, 1ms, result));
  CHECK(result == -ETIME);
}

TEST_CASE("a read that nothing answers ends with -ETIME at its limit") {
  loop io(ring_in(any_mode()));
  const pipe_ends pipe;
  std::int32_t result = 0;
  const auto begin = steady::now();
  io.run(bounded_read(io, pipe.read_end.get(), 20ms, result));
  CHECK(result == -ETIME);
  CHECK(steady::now() - begin >= 20ms);
  CHECK(steady::now() - begin < 5s);
}

TEST_CASE("a read that is answered in time gives its count, and the limit is forgotten") {
  loop io(ring_in(any_mode()));
  const pipe_ends pipe;
  pipe.put("abc");
  std::int32_t result = 0;
  io.run(bounded_read(io, pipe.read_end.get(), 60s, result));
  CHECK(result == 3);
  CHECK(io.in_flight() == 1);  // the loop's own wake-up read
}

TEST_CASE("a bounded operation that the kernel refuses gives its own error") {
  loop io(ring_in(any_mode()));
  std::int32_t result = 0;
  io.run(bounded_read(io, 999'999, 60s, result));
  CHECK(result == -EBADF);
}

TEST_CASE("bounded operations stay linked to their limits when the ring overflows") {
  loop io(ring_in(any_mode()));
  const pipe_ends pipe;
  std::array<std::int32_t, 333> results{};
  const auto body = [](loop& ring, int fd, std::span<std::int32_t> all) -> task<void> {
    task_group group;
    for (auto& result : all) group.spawn(bounded_read(ring, fd, 10ms, result));
    co_await group.join();
  };
  io.run(body(io, pipe.read_end.get(), results));
  for (const auto result : results) REQUIRE(result == -ETIME);
}

TEST_CASE("a cancelled read ends with -ECANCELED") {
  loop io(ring_in(any_mode()));
  const pipe_ends pipe;
  std::int32_t read = 0;
  std::int32_t cancelled = -1;
  io.run(cancel_pending_read(io, pipe.read_end.get(), read, cancelled));
  CHECK(cancelled == 0);
  CHECK(read == -ECANCELED);
}

TEST_CASE("a read cancelled in the turn that started it ends with -ECANCELED") {
  loop io(ring_in(any_mode()));
  const pipe_ends pipe;
  std::int32_t read = 0;
  std::int32_t cancelled = -1;
  io.run(cancel_before_submission(io, pipe.read_end.get(), read, cancelled));
  CHECK(cancelled == 0);
  CHECK(read == -ECANCELED);
}

TEST_CASE("cancelling what is not in flight gives -ENOENT") {
  loop io(ring_in(any_mode()));
  const auto never = io.nop();
  std::int32_t cancelled = 0;
  io.run(cancel_of(io, never, cancelled));
  CHECK(cancelled == -ENOENT);
}

TEST_CASE("cancelling by file ends all that wait for it and counts them") {
  loop io(ring_in(any_mode()));
  const pipe_ends pipe;
  std::array<std::int32_t, 3> reads{};
  std::int32_t cancelled = -1;
  io.run(cancel_all_of(io, pipe.read_end.get(), reads, cancelled));
  CHECK(cancelled == 3);
  CHECK(reads == std::array<std::int32_t, 3>{-ECANCELED, -ECANCELED, -ECANCELED});
}
