// SPDX-License-Identifier: MIT
// task<T>: a coroutine that starts when it is awaited, is awaited once, and stays on one thread.
//
//   created --co_await--> running <--> suspended --> finished --> its frame goes with the task object
//
// Ownership: the task object owns the frame. A task may be destroyed before it was started, or when it finished;
// one that is suspended in an operation must not be (the operation asserts).
//
// No symmetric transfer: awaiting a task resumes it from within await_suspend and goes straight on if it finished
// without waiting. Transfers that the compiler doesn't turn into jumps (debug and sanitizer builds) would overflow the
// stack; this way its depth is the depth of nested awaits.
#pragma once

#include <cassert>
#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "runtime/frame_pool.hpp"

namespace vloop {

template <class T>
class task;

namespace detail {

/// What every task's promise has: where its frame comes from and whom to tell at its end.
class promise_base {
 public:
  // Called once, when the coroutine is suspended for good. It may destroy the frame.
  using finish_function = void (*)(void* context, std::coroutine_handle<> self) noexcept;

  static void* operator new(std::size_t size) { return frame_pool::allocate(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { frame_pool::release(frame, size); }

  std::suspend_always initial_suspend() const noexcept { return {}; }

  struct final_awaiter {
    final_awaiter() noexcept {}  // user-written, as awaiters need (GCC 12)
    bool await_ready() const noexcept { return false; }
    // Nothing of the frame may be touched after `finish`: the one that waits may have destroyed it.
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      promise_base& p = self.promise();
      if (p.starting_) {
        p.finished_while_starting_ = true;
        return;
      }
      p.finish_(p.context_, self);
    }
    void await_resume() const noexcept {}
  };
  final_awaiter final_suspend() const noexcept { return final_awaiter(); }

  void unhandled_exception() noexcept { error_ = std::current_exception(); }

  /// Runs `self` to its first suspension. True: it finished, and `finish` will not be called.
  bool start(std::coroutine_handle<> self, finish_function finish, void* context) {
    assert(finish_ == nullptr && "a task is awaited once");
    finish_ = finish;
    context_ = context;
    starting_ = true;
    self.resume();
    starting_ = false;
    return finished_while_starting_;
  }

  std::exception_ptr take_error() noexcept { return std::exchange(error_, nullptr); }

 protected:
  void rethrow_error() {
    if (error_) std::rethrow_exception(take_error());
  }

 private:
  finish_function finish_ = nullptr;
  void* context_ = nullptr;
  std::exception_ptr error_;
  bool starting_ = false;
  bool finished_while_starting_ = false;
};

template <class T>
class promise final : public promise_base {
 public:
  task<T> get_return_object() noexcept;
  template <class U>
  requires std::is_constructible_v<T, U&&>
  void return_value(U&& value) { value_.emplace(std::forward<U>(value)); }
  T take() {
    rethrow_error();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class promise<void> final : public promise_base {
 public:
  task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() { rethrow_error(); }
};

}  // namespace detail

template <class T = void>
class [[nodiscard("a task that nobody awaits never runs")]] task {
 public:
  using promise_type = detail::promise<T>;
  using handle = std::coroutine_handle<promise_type>;

  task() noexcept = default;
  explicit task(handle frame) noexcept : frame_(frame) {}
  task(task && other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  task& operator=(task&& other) noexcept {
    task(std::move(other)).swap(*this);
    return *this;
  }
  ~task() {
    if (frame_) frame_.destroy();
  }

  void swap(task & other) noexcept {
    std::swap(frame_, other.frame_);
  }
  explicit operator bool() const noexcept {
    return static_cast<bool>(frame_);
  }

  /// Gives up ownership: the caller destroys the frame.
  [[nodiscard]] handle release() noexcept {
    return std::exchange(frame_, {});
  }

  class awaiter {
   public:
    explicit awaiter(handle child) noexcept : child_(child) { assert(child && "an empty task is awaited"); }
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> parent) {
      return !child_.promise().start(child_, &resume_parent, parent.address());
    }
    T await_resume() { return child_.promise().take(); }

   private:
    static void resume_parent(void* parent, std::coroutine_handle<>) noexcept {
      std::coroutine_handle<>::from_address(parent).resume();
    }
    handle child_;
  };
  awaiter operator co_await()&& noexcept {
    return awaiter{frame_};
  }

 private:
  handle frame_;
};

template <class T>
task<T> detail::promise<T>::get_return_object() noexcept {
  return task<T>{std::coroutine_handle<promise>::from_promise(*this)};
}

inline task<void> detail::promise<void>::get_return_object() noexcept {
  return task<void>{std::coroutine_handle<promise>::from_promise(*this)};
}

}  // namespace vloop
