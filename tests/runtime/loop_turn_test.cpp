// SPDX-License-Identifier: MIT
// The turn: hooks before the submission, probes before sleep, operations that others prepare.
#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "runtime/event.hpp"
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

task<void> turns(loop& io, int count) {
  for (int i = 0; i < count; ++i) co_await io.next_turn();
}

task<void> sleep_once(loop& io, std::chrono::nanoseconds time) {
  co_await io.sleep(time);
}

task<void> wait_for(event& e) {
  co_await e.wait();
}

// Gathers what was noted during a turn into one write, as a transport does with completed requests.
class batching_hook final : public turn_hook, private completion {
 public:
  batching_hook(loop& io, int fd) : completion(&told), io_(io), fd_(fd) {}
  void note(char c) { gathered_ += c; }
  void at_turn_end() noexcept override {
    if (gathered_.empty() || in_flight()) return;
    outgoing_ = std::exchange(gathered_, {});
    io_.prepare(*this, [this](io_uring_sqe& entry) {
      io_uring_prep_write(&entry, fd_, outgoing_.data(), static_cast<unsigned>(outgoing_.size()),
                          loop::current_position);
    });
    ++batches;
  }
  [[nodiscard]] bool busy() const { return in_flight(); }
  int batches = 0;
  std::int32_t written = 0;

 private:
  static void told(completion& done) noexcept {
    auto& self = static_cast<batching_hook&>(done);
    self.written += done.result();
  }
  loop& io_;
  int fd_;
  std::string gathered_;
  std::string outgoing_;
};

task<void> note_each_turn(loop& io, batching_hook& hook, char c, int count) {
  for (int i = 0; i < count; ++i) {
    hook.note(c);
    co_await io.next_turn();
  }
}

task<void> run_noters(loop& io, batching_hook& hook) {
  task_group group;
  for (const char c : {'a', 'b', 'c'}) group.spawn(note_each_turn(io, hook, c, 4));
  co_await group.join();
  while (hook.busy()) co_await io.next_turn();
}

class counting_probe final : public idle_probe {
 public:
  bool ready() noexcept override { return ++looks >= ready_at; }
  void on_ready() noexcept override {
    ++hits;
    ready_at = never;
    if (wakes) wakes->set();
  }
  static constexpr long never = 1L << 60;
  long ready_at = never;
  long looks = 0;
  int hits = 0;
  event* wakes = nullptr;
};

loop_options spinning(std::chrono::nanoseconds limit, ring_mode mode = ring_mode::deferred) {
  auto options = ring_in(mode);
  options.spin_limit = limit;
  return options;
}

}  // namespace

TEST_CASE("next_turn lets every other runnable task have its turn first") {
  const auto body = [](loop& ring, std::string& log, char name) -> task<void> {
    for (int i = 0; i < 2; ++i) {
      log += name;
      co_await ring.next_turn();
    }
  };
  loop io(ring_in(any_mode()));
  std::string log;
  task_group group;
  for (const char name : {'a', 'b', 'c'}) group.spawn(body(io, log, name));
  io.run(turns(io, 5));
  CHECK(log == "abcabc");
}

TEST_CASE("a completion that asked for the next turn is told there, without an operation") {
  struct later final : completion {
    later() : completion([](completion& done) noexcept { ++static_cast<later&>(done).told; }) {}
    int told = 0;
  };
  loop io(ring_in(any_mode()));
  later one;
  io.next_turn(one);
  CHECK(one.told == 0);
  const auto submitted = io.counters().submitted;
  io.run(turns(io, 2));
  CHECK(one.told == 1);
  CHECK(io.counters().submitted - submitted <= 1);  // the loop's own wake-up read
}

TEST_CASE("a hook turns what gathered during a turn into one operation") {
  loop io(ring_in(any_mode()));
  const socket_ends ends;
  batching_hook hook(io, ends.write_end.get());
  io.add_hook(hook);
  io.run(run_noters(io, hook));
  CHECK(hook.written == 12);
  CHECK(hook.batches == 4);
  std::array<char, 16> got{};
  REQUIRE(read(ends.read_end.get(), got.data(), got.size()) == 12);
  CHECK(std::string_view(got.data(), 12) == "abcabcabcabc");
}

