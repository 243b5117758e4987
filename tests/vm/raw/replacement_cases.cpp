// SPDX-License-Identifier: MIT
// A server that dies at an awkward moment, and the one that follows it: what becomes of each request, by policy.
#include "cases.hpp"
#include "mortal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <optional>

namespace vloop::raw {

namespace {

// Something that waits for a disk, in a thread of its own.
class waiting {
 public:
  template <class Run>
  explicit waiting(Run run) : state_(std::make_shared<state>()) {
    std::thread([s = state_, run] {
      s->result = run();
      s->ended = true;
    }).detach();
  }
  bool ended() const { return state_->ended; }
  long result() const {
    within(patience, "what waits for a disk ends", [&] { return ended(); });
    return state_->result;
  }

 private:
  struct state {
    std::atomic<bool> ended = false;
    long result = 0;
  };
  std::shared_ptr<state> state_;
};

waiting flush(const std::string& node) {
  return waiting([node] {
    const owned_fd fd(::open(node.c_str(), O_RDWR | O_CLOEXEC));
    return fd ? result_of(::fsync(fd.get())) : -errno;
  });
}

// A file that does not answer until somebody serves `slow`.
owned_fd open_slow(const disk& slow) {
  return open_or_throw(slow.node(), O_RDWR | O_DIRECT);
}

// The queue's next requests, each begun with an operation on a file that does not answer.
void begin(const queue& q, unsigned count, std::uint32_t flags) {
  for (unsigned i = 0; i < count; ++i) {
    auto op = good_answer(q.next_request());
    op.flags = flags;
    equal("an operation", q.write(op), sizeof(vloop_op));
  }
}

// The requests that one of the user's transfers became are in the server's hands, or in the kernel's.
void wait_taken(const mortal_server& server, const shared<std::atomic<long>>& taken, long count) {
  within(patience, "requests of " + server.node() + " are taken", [&] { return taken->load() == count; });
}

// ---- moments of the life cycle ----

// Its process makes a device, starts it, does `then`, and stays.
struct starting_server {
  template <class Then>
  explicit starting_server(Then then)
      : process_(process::run([&] {
          const device d(recoverable());
          const auto file = memory_file(disk_sectors * sector_bytes);
          equal("SET_FILE", d.set_file(0, file.get()), 0);
          told_->id = d.id();
          equal("START", d.start(), 0);
          then(d);
          told_->done = true;
          for (;;) ::pause();
        })) {}

  std::uint32_t wait_and_kill() {
    within(patience, "the server has started a device", [&] { return told_->done.load(); });
    process_.kill_and_wait();
    return told_->id;
  }

