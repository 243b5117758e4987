// SPDX-License-Identifier: MIT
// event: set once, wakes all that wait for it, now and later. One thread; for "stop" and "ready" signals.
#pragma once

#include <cassert>
#include <coroutine>
#include <utility>

namespace vloop {

class event {
 public:
  event() noexcept = default;
  event(const event&) = delete;
  event& operator=(const event&) = delete;
  ~event() { assert(first_ == nullptr && "an event is destroyed while a coroutine waits for it"); }

  [[nodiscard]] bool is_set() const noexcept { return set_; }

  /// Idempotent. The waiters run before it returns, in the order in which they came; one of them may destroy the event.
  void set() noexcept;

  class waiter {
   public:
    explicit waiter(event& e) noexcept : event_(e) {}
    bool await_ready() const noexcept { return event_.set_; }
    void await_suspend(std::coroutine_handle<> waiting) noexcept {
      waiting_ = waiting;
      *event_.last_ = this;
      event_.last_ = &next_;
    }
    void await_resume() const noexcept {}

   private:
    friend class event;
    event& event_;
    std::coroutine_handle<> waiting_;
    waiter* next_ = nullptr;
  };
  [[nodiscard]] waiter wait() noexcept { return waiter{*this}; }

 private:
  bool set_ = false;
  waiter* first_ = nullptr;
  waiter** last_ = &first_;
};

inline void event::set() noexcept {
  set_ = true;
  waiter* one = std::exchange(first_, nullptr);
  last_ = &first_;
  while (one) {
    waiter* next = one->next_;  // `one` lies in the frame that is resumed
    one->waiting_.resume();
    one = next;
  }
}

}  // namespace vloop
