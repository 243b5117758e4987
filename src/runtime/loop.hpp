// SPDX-License-Identifier: MIT
// loop: one io_uring ring on one thread, and the turn that drives the coroutines waiting on it.
//
// A turn:
//   1. turn hooks run: batches gathered during the last turn become submissions
//   2. with probes and a spin limit: submit, then look at the probes and the completion ring for a bounded time
//   3. one io_uring_enter: submit what is prepared and sleep until something completes
//   4. collect all completions, then tell each: coroutines resume here, prepare operations, post to batches
// A coroutine therefore never resumes inside the submission of another, and the stack stays flat.
//
// Made, used and destroyed on one thread; post() alone may be called by others. Before it is destroyed its tasks should
// have finished; what is still in an operation then is cancelled and resumed with -ECANCELED, and operations started
// from there on fail with -ECANCELED at once.
#pragma once

#include <liburing.h>
#include <sys/uio.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/completion.hpp"
#include "runtime/file_ref.hpp"
#include "runtime/idle_spin.hpp"
#include "runtime/inbox.hpp"
#include "runtime/intrusive_list.hpp"
#include "runtime/operation.hpp"
#include "runtime/task.hpp"

namespace vloop {

/// Runs at the end of each turn, before the submission: the place to turn what gathered into few operations. Prepares
/// operations; resumes no coroutine (it would miss the hooks that ran before). Unlinks itself when destroyed.
class turn_hook : public list_hook {
 public:
  virtual void at_turn_end() noexcept = 0;

 protected:
  ~turn_hook() = default;
};

/// Something cheap to look at that tells of work before the kernel does. Unlinks itself when destroyed.
class idle_probe : public list_hook {
 public:
  /// Called in a tight loop; must not change anything.
  virtual bool ready() noexcept = 0;
  /// Called once after ready() said true, as a completion would be: may prepare operations and resume coroutines.
  virtual void on_ready() noexcept {}
  /// Called before the loop sleeps, after all looking was in vain (or is off), and now and then when it never sleeps:
  /// the place to ask the kernel to wake us.
  virtual void before_sleep() noexcept {}

 protected:
  ~idle_probe() = default;
};

/// How the kernel hands over completions; the loop takes the best that the kernel has.
enum class ring_mode : std::uint8_t {
  deferred,     // 6.1: run when this thread asks for them
  cooperative,  // 5.19: run at this thread's next kernel entry
  interrupting  // any: this thread is interrupted
};

struct loop_options {
  std::uint32_t entries = 256;           // submissions per io_uring_enter; more are submitted in several
  std::uint32_t completion_entries = 0;  // 0: four times `entries`
  std::uint32_t fixed_files = 64;        // slots for register_file
  std::chrono::nanoseconds spin_limit{0};
  std::chrono::milliseconds shutdown_limit{5000};  // for what is still in flight when the loop is destroyed
  ring_mode best_mode = ring_mode::deferred;
};

/// Since the loop was made. Plain numbers: read them on the loop's thread.
struct loop_counters {
  std::uint64_t turns = 0;
  std::uint64_t enters = 0;      // io_uring_enter calls
  std::uint64_t submitted = 0;   // operations handed to the kernel
  std::uint64_t completed = 0;   // completions collected
  std::uint64_t posts = 0;       // jobs of other threads that were run
  std::uint64_t spins = 0;       // times the loop spun before it would have slept
  std::uint64_t spins_paid = 0;  // of these, how often something came in time
};

class loop {
 public:
  /// Throws setup_error where the kernel gives no ring.
  explicit loop(const loop_options& options = loop_options{});
  ~loop();
  loop(const loop&) = delete;
  loop& operator=(const loop&) = delete;

  /// Runs until `root` is done, and rethrows what it threw. Not reentrant; may be called again afterwards.
  void run(task<void> root);

  // ---- operations: io_uring_prep_X without the entry. Each gives a count or -errno. ----
  static constexpr std::uint64_t current_position =
      ~std::uint64_t{0};  // also for what has no position: pipes, eventfds

  operation nop();
  operation read(file_ref file, std::span<std::byte> buffer, std::uint64_t offset = current_position);
  operation write(file_ref file, std::span<const std::byte> buffer, std::uint64_t offset = current_position);
  operation readv(file_ref file, std::span<const iovec> buffers, std::uint64_t offset = current_position);
  operation writev(file_ref file, std::span<const iovec> buffers, std::uint64_t offset = current_position);
  operation writev2(file_ref file, std::span<const iovec> buffers, std::uint64_t offset, int rw_flags);
  operation fsync(file_ref file, unsigned flags = 0);  // IORING_FSYNC_DATASYNC
  operation fallocate(file_ref file, int mode, std::uint64_t offset, std::uint64_t length);
  operation poll_add(file_ref file, unsigned events);  // gives the events that occurred
  operation timeout(std::chrono::nanoseconds time);    // gives -ETIME when it is over
  operation sleep(std::chrono::nanoseconds time);      // gives 0 when it is over
  operation cancel(const completion& target);  // 0, -ENOENT (had completed), -EALREADY (cannot be stopped any more)
  operation cancel_fd(file_ref file);          // all that works on the file; how many