TEST_CASE("what a hook prepares at the end of the last turn still reaches the kernel") {
  loop io(ring_in(any_mode()));
  const socket_ends ends;
  batching_hook hook(io, ends.write_end.get());
  io.add_hook(hook);
  const auto body = [](batching_hook& batch) -> task<void> {
    batch.note('x');
    co_return;
  };
  io.run(body(hook));
  std::array<char, 4> got{};
  CHECK(read(ends.read_end.get(), got.data(), got.size()) == 1);
  io.run(turns(io, 3));
  CHECK(hook.written == 1);
}

TEST_CASE("an unlinked hook is not called any more") {
  loop io(ring_in(any_mode()));
  const socket_ends ends;
  batching_hook hook(io, ends.write_end.get());
  io.add_hook(hook);
  hook.unlink();
  hook.note('x');
  io.run(turns(io, 3));
  CHECK(hook.batches == 0);
}

TEST_CASE("linked operations prepared after reserve go out in one submission, also at the ring's end") {
  struct step final : completion {
    step() : completion([](completion&) noexcept {}) {}
  };
  auto options = ring_in(any_mode());
  options.entries = 8;
  loop io(options);
  const socket_ends ends;
  std::array<step, 7> fill;
  step write_step;
  step read_step;
  std::array<char, 4> buffer{};
  for (auto& one : fill) {
    if (io.in_flight() >= 8) break;
    io.prepare(one, [](io_uring_sqe& entry) { io_uring_prep_nop(&entry); });
  }
  io.reserve(2);
  io.prepare(write_step, [&](io_uring_sqe& entry) {
    io_uring_prep_write(&entry, ends.write_end.get(), "ping", 4, loop::current_position);
    entry.flags |= IOSQE_IO_LINK;
  });
  io.prepare(read_step, [&](io_uring_sqe& entry) {
    io_uring_prep_read(&entry, ends.read_end.get(), buffer.data(), 4, loop::current_position);
  });
  io.run(sleep_once(io, 20ms));
  CHECK(write_step.result() == 4);
  CHECK(read_step.result() == 4);
  CHECK(std::string_view(buffer.data(), 4) == "ping");
}

TEST_CASE("without a spin limit a probe is never looked at") {
  loop io(ring_in(any_mode()));
  counting_probe probe;
  io.add_probe(probe);
  io.run(sleep_once(io, 5ms));
  CHECK(probe.looks == 0);
}

TEST_CASE("a probe that becomes ready while the loop spins is told, and the loop doesn't sleep") {
  loop io(spinning(10s, any_mode()));
  event woken;
  counting_probe probe;
  probe.ready_at = 1000;
  probe.wakes = &woken;
  io.add_probe(probe);
  const auto begin = steady::now();
  io.run(wait_for(woken));
  CHECK(probe.hits == 1);
  CHECK(io.counters().spins_paid == 1);
  CHECK(steady::now() - begin < 5s);
}

TEST_CASE("a completion ends a spin") {
  loop io(spinning(30s, any_mode()));
  counting_probe probe;
  io.add_probe(probe);
  const auto begin = steady::now();
  io.run(sleep_once(io, 5ms));
  CHECK(steady::now() - begin < 10s);
  CHECK(io.counters().spins_paid >= 1);
}

TEST_CASE("a spin ends at its limit, and the loop sleeps") {
  loop io(spinning(1ms, any_mode()));
  counting_probe probe;
  io.add_probe(probe);
  const auto begin_cpu = std::clock();
  io.run(sleep_once(io, 300ms));
  const double used = static_cast<double>(std::clock() - begin_cpu) / CLOCKS_PER_SEC;
  CHECK(used < 0.2);
  CHECK(io.counters().spins_paid == 0);
  CHECK(io.spin().budget() < 1ms);
}

TEST_CASE("spinning stops to cost anything while nothing comes") {
  loop io(spinning(1ms));
  counting_probe probe;
  io.add_probe(probe);
  for (int i = 0; i < 8; ++i) io.run(sleep_once(io, 3ms));
  CHECK(io.spin().budget() == 0ns);
}

TEST_CASE("work of another thread ends a spin") {
  loop io(spinning(30s, any_mode()));
  counting_probe probe;
  event posted;
  io.add_probe(probe);
  std::thread poster([&] {
    std::this_thread::sleep_for(20ms);
    io.post([&posted] { posted.set(); });
  });
  const auto begin = steady::now();
  io.run(wait_for(posted));
  poster.join();
  CHECK(steady::now() - begin < 10s);
}

