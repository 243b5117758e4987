// SPDX-License-Identifier: MIT
// The end of a server, however it comes and whatever it was doing; and what is not its end.
#include "cases.hpp"
#include "descriptor_mail.hpp"
#include "disk.hpp"
#include "process.hpp"
#include "rng.hpp"

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>

namespace vloop::raw {

namespace {

// A removal takes less than a second; the rest is for machines that are busy.
const milliseconds soon = patience / 2;

// What the processes of a case tell each other.
struct board {
  std::atomic<std::uint32_t> id = 0;
  std::atomic<int> step = 0;

  void reach(int to) { step = to; }
  void wait_for(int from) {
    within(patience, "step " + std::to_string(from) + " of another process", [&] { return step >= from; });
  }
};

// A process that has a disk, does what it is told with it, and waits to be killed.
process serve_until_killed(const shared<board>& b, const std::function<void(disk&)>& then) {
  return process::run([&] {
    disk d;
    b->id = d.dev().id();
    then(d);
    b->reach(1);
    for (;;) ::pause();
  });
}

void pass_descriptor(int socket, int fd) {
  equal("sending a descriptor", result_of(send_descriptor(socket, fd, 0)), 1);
}

std::array<owned_fd, 2> socket_pair() {
  std::array<int, 2> ends{};
  expect(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0, "a pair of sockets");
  return {owned_fd(ends[0]), owned_fd(ends[1])};
}

// ---- what is not the end ----

void a_child_that_closes_its_copies_ends_nothing() {
  disk d;
  for (const bool at_once : {false, true}) {
    process::run([&] {
      if (!at_once) d.close();  // otherwise its end does
    }).join();
    const auto user = transfer::read(d.node(), 0, page_bytes);
    equal("an answer after it", d.q().write(good_answer(d.q().next_request())), sizeof(vloop_op));
    equal("the read", user.result(), page_bytes);
    equal("the device's state", d.dev().info().state, VLOOP_STATE_LIVE);
  }
  d.remove();
}

void a_child_may_serve_while_its_parent_lives() {
  disk d;
  const auto user = transfer::read(d.node(), 0, page_bytes);
  process::run([&] {
    equal("the child's answer", d.q().write(good_answer(d.q().next_request())), sizeof(vloop_op));
  }).join();
  equal("the read", user.result(), page_bytes);
  d.remove();
}

// ---- what is ----

// The child has everything; but the device was its parent's.
void a_child_that_inherited_everything_keeps_nothing() {
  shared<board> b;
  auto server = process::run([&] {
    disk d;
    const mapping stats = d.q().map_stats();
    b->id = d.dev().id();
    auto child = process::run([&] {
      vloop_record record{};
      within(soon, "the child's read finds the end", [&] { return d.q().read(std::span(&record, 1)) == 0; });
      within(soon, "the child's read of the device finds the end", [&] { return d.dev().read(record) == 0; });
      vloop_op op{};
      equal("the child's operation", d.q().write(op), -ENODEV);
      equal("a new queue", d.dev().queue_fd(0), -ENODEV);
      equal("a new mapping", d.q().map_stats().error(), -ENODEV);
      equal("a new file", d.dev().set_file(0, d.file()), -ENODEV);
      equal("a start", d.dev().start(), -ENODEV);
      equal("a removal", d.dev().remove(), -ENODEV);
      pollfd poll{d.q().fd(), POLLIN, 0};
      equal("poll", ::poll(&poll, 1, 0), 1);
      expect((poll.revents & POLLHUP) != 0, "poll says that it is over");
      expect(stats.as<vloop_queue_stats>().size != 0, "the mapping is still there");
      b->reach(2);
    });
    b->reach(1);
    for (;;) ::pause();
  });
  b->wait_for(1);
  const auto node = disk_node(b->id);
  const auto user = transfer::read(node, 0, page_bytes);
  within(patience, "the read is under way", [&] { return requests_in_flight(node) == 1; });
  server.kill_and_wait();
  equal("the read that nobody answered", user.result(), -EIO);
  wait_until_gone(b->id, soon);
  b->wait_for(2);
}

void exec_ends_the_device() {
  shared<board> b;
  auto server = process::run([&] {
    disk d;
    b->id = d.dev().id();
    b->reach(1);
    ::execl("/bin/sleep", "sleep", "60", nullptr);
    throw failure("exec");
  });
  b->wait_for(1);
  wait_until_gone(b->id, soon);
  expect(!server.ended(milliseconds(0)), "the process lives on");
}

void a_descriptor_lost_in_a_socket_ends_the_device() {
  shared<board> b;
  disk d;
  const auto id = d.dev().id();
  {
    const auto ends = socket_pair();
    pass_descriptor(ends[0].get(), d.dev().fd());
    pass_descriptor(ends[0].get(), d.q().fd());
    // The sockets too: nobody can reach them any more, and only the collector of such sockets finds them.
    pass_descriptor(ends[0].get(), ends[1].get());
    d.close();
    expect(exists(sysfs_folder(id)), "the device is there while its descriptor is on its way");
  }
  // The collector looks when sockets come and go.
  within(soon, "the end of the device", [&] {
    socket_pair();
    return !exists(sysfs_folder(id));
  });
}

void descriptors_passed_on_end_with_their_server() {
  shared<board> b;
  const auto ends = socket_pair();
  auto server = process::run([&] {
    disk d;
    b->id = d.dev().id();
    pass_descriptor(ends[0].get(), d.dev().fd());
    pass_descriptor(ends[0].get(), d.q().fd());
    d.close();
    b->reach(1);
    for (;;) ::pause();
  });
  b->wait_for(1);
  expect(exists(sysfs_folder(b->id)), "the device lives while its descriptors are on their way");
  server.kill_and_wait();
  wait_until_gone(b->id, soon);
}

// ---- what it was doing ----

// Kills a server that waits as told; somebody uses the disk.
void killed_while(const std::function<void(disk&)>& waits) {
  shared<board> b;
  auto server = serve_until_killed(b, waits);
  b->wait_for(1);
  const auto user = transfer::read(disk_node(b->id), 0, page_bytes);
  const auto start = clock::now();
  server.kill_and_wait();
  // It was there in time, or the disk was not any more.
  one_of("the read", user.result(), {-EIO, 0, -ENXIO, -ENOENT, -ENODEV});
  wait_until_gone(b->id, soon);
  std::printf("gone after %lld ms\n", static_cast<long long>(milliseconds_since(start)));
}

void a_process_with_reads_in_io_uring_can_be_killed() {
  for (const unsigned flags : {0U, static_cast<unsigned>(IOSQE_ASYNC)}) {
    killed_while([&](disk& d) {
      d.reopen(0, 0);
      static io_uring ring;
      static std::array<vloop_record, 8> records;
      expect(::io_uring_queue_init(16, &ring, 0) == 0, "an io_uring");
      for (unsigned i = 0; i < 4; ++i) {
        auto* sqe = ::io_uring_get_sqe(&ring);
        if (i < 3)
          ::io_uring_prep_read(sqe, i < 2 ? d.q().fd() : d.dev().fd(), &records[i], sizeof(vloop_record), 0);
        else
          ::io_uring_prep_poll_multishot(sqe, d.q().fd(), POLLIN);
        sqe->flags |= i < 3 ? flags : 0;
      }
      equal("parked", ::io_uring_submit(&ring), 4);
    });
  }
}

void a_process_with_threads_in_read_and_poll_can_be_killed() {
  killed_while([](disk& d) {
    d.reopen(0, 0);
    for (int i = 0; i < 3; ++i) {
      std::thread([&] {
        std::array<vloop_record, 8> records;
        for (;;) d.q().read(records);
      }).detach();
      std::thread([&] {
        vloop_record record{};
        for (;;) d.dev().read(record);
      }).detach();
      std::thread([&] {
        pollfd wanted{d.q().fd(), 0, 0};
        for (;;) ::poll(&wanted, 1, -1);
      }).detach();
    }
  });
}

// Its thread waits for a disk that only the process could serve: it would never close anything.
void a_process_that_waits_for_its_own_disk_can_be_killed() {
  shared<board> b;
  auto server = serve_until_killed(b, [](disk& d) {
    for (int i = 0; i < 2; ++i) transfer::read(d.node(), i * page_bytes, page_bytes);
    d.q().next_request();
  });
  b->wait_for(1);
  server.kill_and_wait();
  wait_until_gone(b->id, soon);
}

// A copy into a mapping of the very disk: its page fault is a request, and who could serve it is in the middle of a
// write.
void a_process_that_copies_to_its_own_disk_can_be_killed() {
  shared<board> b;
  auto server = process::run([&] {
    disk d;
    b->id = d.dev().id();
    const owned_fd own = open_or_throw(d.node(), O_RDWR);
    // Not where the probe has been: that is in memory already.
    const mapping page(own.get(), 1 << 20, page_bytes, PROT_READ | PROT_WRITE);
    equal("a mapping of the disk", page.error(), 0);
    const auto user = transfer::read(d.node(), page_bytes, page_bytes);
    auto op = op_for(d.q().next_request(), VLOOP_VERB_COPY_FROM_REQUEST);
    op.address = address_of(page.address());
    op.length = 16;
    b->reach(1);
    d.q().write(op);
    throw failure("a copy that nobody served came back");
  });
  b->wait_for(1);
  const auto node = disk_node(b->id);
  within(patience, "the page of the copy is asked for", [&] { return requests_in_flight(node) == 2; });
  server.kill_and_wait();
  wait_until_gone(b->id, soon);
}

void a_device_that_was_never_started_ends_with_its_process() {
  shared<board> b;
  auto server = process::run([&] {
    const device d(blk_shape(disk_sectors, 4));
    const auto q = d.open_queue(2);
    b->id = d.id();
    b->reach(1);
    for (;;) ::pause();
  });
  b->wait_for(1);
  expect(exists(sysfs_folder(b->id)), "the device is there");
  server.kill_and_wait();
  wait_until_gone(b->id, soon);
}

constexpr named_case cases[] = {
    {"a_child_that_closes_its_copies_ends_nothing", a_child_that_closes_its_copies_ends_nothing},
    {"a_child_may_serve_while_its_parent_lives", a_child_may_serve_while_its_parent_lives},
    {"a_child_that_inherited_everything_keeps_nothing", a_child_that_inherited_everything_keeps_nothing},
    {"exec_ends_the_device", exec_ends_the_device},
    {"a_descriptor_lost_in_a_socket_ends_the_device", a_descriptor_lost_in_a_socket_ends_the_device},
    {"descriptors_passed_on_end_with_their_server", descriptors_passed_on_end_with_their_server},
    {"a_process_with_reads_in_io_uring_can_be_killed", a_process_with_reads_in_io_uring_can_be_killed},
    {"a_process_with_threads_in_read_and_poll_can_be_killed", a_process_with_threads_in_read_and_poll_can_be_killed},
    {"a_process_that_waits_for_its_own_disk_can_be_killed", a_process_that_waits_for_its_own_disk_can_be_killed},
    {"a_process_that_copies_to_its_own_disk_can_be_killed", a_process_that_copies_to_its_own_disk_can_be_killed},
    {"a_device_that_was_never_started_ends_with_its_process", a_device_that_was_never_started_ends_with_its_process},
};

}  // namespace

std::span<const named_case> end_cases() {
  return cases;
}

}  // namespace vloop::raw
