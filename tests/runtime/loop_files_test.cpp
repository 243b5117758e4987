// SPDX-License-Identifier: MIT
// Operations on real files, pipes and eventfds, in each mode of the ring.
#include <poll.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <vector>

#include "runtime/loop.hpp"
#include "runtime/setup_error.hpp"
#include "runtime/task_group.hpp"
#include "support/allocations.hpp"
#include "support/files.hpp"

using namespace vloop;
using namespace vloop::test;

namespace {

ring_mode any_mode() {
  return GENERATE(ring_mode::deferred, ring_mode::cooperative, ring_mode::interrupting);
}

task<void> write_then_read(loop& io, file_ref file) {
  const std::int32_t written = co_await io.write(file, bytes("hello, disk"), 4096);
  CHECK(written == 11);
  std::array<std::byte, 5> buffer{};
  const std::int32_t got = co_await io.read(file, buffer, 4096 + 7);
  CHECK(got == 4);
  CHECK(text(std::span(buffer).first(4)) == "disk");
}

task<void> scatter_and_gather(loop& io, file_ref file) {
  std::array<char, 3> a{'a', 'b', 'c'};
  std::array<char, 2> b{'d', 'e'};
  const std::array<iovec, 2> out{iovec{a.data(), a.size()}, iovec{b.data(), b.size()}};
  const std::int32_t written = co_await io.writev(file, out, 0);
  CHECK(written == 5);
  std::array<char, 1> first{};
  std::array<char, 4> rest{};
  const std::array<iovec, 2> in{iovec{first.data(), 1}, iovec{rest.data(), rest.size()}};
  const std::int32_t got = co_await io.readv(file, in, 0);
  CHECK(got == 5);
  CHECK(first[0] == 'a');
  CHECK(std::string_view(rest.data(), 4) == "bcde");
}

task<void> sync_and_allocate(loop& io, file_ref file) {
  const std::int32_t allocated = co_await io.fallocate(file, 0, 0, 1 << 20);
  CHECK(allocated == 0);
  const std::int32_t synced = co_await io.fsync(file, IORING_FSYNC_DATASYNC);
  CHECK(synced == 0);
}

task<void> durable_write(loop& io, file_ref file) {
  std::array<char, 4> data{'s', 'a', 'f', 'e'};
  const std::array<iovec, 1> out{iovec{data.data(), data.size()}};
  const std::int32_t written = co_await io.writev2(file, out, 0, RWF_DSYNC);
  CHECK(written == 4);
}

task<void> expect_read(loop& io, file_ref file, std::int32_t expected) {
  std::array<std::byte, 8> buffer{};
  const std::int32_t got = co_await io.read(file, buffer);
  CHECK(got == expected);
}

task<void> expect_poll(loop& io, file_ref file, std::int32_t expected) {
  const std::int32_t events = co_await io.poll_add(file, POLLIN);
  CHECK(events == expected);
}

task<void> join(task_group& group) {
  co_await group.join();
}

task<void> many_nops(loop& io, int count) {
  for (int i = 0; i < count; ++i) {
    const std::int32_t result = co_await io.nop();
    if (result != 0) throw std::runtime_error("nop failed");
  }
}

task<void> many_reads(loop& io, file_ref file, int count, long& sum) {
  std::array<std::byte, 512> buffer{};
  for (int i = 0; i < count; ++i) {
    const std::int32_t got = co_await io.read(file, buffer, 0);
    sum += got;
  }
}

// `width` requests side by side, each a task of its own, as a disk serves them.
task<void> one_read(loop& io, file_ref file, long& sum) {
  std::array<std::byte, 512> buffer{};
  const std::int32_t got = co_await io.read(file, buffer, 0);
  sum += got;
}
task<void> rounds_of_reads(loop& io, file_ref file, int rounds, int width, long& sum) {
  for (int i = 0; i < rounds; ++i) {
    task_group group;
    for (int w = 0; w < width; ++w) group.spawn(one_read(io, file, sum));
    co_await group.join();
  }
}

}  // namespace

TEST_CASE("a file gives back what was written, at the offset where it was written") {
  loop io(ring_in(any_mode()));
  const auto file = temporary_file();
  io.run(write_then_read(io, file.get()));
}

TEST_CASE("a registered file serves as its descriptor does, also after the descriptor was closed") {
  loop io(ring_in(any_mode()));
  auto file = temporary_file();
  const auto fixed = io.register_file(file.get());
  file.close();
  io.run(write_then_read(io, fixed));
}

