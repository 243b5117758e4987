// SPDX-License-Identifier: MIT
// Backing files that are none, that may not be written, or that go away: at worst the request fails that needed them.
#include "cases.hpp"
#include "disk.hpp"

#include <linux/virtio_blk.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <random>

namespace vloop::raw {

namespace {

constexpr std::size_t bytes = page_bytes;

void what_is_no_backing_is_refused() {
  disk d;
  const auto refused = [&](const char* what, const owned_fd& fd, long error) {
    expect(static_cast<bool>(fd), what);
    equal(what, d.dev().set_file(1, fd.get()), error);
  };
  std::array<int, 2> ends{};
  expect(::pipe2(ends.data(), O_CLOEXEC) == 0, "a pipe");
  refused("a pipe for reading", owned_fd(ends[0]), -EINVAL);
  refused("a pipe for writing", owned_fd(ends[1]), -EINVAL);
  refused("a socket", owned_fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), -EINVAL);
  refused("an epoll", owned_fd(::epoll_create1(EPOLL_CLOEXEC)), -EINVAL);
  refused("an eventfd", owned_fd(::eventfd(0, EFD_CLOEXEC)), -EINVAL);
  refused("a folder", open_or_throw("/", O_RDONLY | O_DIRECTORY), -EINVAL);
  refused("a character device", open_or_throw("/dev/zero", O_RDWR), -EINVAL);
  refused("the module's own node", open_or_throw("/dev/vloop", O_RDWR), -EINVAL);
  refused("the device itself", owned_fd(::dup(d.dev().fd())), -EINVAL);
  refused("a queue of the device", owned_fd(::dup(d.q().fd())), -EINVAL);
  open_or_throw("plain", O_CREAT | O_RDWR);
  refused("a path without a file", open_or_throw("plain", O_PATH), -EBADF);
  refused("a file that is only appended to", open_or_throw("plain", O_CREAT | O_WRONLY | O_APPEND), -EINVAL);
  refused("the disk itself", open_or_throw(d.node(), O_RDONLY), -EBUSY);
  refused("a plain file", open_or_throw("plain", O_CREAT | O_RDWR), 0);
  equal("a closed descriptor", d.dev().set_file(1, 1000), -EBADF);
  d.remove();
}

// The one operation on a request of the user, by the file at index 1; what comes of it.
std::int64_t through(disk& d, const owned_fd& file, const transfer& user, std::uint32_t flags = answer) {
  equal("SET_FILE", d.dev().set_file(1, file.get()), 0);
  auto op = good_answer(d.q().next_request());
  op.file = 1;
  op.flags = flags;
  equal("an operation", d.q().write(op), sizeof(op));
  const auto result = d.q().next_done();
  user.result();
  return result;
}

void files_are_used_as_they_were_opened() {
  disk d;
  const auto content = [](const owned_fd& file) {
    std::array<std::byte, 2> some{};
    equal("a look at the file", result_of(::pread(file.get(), some.data(), some.size(), 0)), some.size());
    return some[0];
  };
  const owned_fd file = open_or_throw("plain", O_CREAT | O_RDWR | O_TRUNC);
  expect(::ftruncate(file.get(), bytes) == 0, "a file of some size");

  auto user = transfer::write(d.node(), 0, bytes, std::byte{1});
  equal("writing to a file opened for reading", through(d, open_or_throw("plain", O_RDONLY), user), -EBADF);
  equal("the user's write", user.result(), -EIO);
  expect(content(file) == std::byte{0}, "the file is as it was");

  user = transfer::read(d.node(), 0, bytes);
  equal("reading a file opened for writing", through(d, open_or_throw("plain", O_WRONLY), user), -EBADF);
  equal("the user's read", user.result(), -EIO);

  user = transfer::write(d.node(), 0, bytes, std::byte{1});
  equal("writing to a file opened for writing", through(d, open_or_throw("plain", O_WRONLY), user), bytes);
  expect(content(file) == std::byte{1}, "the file has what was written");

  const auto sealed = memory_file(bytes);
  expect(::fcntl(sealed.get(), F_ADD_SEALS, F_SEAL_WRITE) == 0, "a seal");
  user = transfer::write(d.node(), 0, bytes, std::byte{1});
  equal("writing to a sealed file", through(d, sealed, user), -EPERM);
  equal("the user's write", user.result(), -EIO);
  d.remove();
}

// O_APPEND is refused when a file is given, but it can be set afterwards.
void a_file_that_is_appended_to_later_keeps_its_size() {
  disk d;
  const auto file = memory_file(disk_sectors * sector_bytes);
  equal("SET_FILE", d.dev().set_file(1, file.get()), 0);
  expect(::fcntl(file.get(), F_SETFL, O_APPEND) == 0, "O_APPEND");
  const auto user = transfer::write(d.node(), bytes, bytes, std::byte{1});
  auto op = good_answer(d.q().next_request());
  op.file = 1;
  equal("an operation", d.q().write(op), sizeof(op));
  equal("the user's write", user.result(), bytes);
  struct stat status {};
  ::fstat(file.get(), &status);
  equal("the file's size", status.st_size, disk_sectors * sector_bytes);
  std::byte there{};
  equal("a look at the file", result_of(::pread(file.get(), &there, 1, bytes)), 1);
  expect(there == std::byte{1}, "the write is where it was meant to be");
  d.remove();
}

void a_file_that_ends_too_early_fails_the_read() {
  disk d;
  auto user = transfer::read(d.node(), 0, bytes);
  equal("reading a file that ends within", through(d, memory_file(bytes / 2), user), bytes / 2);
  equal("the user's read", user.result(), -EIO);
  user = transfer::read(d.node(), 0, bytes);
  equal("reading a file that ends before", through(d, memory_file(0), user), -EIO);
  equal("the user's read", user.result(), -EIO);

  user = transfer::read(d.node(), 0, bytes);
  equal("SET_FILE", d.dev().set_file(1, memory_file(bytes / 2).get()), 0);
  auto op = good_answer(d.q().next_request());
  op.file = 1;
  equal("a silent operation", d.q().write(op), sizeof(op));
  equal("the user's read", user.result(), -EIO);
  const auto event = d.q().next(VLOOP_RECORD_EVENT).event;
  equal("the event", event.event, VLOOP_EVENT_OP_ERROR);
  equal("its errno", static_cast<long>(event.value), EIO);
  d.remove();
}

// The table's reference is its own: an operation goes on with the file it began with.
void a_file_may_be_taken_away_at_any_time() {
  disk d;
  {
    const auto served = d.serve();
    traffic user(d.node(), 2);
    std::minstd_rand random(1);
    for (int i = 0; i < 400; ++i) {
      // The same content under every descriptor.
      const owned_fd again(::dup(d.file()));
      equal("SET_FILE", d.dev().set_file(0, again.get()), 0);
      equal("SET_FILE", d.dev().set_file(1 + random() % 15, again.get()), 0);
      equal("SET_FILE to empty", d.dev().set_file(1 + random() % 15, -1), 0);
    }
    user.finish();
    equal("transfers that failed", user.failed(), 0);
  }
  // Emptied for good: that request alone, and only until there is a file again.
  auto user = transfer::read(d.node(), 0, bytes);
  const auto request = d.q().next_request();
  equal("SET_FILE to empty", d.dev().set_file(0, -1), 0);
  for (int i = 0; i < 3; ++i) equal("an operation without a file", d.q().write(good_answer(request)), -EBADF);
  equal("SET_FILE", d.dev().set_file(0, d.file()), 0);
  for (int i = 0; i < 3; ++i) {
    auto op = good_answer(request);
    op.flags = 0;
    equal("an operation that keeps its request", d.q().write(op), sizeof(op));
    equal("its DONE", d.q().next_done(), bytes);
  }
  equal("the good answer", d.q().write(good_answer(request)), sizeof(vloop_op));
  equal("the user's read", user.result(), bytes);
  d.remove();
}

// Reads see the data or an error, never something else, while the file shrinks and grows under them.
void a_file_that_shrinks_under_transfers_gives_data_or_errors() {
  constexpr std::uint64_t size = disk_sectors * sector_bytes;
  disk d;
  const std::vector<std::byte> ones(size, std::byte{1});
  equal("filling the file", result_of(::pwrite(d.file(), ones.data(), size, 0)), size);
  long whole = 0, failed = 0;
  {
    const auto served = d.serve();
    const std::jthread shrinking([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        [[maybe_unused]] int done = ::ftruncate(d.file(), size / 2);
        std::this_thread::yield();
        // Never a hole: it would read as zeros, and rightly so.
        done = static_cast<int>(::pwrite(d.file(), ones.data(), size / 2, size / 2));
      }
    });
    for (int i = 0; i < 150; ++i) {
      const auto user = transfer::read(d.node(), size - 64 * page_bytes, 16 * page_bytes);
      const long result = user.result();
      one_of("a read", result, {16 * page_bytes, -EIO});
      if (result < 0) {
        ++failed;
      } else {
        ++whole;
        expect(user.data_is(std::byte{1}, 0, 16 * page_bytes), "a read that succeeded has the file's data");
      }
    }
  }
  std::printf("whole %ld, failed %ld\n", whole, failed);
  expect(failed > 0, "some reads met the end of the file");
  expect(whole > 0, "some reads did not");
  d.remove();
}

constexpr named_case cases[] = {
    {"what_is_no_backing_is_refused", what_is_no_backing_is_refused},
    {"files_are_used_as_they_were_opened", files_are_used_as_they_were_opened},
    {"a_file_that_is_appended_to_later_keeps_its_size", a_file_that_is_appended_to_later_keeps_its_size},
    {"a_file_that_ends_too_early_fails_the_read", a_file_that_ends_too_early_fails_the_read},
    {"a_file_may_be_taken_away_at_any_time", a_file_may_be_taken_away_at_any_time},
    {"a_file_that_shrinks_under_transfers_gives_data_or_errors",
     a_file_that_shrinks_under_transfers_gives_data_or_errors},
};

}  // namespace

std::span<const named_case> file_cases() {
  return cases;
}

}  // namespace vloop::raw