 private:
  struct facts {
    std::atomic<bool> done = false;
    std::uint32_t id = 0;
  };
  shared<facts> told_;
  process process_;
};

// The successor serves the probe to its end.
void becomes_a_disk(successor& next) {
  {
    const auto served = next.serve();
    within(patience, "a disk that is live", [&] { return next.dev().info().state == VLOOP_STATE_LIVE; });
    use(disk_node(next.dev().id()));
  }
  next.remove();
}

void killed_when_it_had_just_started() {
  starting_server server([](const device&) {});
  successor next(server.wait_and_kill());
  becomes_a_disk(next);
}

void killed_in_the_middle_of_the_probe() {
  starting_server server([](const device& d) { static_cast<void>(d.open_queue(0).next_request()); });
  const auto id = server.wait_and_kill();
  successor next(id);
  equal("state", next.dev().info().state, VLOOP_STATE_STARTING);
  const auto request = next.q().next_request();
  expect((request.user_data & VLOOP_REQUEST_AGAIN) != 0, "the probe's request comes again");
  equal("an answer", next.q().write(good_answer(request)), sizeof(vloop_op));
  becomes_a_disk(next);
}

// Nobody follows: the probe must end all the same.
void killed_in_the_middle_of_the_probe_and_stopped() {
  starting_server server([](const device& d) { static_cast<void>(d.open_queue(0).next_request()); });
  const auto id = server.wait_and_kill();
  equal("STOP", control().stop(id), 0);
  wait_until_gone(id);
}

// The next server is killed too, once it has attached, and the third when it has read the request.
void killed_again_and_again_before_it_answers() {
  const shared<std::atomic<long>> taken;
  mortal_server first(recoverable(), [&](disk& d) {
    static_cast<void>(d.q().next_request());
    taken->fetch_add(1);
  });
  const auto reader = transfer::read(first.node(), 0, page_bytes);
  wait_taken(first, taken, 1);
  first.kill();
  for (const bool reads : {false, true}) {
    const shared<std::atomic<bool>> there;
    auto heir = process::run([&] {
      successor next(first.id());
      if (reads) static_cast<void>(next.q().next_request());
      there->store(true);
      for (;;) ::pause();
    });
    within(patience, "the next server", [&] { return there->load(); });
    heir.kill_and_wait();
    expect(!reader.ended(), "the read waits");
  }
  successor last(first.id());
  equal("recoveries", last.dev().info().recoveries, 3);
  {
    const auto served = last.serve();
    equal("the read", reader.result(), page_bytes);
    use(first.node());
  }
  last.remove();
}

// ---- operations under way ----

// The answers are the kernel's to give: they are the real ones, and nothing is told to the next server.
void detached_operations_end_without_their_server() {
  disk slow;
  const shared<std::atomic<long>> taken;
  mortal_server server(recoverable(), [&](disk& d) {
    const auto file = open_slow(slow);
    equal("SET_FILE", d.dev().set_file(0, file.get()), 0);
    begin(d.q(), 4, answer_silently);
    taken->store(4);
  });
  const std::array reads{transfer::read(server.node(), 0, page_bytes),
                         transfer::read(server.node(), 65536, page_bytes)};
  const std::array writes{transfer::write(server.node(), 131072, page_bytes, std::byte{0x11}),
                          transfer::write(server.node(), 196608, page_bytes, std::byte{0x22})};
  wait_taken(server, taken, 4);
  server.kill();
  successor next(server.id());
  // The next server works while they are under way.
  const auto file = memory_file(disk_sectors * sector_bytes);
  equal("SET_FILE", next.dev().set_file(0, file.get()), 0);
  {
    const auto served = next.serve();
    use(server.node());
    for (const auto& one : reads) expect(!one.ended(), "what is in the slow file waits");
  }
  {
    const auto served = slow.serve();
    for (const auto& one : reads) equal("a read", one.result(), page_bytes);
    for (const auto& one : writes) equal("a write", one.result(), page_bytes);
    for (const auto& one : reads) expect(one.data_is(std::byte{0}, 0, page_bytes), "what was read is the slow file's");
    const auto back = transfer::read(slow.node(), 196608, page_bytes);
    equal("reading the slow file", back.result(), page_bytes);
    expect(back.data_is(std::byte{0x22}, 0, page_bytes), "what was written is in the slow file");
  }
  for (const auto& record : next.q().read_all())
    expect(record.type == VLOOP_RECORD_EVENT, "the next server is told nothing of them");
  next.remove();
  slow.remove();
}

void a_flush_under_way_ends_without_its_server() {
  disk slow;
  const shared<std::atomic<long>> taken;
  mortal_server server(recoverable(), [&](disk& d) {
    const auto file = open_slow(slow);
    equal("SET_FILE", d.dev().set_file(0, file.get()), 0);
    auto op = op_for(d.q().next_request(), VLOOP_VERB_SYNC_FILE, answer_silently);
    equal("a sync", d.q().write(op), sizeof(op));
    taken->store(1);
  });
  const auto user = flush(server.node());
  wait_taken(server, taken, 1);
  // The sync of the slow file is a request to it.
  expect(slow.q().wait(), "the sync is under way");
  server.kill();
  successor next(server.id());
  expect(!user.ended(), "the flush waits for the file");
  {
    const auto served = slow.serve();
    equal("the flush", user.result(), 0);
  }
  next.remove();
  slow.remove();
}

// A file tells an error of writing back once: the next server's sync would succeed, and the user believe it. So the
// request is answered, whatever the policy, wherever the server was with it.
void a_sync_that_failed_is_not_tried_again() {
  const owned_fd no_file = open_or_throw("/proc/version", O_RDONLY);  // whose sync is refused
  for (const bool read_by_the_server : {false, true}) {
    disk d(recoverable());
    const auto id = d.dev().id();
    equal("SET_FILE", d.dev().set_file(1, no_file.get()), 0);
    const auto user = flush(d.node());
    auto op = op_for(d.q().next_request(), VLOOP_VERB_SYNC_FILE);
    op.file = 1;
    equal("a sync that keeps its request", d.q().write(op), sizeof(op));
    expect(d.q().wait(), "its DONE");
    if (read_by_the_server) equal("its DONE", d.q().next_done(), -EINVAL);
    expect(!user.ended(), "the flush waits");
    equal("DETACH", d.dev().detach(), 0);
    equal("the flush", user.result(), -EIO);
    successor next(id);
    for (const auto& record : next.q().read_all())
      expect(record.type != VLOOP_RECORD_REQUEST, "the next server does not get it");
    next.remove();
  }
}

// ---- policies ----

struct expectation {
  vloop_exit_policy policy;
  // What the server had, what it had not read, and what it had begun without COMPLETE: an errno, or 0 for "waits".
  long fetched, unread, begun;
};

void follow(const expectation& expected) {
  disk slow;
  const shared<std::atomic<long>> taken;
  mortal_server server(recoverable(expected.policy), [&](disk& d) {
    const auto file = open_slow(slow);
    equal("SET_FILE", d.dev().set_file(1, file.get()), 0);
    static_cast<void>(d.q().next_request());
    taken->store(1);
    for (const bool complete : {true, false}) {
      auto op = good_answer(d.q().next_request());
      op.file = 1;
      op.flags = complete ? answer_silently : 0;
      equal("an operation", d.q().write(op), sizeof(op));
      taken->fetch_add(1);
    }
  });
  const auto read_at = [&](unsigned page) {
    return transfer::read(server.node(), 16ULL * page * page_bytes, page_bytes);
  };
  const auto fetched = read_at(1);
  wait_taken(server, taken, 1);
  const auto answered = read_at(2);
  wait_taken(server, taken, 2);
  const auto begun = read_at(3);
  wait_taken(server, taken, 3);
  const auto unread = read_at(4);
  within(patience, "the last is in the ring", [&] { return requests_in_flight(server.node()) == 4; });
  server.kill();

  if (expected.fetched != 0) equal("what the server had", fetched.result(), expected.fetched);
  if (expected.unread != 0) {
    equal("what it had not read", unread.result(), expected.unread);
    equal("what comes now", read_at(5).result(), -EIO);
  }
  {
    const auto served = slow.serve();
    equal("what the kernel was to answer", answered.result(), page_bytes);
    if (expected.begun != 0) equal("what it had begun", begun.result(), expected.begun);
  }

  successor next(server.id());
  {
    const auto served = next.serve();
    if (expected.fetched == 0) equal("what the server had", fetched.result(), page_bytes);
    if (expected.unread == 0) equal("what it had not read", unread.result(), page_bytes);
    if (expected.begun == 0) equal("what it had begun", begun.result(), page_bytes);
    use(server.node());
  }
  next.remove();
  slow.remove();
}

void queue_answers_what_the_server_had_and_keeps_the_rest() {
  follow({.policy = VLOOP_EXIT_QUEUE, .fetched = -EIO, .unread = 0, .begun = -EIO});
}

void reissue_keeps_everything() {
  follow({.policy = VLOOP_EXIT_REISSUE, .fetched = 0, .unread = 0, .begun = 0});
}

void fail_fast_answers_everything_until_a_server_comes() {
  follow({.policy = VLOOP_EXIT_FAIL_FAST, .fetched = -EIO, .unread = -EIO, .begun = -EIO});
}

constexpr named_case cases[] = {
    {"killed_when_it_had_just_started", killed_when_it_had_just_started},
    {"killed_in_the_middle_of_the_probe", killed_in_the_middle_of_the_probe},
    {"killed_in_the_middle_of_the_probe_and_stopped", killed_in_the_middle_of_the_probe_and_stopped},
    {"killed_again_and_again_before_it_answers", killed_again_and_again_before_it_answers},
    {"detached_operations_end_without_their_server", detached_operations_end_without_their_server},
    {"a_flush_under_way_ends_without_its_server", a_flush_under_way_ends_without_its_server},
    {"a_sync_that_failed_is_not_tried_again", a_sync_that_failed_is_not_tried_again},
    {"queue_answers_what_the_server_had_and_keeps_the_rest", queue_answers_what_the_server_had_and_keeps_the_rest},
    {"reissue_keeps_everything", reissue_keeps_everything},
    {"fail_fast_answers_everything_until_a_server_comes", fail_fast_answers_everything_until_a_server_comes},
};

}  // namespace

std::span<const named_case> replacement_cases() {
  return cases;
}

}  // namespace vloop::raw