// Ready at every look until it has been told `wanted` times.
class busy_probe final : public idle_probe {
 public:
  explicit busy_probe(int wanted) : wanted_(wanted) {}
  bool ready() noexcept override { return hits < wanted_; }
  void on_ready() noexcept override {
    if (++hits == wanted_ && done) done->set();
  }
  void before_sleep() noexcept override { ++asked; }
  int hits = 0;
  int asked = 0;
  event* done = nullptr;

 private:
  int wanted_;
};

task<void> until(event& done) {
  co_await done.wait();
}

TEST_CASE("a probe that is always ready keeps no other one waiting") {
  loop io(spinning(1ms, any_mode()));
  event done;
  busy_probe first(1'000'000);
  busy_probe second(100);
  second.done = &done;
  io.add_probe(first);
  io.add_probe(second);
  io.run(until(done));
  CHECK(first.hits <= 101);
}

TEST_CASE("probes are asked to prepare for sleep now and then by a loop that never sleeps") {
  loop io(spinning(1ms, any_mode()));
  event done;
  busy_probe probe(1000);
  probe.done = &done;
  io.add_probe(probe);
  io.run(until(done));
  CHECK(probe.asked >= 10);
}

TEST_CASE("probes are looked at and asked now and then by a loop that completions keep busy") {
  loop io(spinning(1ms, any_mode()));
  busy_probe probe(1);
  io.add_probe(probe);
  io.run(turns(io, 1000));
  CHECK(probe.hits == 1);
  CHECK(probe.asked >= 10);
}

namespace {

// Where the flags of a ring's submission queue lie in its mapping, which is the same for all rings.
unsigned flags_offset() {
  io_uring ring{};
  io_uring_params params{};
  if (io_uring_queue_init_params(1, &ring, &params) != 0) throw std::runtime_error("no ring");
  io_uring_queue_exit(&ring);
  return params.sq_off.flags;
}

// Says in every ring of this process that there is work to be asked for. The kernel does so itself now and then: it
// raises the flag after it has put the work where a thread can find it, which may be after that has done it.
int raise_stale_flags() {
  const unsigned offset = flags_offset();
  std::ifstream maps("/proc/self/maps");
  int raised = 0;
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t begin = 0, end = 0, at = 0;
    if (line.find("anon_inode:[io_uring]") == std::string::npos) continue;
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &begin, &end, &at) != 3 || at != 0) continue;
    auto& flags = *reinterpret_cast<unsigned*>(static_cast<std::uintptr_t>(begin) + offset);
    std::atomic_ref(flags).fetch_or(IORING_SQ_TASKRUN);
    ++raised;
  }
  return raised;
}

std::chrono::nanoseconds thread_time() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

task<void> sleep_with_stale_flags(loop& io, int& raised, std::chrono::nanoseconds& used) {
  raised = raise_stale_flags();
  const auto before = thread_time();
  co_await io.sleep(1s);
  used = thread_time() - before;
}

}  // namespace

TEST_CASE("a ring that says for ever that there is work does not keep a loop from sleeping") {
  loop io(spinning(1ms, any_mode()));
  int raised = 0;
  std::chrono::nanoseconds used{};
  io.run(sleep_with_stale_flags(io, raised, used));
  REQUIRE(raised == 1);
  CHECK(used < 200ms);
}

namespace {

task<void> raise_and_wait(int& raised, event& done) {
  raised = raise_stale_flags();
  co_await done.wait();
}

}  // namespace

TEST_CASE("a loop that probes keep busy hears of a post though its ring says for ever that there is work") {
  loop io(spinning(1ms, any_mode()));
  event done;
  busy_probe probe(20'000'000);  // so many that the test would take some seconds without the post
  probe.done = &done;
  io.add_probe(probe);
  int raised = 0;
  std::thread poster([&io, &done, &probe] {
    std::this_thread::sleep_for(20ms);
    io.post([&done, &probe] {
      probe.done = nullptr;
      done.set();
    });
  });
  io.run(raise_and_wait(raised, done));
  poster.join();
  CHECK(raised == 1);
  CHECK(probe.done == nullptr);
}