TEST_CASE("an unregistered file's slot is free for another") {
  loop_options options;
  options.fixed_files = 2;
  loop io(options);
  const auto file = temporary_file();
  const auto first = io.register_file(file.get());
  auto second = io.register_file(file.get());
  CHECK_THROWS_AS(io.register_file(file.get()), setup_error);
  { const auto given_up = std::move(second); }
  const auto third = io.register_file(file.get());
  io.run(write_then_read(io, third));
}

TEST_CASE("vectors scatter and gather in order") {
  loop io(ring_in(any_mode()));
  const auto file = temporary_file();
  io.run(scatter_and_gather(io, file.get()));
}

TEST_CASE("fallocate, fdatasync and a durable write succeed on a disk file") {
  loop io(ring_in(any_mode()));
  const auto file = temporary_file();
  io.run(sync_and_allocate(io, file.get()));
  io.run(durable_write(io, file.get()));
}

TEST_CASE("a read at the end of the file gives 0, on a bad descriptor -EBADF") {
  loop io(ring_in(any_mode()));
  const auto file = memory_file();
  io.run(expect_read(io, file.get(), 0));
  io.run(expect_read(io, 999'999, -EBADF));
}

TEST_CASE("a read of a pipe waits for its data") {
  loop io(ring_in(any_mode()));
  const pipe_ends pipe;
  task_group group;
  group.spawn(expect_read(io, pipe.read_end.get(), 3));
  io.run(many_nops(io, 5));
  CHECK(group.size() == 1);
  pipe.put("abc");
  io.run(join(group));
}

TEST_CASE("polling an eventfd gives the event that occurred") {
  loop io(ring_in(any_mode()));
  const descriptor counter(eventfd(1, EFD_CLOEXEC));
  io.run(expect_poll(io, counter.get(), POLLIN));
}

TEST_CASE("100,000 operations take nothing from the heap once warm") {
  loop io(ring_in(any_mode()));
  const auto file = temporary_file();
  REQUIRE(ftruncate(file.get(), 4096) == 0);
  long sum = 0;
  io.run(many_reads(io, file.get(), 10, sum));
  const auto before = allocations();
  io.run(many_reads(io, file.get(), 100'000, sum));
  CHECK(allocations() == before);
  CHECK(sum == 512L * 100'010);
}

TEST_CASE("100,000 requests in tasks of their own, 50 at a time, take nothing from the heap once warm") {
  loop io(ring_in(any_mode()));
  const auto file = temporary_file();
  REQUIRE(ftruncate(file.get(), 4096) == 0);
  long sum = 0;
  io.run(rounds_of_reads(io, file.get(), 2, 50, sum));
  const auto before = allocations();
  io.run(rounds_of_reads(io, file.get(), 2000, 50, sum));
  CHECK(allocations() == before);
  CHECK(sum == 512L * 100'100);
}

TEST_CASE("a turn's operations reach the kernel in one call") {
  loop io(ring_in(any_mode()));
  const auto body = [](loop& ring, int rounds, int width) -> task<void> {
    for (int i = 0; i < rounds; ++i) {
      task_group group;
      for (int w = 0; w < width; ++w) group.spawn(many_nops(ring, 1));
      co_await group.join();
    }
  };
  const auto before = io.counters();
  io.run(body(io, 100, 50));
  CHECK(io.counters().submitted - before.submitted >= 5000);
  CHECK(io.counters().enters - before.enters <= 101);
}

TEST_CASE("thousands of operations at once on a ring of 64 entries all complete") {
  loop io(ring_in(any_mode()));
  const auto file = memory_file();
  REQUIRE(ftruncate(file.get(), 4096) == 0);
  long sum = 0;
  io.run(rounds_of_reads(io, file.get(), 1, 5000, sum));
  CHECK(sum == 512L * 5000);
}

TEST_CASE("thousands of reads that wait at once all complete when their pipe is closed") {
  loop io(ring_in(any_mode()));
  pipe_ends pipe;
  task_group group;
  for (int i = 0; i < 3000; ++i) group.spawn(expect_read(io, pipe.read_end.get(), 0));
  io.run(many_nops(io, 10));
  CHECK(group.size() == 3000);
  pipe.write_end.close();
  io.run(join(group));
}
