// SPDX-License-Identifier: MIT
// The queue handle and the request token, behind a port that does nothing but remember what it was asked.
#include "vring/queue.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <coroutine>
#include <csignal>
#include <cstring>
#include <exception>
#include <vector>

namespace vloop {
namespace {

// A coroutine that starts at once and frees itself when it ends.
struct detached {
  struct promise_type {
    detached get_return_object() const { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const {}
    void unhandled_exception() const { std::terminate(); }
  };
};

struct recording_port final : queue_port {
  struct answered {
    request_id id;
    transfer what;
    answer_status status;
  };
  std::vector<answered> answers;
  std::vector<transfer_waiter*> waiters;
  bool done_at_once = false;

  void run(const request_id&, const transfer& t, transfer_waiter& waiter) override {
    if (done_at_once) {
      waiter.done(static_cast<std::int32_t>(t.length));
    } else {
      waiters.push_back(&waiter);
    }
  }
  void answer(const request_id& id, const transfer& t, answer_status status) override {
    answers.push_back({id, t, status});
  }
};

fetched request_with_head(std::uint16_t head) {
  fetched f{};
  f.id = {.head = head, .seq = 1000u + head};
  f.readable = 16;
  f.writable = 513;
  f.inline_size = 16;
  for (std::size_t i = 0; i < 16; ++i) f.inline_bytes[i] = static_cast<std::byte>(i);
  return f;
}

detached complete_each(queue& q, std::vector<std::uint16_t>& seen, int& ended) {
  while (auto r = co_await q.next()) {
    seen.push_back(r->id().head);
    q.complete(std::move(*r));
  }
  ++ended;
}

detached take_one(queue& q, std::vector<request>& held) {
  auto r = co_await q.next();
  if (r) held.push_back(std::move(*r));
}

detached run_one(request& r, transfer t, std::int32_t& result) {
  const std::int32_t n = co_await r.run(t);
  result = n;
}

// Counts what it is told of, takes nothing.
detached count_arrivals(queue& q, int& arrivals, int& ended) {
  for (;;) {
    const bool serving = co_await q.arrival();
    if (!serving) break;
    ++arrivals;
  }
  ++ended;
}

// True when `f` ends the process by a signal (an assertion's abort).
template <class F>
bool crashes(F f) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    close(STDERR_FILENO);
    std::signal(SIGABRT, SIG_DFL);
    f();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

TEST_CASE("a waiting coroutine gets a request as soon as it is delivered") {
  recording_port port;
  queue q(0, 8, port);
  std::vector<std::uint16_t> seen;
  int ended = 0;
  complete_each(q, seen, ended);
  q.deliver(request_with_head(3));
  CHECK(seen == std::vector<std::uint16_t>{3});
  REQUIRE(port.answers.size() == 1);
  CHECK(port.answers[0].id.head == 3);
  CHECK(port.answers[0].id.seq == 1003);
  q.stop();
  CHECK(ended == 1);
}

TEST_CASE("requests that nobody waits for are kept in order") {
  recording_port port;
  queue q(0, 4, port);
  for (std::uint16_t head = 0; head < 4; ++head) q.deliver(request_with_head(head));
  CHECK(q.waiting() == 4);
  std::vector<std::uint16_t> seen;
  int ended = 0;
  complete_each(q, seen, ended);
  CHECK(seen == std::vector<std::uint16_t>{0, 1, 2, 3});
  CHECK(q.waiting() == 0);
  q.stop();
}

TEST_CASE("several waiting coroutines are served first come, first served") {
  recording_port port;
  queue q(0, 8, port);
  std::vector<request> first, second;
  take_one(q, first);
  take_one(q, second);
  q.deliver(request_with_head(1));
  REQUIRE(first.size() == 1);
  CHECK(second.empty());
  q.deliver(request_with_head(2));
  REQUIRE(second.size() == 1);
  CHECK(first[0].id().head == 1);
  CHECK(second[0].id().head == 2);
  CHECK(q.in_flight() == 2);
  q.complete(std::move(first[0]));
  q.complete(std::move(second[0]));
  CHECK(q.in_flight() == 0);
}

TEST_CASE("stop ends every waiting coroutine, and again does nothing") {
  recording_port port;
  queue q(0, 8, port);
  std::vector<std::uint16_t> seen;
  int ended = 0;
  complete_each(q, seen, ended);
  complete_each(q, seen, ended);
  q.stop();
  q.stop();
  CHECK(ended == 2);
  complete_each(q, seen, ended);
  CHECK(ended == 3);
}

TEST_CASE("requests delivered before stop are still handed out, then next gives nullopt") {
  recording_port port;
  queue q(0, 8, port);
  q.deliver(request_with_head(1));
  q.deliver(request_with_head(2));
  q.stop();
  std::vector<std::uint16_t> seen;
  int ended = 0;
  complete_each(q, seen, ended);
  CHECK(seen == std::vector<std::uint16_t>{1, 2});
  CHECK(ended == 1);
}

TEST_CASE("a request held over stop can still be answered") {
  recording_port port;
  queue q(0, 8, port);
  std::vector<request> held;
  take_one(q, held);
  q.deliver(request_with_head(5));
  q.stop();
  CHECK(q.in_flight() == 1);
  q.answer(std::move(held[0]), move_from(0, 4096, 512), {.present = true, .ok = 0, .error = 1});
  REQUIRE(port.answers.size() == 1);
  CHECK(port.answers[0].what.what == verb::file_to_request);
  CHECK(port.answers[0].status.error == 1);
}

TEST_CASE("reset drops what no device has taken and keeps what is held") {
  recording_port port;
  queue q(0, 4, port);
  std::vector<request> held;
  take_one(q, held);
  for (std::uint16_t head = 0; head < 3; ++head) q.deliver(request_with_head(head));
  q.reset();
  CHECK(q.waiting() == 0);
  CHECK(q.in_flight() == 1);
  for (std::uint16_t head = 0; head < 4; ++head) q.deliver(request_with_head(head));  // room for all heads again
  std::vector<std::uint16_t> seen;
  int ended = 0;
  q.complete(std::move(held[0]));
  complete_each(q, seen, ended);
  CHECK(seen == std::vector<std::uint16_t>{0, 1, 2, 3});
  q.stop();
}

TEST_CASE("the ready ring wraps without losing or reordering requests") {
  recording_port port;
  queue q(0, 4, port);
  std::vector<request> held;
  for (std::uint16_t i = 0; i < 100; ++i) {
    q.deliver(request_with_head(i));
    q.deliver(request_with_head(static_cast<std::uint16_t>(i + 100)));
    take_one(q, held);
    take_one(q, held);
    REQUIRE(held.size() == 2);
    CHECK(held[0].id().head == i);
    CHECK(held[1].id().head == i + 100);
    for (auto& r : held) q.complete(std::move(r));
    held.clear();
  }
}

TEST_CASE("a device that waits for arrivals is told of each, and takes requests when it likes") {
  recording_port port;
  queue q(0, 4, port);
  int arrivals = 0, ended = 0;
  count_arrivals(q, arrivals, ended);
  q.deliver(request_with_head(1));
  q.deliver(request_with_head(2));
  CHECK(arrivals == 2);
  CHECK(q.waiting() == 2);
  CHECK(q.in_flight() == 0);
  auto taken = q.try_next();
  REQUIRE(taken);
  CHECK(taken->id().head == 1);
  q.complete(std::move(*taken));
  CHECK(q.waiting() == 1);
  q.stop();
  CHECK(ended == 1);
}

TEST_CASE("wake tells who waits for arrivals, and nobody else") {
  recording_port port;
  queue q(0, 4, port);
  q.wake();
  int arrivals = 0, ended = 0;
  count_arrivals(q, arrivals, ended);
  CHECK(arrivals == 0);
  q.wake();
  CHECK(arrivals == 1);
  CHECK_FALSE(q.try_next());
  q.stop();
}

TEST_CASE("arrivals end at once on a stopped queue") {
  recording_port port;
  queue q(0, 4, port);
  q.stop();
  int arrivals = 0, ended = 0;
  count_arrivals(q, arrivals, ended);
  CHECK(arrivals == 0);
  CHECK(ended == 1);
}

TEST_CASE("what no device took of a stopped queue is withdrawn, oldest first, each once") {
  recording_port port;
  queue q(0, 4, port);
  for (std::uint16_t head = 0; head < 3; ++head) q.deliver(request_with_head(head));
  auto taken = q.try_next();
  q.stop();
  q.complete(std::move(*taken));
  for (std::uint16_t head = 1; head < 3; ++head) {
    const auto untouched = q.withdraw();
    REQUIRE(untouched);
    CHECK(untouched->head == head);
  }
  CHECK_FALSE(q.withdraw());
  CHECK_FALSE(q.try_next());
}

TEST_CASE("resets are counted") {
  recording_port port;
  queue q(0, 4, port);
  CHECK(q.resets() == 0);
  q.reset();
  q.reset();
  CHECK(q.resets() == 2);
}

TEST_CASE("header gives the inline bytes, and nothing when there are too few") {
  recording_port port;
  queue q(0, 4, port);
  std::vector<request> held;
  take_one(q, held);
  q.deliver(request_with_head(1));
  struct sixteen {
    unsigned char bytes[16];
  };
  struct seventeen {
    unsigned char bytes[17];
  };
  const auto header = held[0].header<sixteen>();
  REQUIRE(header);
  CHECK(header->bytes[15] == 15);
  CHECK_FALSE(held[0].header<seventeen>());
  q.complete(std::move(held[0]));
}

TEST_CASE("a request that is left is not answered, and can be left behind") {
  recording_port port;
  queue q(0, 4, port);
  std::vector<request> held;
  take_one(q, held);
  q.deliver(request_with_head(1));
  q.leave(std::move(held[0]));
  CHECK(q.in_flight() == 0);
  CHECK(port.answers.empty());
}

TEST_CASE("front gives the inline bytes that came, and copy_out asks for those of the readable part") {
  recording_port port;
  queue q(0, 4, port);
  std::vector<request> held;
  take_one(q, held);
  q.deliver(request_with_head(1));
  REQUIRE(held[0].front().size() == 16);
  CHECK(held[0].front()[15] == std::byte{15});
  std::byte room[8];
  const transfer out = copy_out(room, 4);
  CHECK(out.what == verb::copy_from_request);
  CHECK(out.skip == 4);
  CHECK(out.length == sizeof room);
  CHECK(out.memory == room);
  q.complete(std::move(held[0]));
}

TEST_CASE("a transfer that is done at once does not suspend; one that is done later resumes") {
  recording_port port;
  queue q(0, 4, port);
  std::vector<request> held;
  take_one(q, held);
  q.deliver(request_with_head(1));
  std::int32_t result = -1;
  port.done_at_once = true;
  run_one(held[0], move_from(0, 0, 512), result);
  CHECK(result == 512);
  port.done_at_once = false;
  run_one(held[0], move_from(0, 0, 512), result = -1);
  CHECK(result == -1);
  REQUIRE(port.waiters.size() == 1);
  port.waiters[0]->done(-EIO);
  CHECK(result == -EIO);
  q.complete(std::move(held[0]));
}

TEST_CASE("a transfer succeeded only when every byte moved") {
  CHECK(succeeded(move_from(0, 0, 512), 512));
  CHECK_FALSE(succeeded(move_from(0, 0, 512), 511));
  CHECK_FALSE(succeeded(move_to(0, 0, 512), -EIO));
  CHECK(succeeded(sync(0), 0));
  CHECK_FALSE(succeeded(sync(0), -EIO));
  CHECK(succeeded(nothing(), 0));
}

TEST_CASE("dropping a request unanswered crashes") {
  CHECK(crashes([] {
    recording_port port;
    queue q(0, 4, port);
    std::vector<request> held;
    take_one(q, held);
    q.deliver(request_with_head(1));
    held.clear();
  }));
}

TEST_CASE("answering a request twice crashes") {
  CHECK(crashes([] {
    recording_port port;
    queue q(0, 4, port);
    std::vector<request> held;
    take_one(q, held);
    q.deliver(request_with_head(1));
    q.complete(std::move(held[0]));
    q.complete(std::move(held[0]));
  }));
}

TEST_CASE("delivering to a stopped queue crashes") {
  CHECK(crashes([] {
    recording_port port;
    queue q(0, 4, port);
    q.stop();
    q.deliver(request_with_head(1));
  }));
}

}  // namespace
}  // namespace vloop
