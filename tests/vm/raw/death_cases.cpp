// SPDX-License-Identifier: MIT
// What becomes of requests when descriptors are closed and opened again, when the server stands still, and when one of
// its threads waits for the disk itself.
#include "cases.hpp"
#include "mortal.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace vloop::raw {

namespace {

// One transfer in the server's hands, another that it never reads.
struct two_transfers {
  explicit two_transfers(const std::string& node) : fetched(transfer::read(node, 0, 4096)), node_(node) {}
  void add_second() {
    waiting = transfer::read(node_, 65536, 4096);
    within(patience, "both are requests", [&] { return requests_in_flight(node_) == 2; });
  }
  void both(long expected) const {
    equal("a transfer that the server had", fetched.result(), expected);
    equal("a transfer that the server had not read", waiting.result(), expected);
  }
  bool none_ended() const { return !fetched.ended() && !waiting.ended(); }

  transfer fetched;
  transfer waiting;

 private:
  std::string node_;
};

// The descriptors are close-on-exec: what follows is the last close, by a process that lives on.
void read_one_and_exec(disk& d) {
  static_cast<void>(d.q().next_request());
  ::execl("/bin/sleep", "sleep", "100", nullptr);
}

void exec_leaves_a_recoverable_disk_to_the_next_server() {
  mortal_server server(recoverable(), read_one_and_exec);
  const auto reader = transfer::read(server.node(), 0, 4096);
  long fd = 0;
  within(patience, "the device has no server", [&] {
    fd = control().attach(server.id());
    return fd != -EBUSY;
  });
  successor next(server.id(), fd, 1);
  {
    const auto served = next.serve();
    equal("the read", reader.result(), 4096);
    expect(!server.proc().ended(milliseconds(0)), "the process lives");
  }
  next.remove();
}

void the_last_close_of_the_device_ends_the_disk() {
  disk d;
  two_transfers user(d.node());
  const auto request = d.q().next_request();
  user.add_second();
  const auto id = d.dev().id();
  {
    const owned_fd copy(::dup(d.dev().fd()));
    d.dev().close();
    expect(user.none_ended(), "a copy of the descriptor keeps the disk");
  }
  user.both(-EIO);
  equal("a write to the queue", d.q().write(good_answer(request)), -ENODEV);
  vloop_record record{};
  equal("a read of the queue", d.q().read(std::span(&record, 1)), 0);
  wait_until_gone(id);
}

void a_queue_that_is_opened_again_tells_its_requests_again() {
  disk d;
  std::array<transfer, 3> user{transfer::read(d.node(), 0, 4096), transfer::read(d.node(), 8192, 4096),
                               transfer::read(d.node(), 16384, 4096)};
  std::array<vloop_record, 2> before{d.q().next_request(), d.q().next_request()};
  // One of them has a DONE that nobody has read.
  equal("an operation", d.q().write(op_for(before[0], VLOOP_VERB_NONE)), sizeof(vloop_op));
  d.reopen(0, VLOOP_QUEUE_NOWAIT);
  for (const auto& one : user) expect(!one.ended(), "the requests wait");

  const auto ready = d.q().next();
  equal("the first record", ready.type, VLOOP_RECORD_EVENT);
  equal("its event", ready.event.event, VLOOP_EVENT_QUEUE_READY);
  unsigned again = 0;
  for (std::size_t i = 0; i < user.size(); ++i) {
    const auto request = d.q().next();
    equal("the type of a record", request.type, VLOOP_RECORD_REQUEST);
    if (request.user_data & VLOOP_REQUEST_AGAIN) ++again;
    for (const auto& old : before) {
      if (old.head == request.head && old.seq != request.seq)
        equal("an answer to the first telling", d.q().write(good_answer(old)), -ESTALE);
    }
    equal("an answer", d.q().write(good_answer(request)), sizeof(vloop_op));
  }
  equal("requests that came again", again, before.size());
  for (const auto& one : user) equal("a read", one.result(), 4096);
  d.remove();
}

void a_stopped_server_delays_its_requests_and_goes_on() {
  mortal_server server(blk_shape(disk_sectors), [](disk& d) { static_cast<void>(d.serve().release()); });
  use(server.node());
  server.proc().kill(SIGSTOP);
  within(patience, "the server stands still", [&] {
    siginfo_t state{};
    return ::waitid(P_PID, static_cast<id_t>(server.proc().pid()), &state, WSTOPPED | WNOWAIT | WNOHANG) == 0 &&
           state.si_code == CLD_STOPPED;
  });
  two_transfers user(server.node());
  user.add_second();
  // Longer than the module's own looks after its server.
  std::this_thread::sleep_for(milliseconds(2500));
  expect(user.none_ended(), "the requests wait");
  expect(exists(sysfs_folder(server.id())), "the disk stays");
  server.proc().kill(SIGCONT);
  user.both(4096);
  server.kill();
  wait_until_gone(server.id());
}

// Threads that wait where no signal reaches them, or only one that kills.
long threads_that_wait_for_io(pid_t pid) {
  long waiting = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::ifstream file(task.path() / "stat");
    const std::string line((std::istreambuf_iterator<char>(file)), {});
    if (line.find(") D ") != std::string::npos) ++waiting;
  }
  return waiting;
}

// A thread of the server's own: it would have to end before the descriptors are closed.
void wait_for_own_disk(void (*wait)(int node)) {
  mortal_server server(blk_shape(disk_sectors), [&](disk& d) {
    std::thread([node = d.node(), wait] { wait(open_or_throw(node, O_RDWR | O_DIRECT).get()); }).detach();
  });
  // So does somebody else.
  const auto user = transfer::read(server.node(), 0, 4096);
  within(patience, "a thread of the server waits for its own disk",
         [&] { return threads_that_wait_for_io(server.proc().pid()) > 0; });
  server.kill();
  equal("somebody else's read", user.result(), -EIO);
  wait_until_gone(server.id());
}

void a_thread_that_syncs_its_own_disk_does_not_hold_a_killed_server() {
  wait_for_own_disk([](int node) {
    const owned_fd buffered(::open(("/proc/self/fd/" + std::to_string(node)).c_str(), O_RDWR | O_CLOEXEC));
    static std::array<std::byte, page_bytes> memory{};
    [[maybe_unused]] const auto put = ::pwrite(buffered.get(), memory.data(), memory.size(), 0);
    ::fsync(buffered.get());
  });
}

void a_thread_that_maps_its_own_disk_does_not_hold_a_killed_server() {
  wait_for_own_disk([](int node) {
    const mapping page(node, 1 << 20);  // where the probe has not been
    [[maybe_unused]] const auto read = page.as<char>();
  });
}

constexpr named_case cases[] = {
    {"exec_leaves_a_recoverable_disk_to_the_next_server", exec_leaves_a_recoverable_disk_to_the_next_server},
    {"the_last_close_of_the_device_ends_the_disk", the_last_close_of_the_device_ends_the_disk},
    {"a_queue_that_is_opened_again_tells_its_requests_again", a_queue_that_is_opened_again_tells_its_requests_again},
    {"a_stopped_server_delays_its_requests_and_goes_on", a_stopped_server_delays_its_requests_and_goes_on},
    {"a_thread_that_syncs_its_own_disk_does_not_hold_a_killed_server",
     a_thread_that_syncs_its_own_disk_does_not_hold_a_killed_server},
    {"a_thread_that_maps_its_own_disk_does_not_hold_a_killed_server",
     a_thread_that_maps_its_own_disk_does_not_hold_a_killed_server},
};

}  // namespace

std::span<const named_case> death_cases() {
  return cases;
}

}  // namespace vloop::raw