  class turn_awaiter;
  /// Goes on in the next turn, after others had theirs.
  turn_awaiter next_turn() noexcept;
  /// The same for what is no coroutine: tells `later` in the next turn, with result 0. Costs no operation.
  void next_turn(completion& later) noexcept { complete_later(later, 0); }

  // ---- for transports that build their own operations ----
  /// Takes a submission entry, lets `fill` write it (io_uring_prep_X, flags), and ties it to `done`. Submits what is
  /// prepared first if the ring is full.
  template <std::invocable<io_uring_sqe&> Fill>
  void prepare(completion& done, Fill&& fill) {
    if (io_uring_sqe* entry = begin_prepare(done)) {
      fill(*entry);
      io_uring_sqe_set_data(entry, &done);
    }
  }
  /// Makes room for `count` entries in one submission, for operations that are linked.
  void reserve(unsigned count) noexcept;

  /// Throws setup_error when all slots are taken.
  fixed_file register_file(int fd);

  // ---- turns ----
  void add_hook(turn_hook& hook) noexcept { hooks_.push_back(hook); }
  void add_probe(idle_probe& probe) noexcept { probes_.push_back(probe); }

  // ---- threads ----
  /// Any thread: runs `work()` on the loop's thread, in the order of the calls. It must not throw. The call must have
  /// returned before the loop is destroyed; work that comes too late is dropped.
  template <std::invocable Function>
  void post(Function&& work) {
    post_job(make_job(std::forward<Function>(work)));
  }
  void post_job(std::unique_ptr<job> work);

  [[nodiscard]] bool on_this_thread() const noexcept { return std::this_thread::get_id() == thread_; }

  [[nodiscard]] const loop_counters& counters() const noexcept { return counters_; }
  [[nodiscard]] ring_mode mode() const noexcept { return mode_; }
  /// For a log: how the ring is set up, and what was done without. Any thread.
  [[nodiscard]] std::string description() const;
  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
  [[nodiscard]] const idle_spin& spin() const noexcept { return spin_; }

 private:
  friend class fixed_file;

  // The eventfd read that is always in flight: what other threads wake the loop by.
  struct wake_read final : completion {
    explicit wake_read(loop& owner) noexcept : completion(&told), owner_(owner) {}
    static void told(completion& done) noexcept;
    loop& owner_;
    std::uint64_t count_ = 0;
  };

  // Completions to be told, oldest first.
  class told_list {
   public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    void push_back(completion& c) noexcept;
    completion* take() noexcept;

   private:
    completion* first_ = nullptr;
    completion* last_ = nullptr;
  };

  io_uring_sqe* begin_prepare(completion& done) noexcept;
  void complete_later(completion& done, std::int32_t result) noexcept;
  void unregister_file(int index) noexcept;
  void read_wake() noexcept;

  void turn() noexcept;
  void run_hooks() noexcept;
  void wait() noexcept;
  void spin_then_wait() noexcept;
  bool look() noexcept;
  bool yield_and_look() noexcept;
  bool look_at_probes() noexcept;
  void prepare_sleep() noexcept;
  void ask_now_and_then() noexcept;
  [[nodiscard]] bool has_completions() const noexcept;
  [[nodiscard]] bool kernel_has_completions() const noexcept;
  [[nodiscard]] bool flag_is_up() const noexcept;
  void enter(unsigned wait_for) noexcept;
  void check_entered(int result) noexcept;
  void collect() noexcept;
  void tell() noexcept;
  void drain() noexcept;

  const std::thread::id thread_;
  const std::chrono::milliseconds shutdown_limit_;
  bool running_ = false;
  bool closing_ = false;
  io_uring ring_{};
  const ring_mode mode_;                // after ring_: making the ring decides it
  bool descriptor_registered_ = false;  // of the ring, with itself
  int wake_fd_ = -1;
  wake_read wake_;
  inbox inbox_;
  bool flag_is_stale_ = false;  // IORING_SQ_TASKRUN is up, though asking brought nothing
  std::size_t in_flight_ = 0;   // completions that wait for the kernel or to be told
  told_list to_tell_;
  std::vector<int> free_slots_;
  intrusive_list<turn_hook> hooks_;
  intrusive_list<idle_probe> probes_;
  idle_spin spin_;
  loop_counters counters_;
};

class [[nodiscard]] loop::turn_awaiter final : public completion {
 public:
  explicit turn_awaiter(loop& io) noexcept : completion(&told), loop_(io) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept {
    waiter_ = waiter;
    loop_.complete_later(*this, 0);
  }
  void await_resume() const noexcept {}

 private:
  static void told(completion& done) noexcept { static_cast<turn_awaiter&>(done).waiter_.resume(); }
  loop& loop_;
  std::coroutine_handle<> waiter_;
};

inline loop::turn_awaiter loop::next_turn() noexcept {
  return turn_awaiter{*this};
}

}  // namespace vloop
