// SPDX-License-Identifier: MIT
// task_group: background work that its parent joins. Nothing runs detached from someone who waits for it.
//
// A group belongs to one thread. Whoever owns it joins it before leaving its scope, on the error path too: destroying
// a group with running tasks is a broken invariant, since they may use what the owner is about to destroy.
#pragma once

#include <cassert>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>

#include "runtime/task.hpp"

namespace vloop {

class task_group {
 public:
  task_group() noexcept = default;
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;
  ~task_group() { assert(running_ == 0 && "a task group is destroyed before its tasks finished: join it"); }

  /// Runs `work` to its first suspension, now. Allowed at any time, also from the group's own tasks and while it is
  /// being joined.
  void spawn(task<void> work);

  /// How many tasks have not finished yet.
  [[nodiscard]] std::size_t size() const noexcept { return running_; }

  class joiner {
   public:
    explicit joiner(task_group& group) noexcept : group_(group) {}
    bool await_ready() const noexcept { return group_.running_ == 0; }
    void await_suspend(std::coroutine_handle<> waiter) noexcept {
      assert(!group_.waiter_ && "a group has one joiner at a time");
      group_.waiter_ = waiter;
    }
    void await_resume() { group_.rethrow(); }

   private:
    task_group& group_;
  };
  /// Waits until no task runs; then rethrows the first exception that one of them ended with. The others are dropped.
  [[nodiscard]] joiner join() noexcept { return joiner{*this}; }

  /// What join does once nothing runs, for an owner that is no coroutine.
  void rethrow() {
    assert(running_ == 0);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  static void finished(void* group, std::coroutine_handle<> frame) noexcept;
  void retire(task<void>::handle frame) noexcept;

  std::size_t running_ = 0;
  std::coroutine_handle<> waiter_;
  std::exception_ptr error_;
};

}  // namespace vloop
