// SPDX-License-Identifier: MIT
// operation: one io_uring operation, awaited for its count or -errno.
//
//   const std::int32_t n = co_await io.read(fd, buffer, offset);
//
// It reaches the kernel at the end of the turn in which it is awaited. Buffers, iovec arrays and files must live until
// then and until it has completed. A named operation can be cancelled by another coroutine meanwhile:
//
//   auto waiting = io.read(pipe, buffer);      // elsewhere: co_await io.cancel(waiting);
//   const std::int32_t n = co_await waiting;   // -ECANCELED
#pragma once

#include <liburing.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "runtime/completion.hpp"

namespace vloop {

class loop;
class bounded_operation;

/// A time that is already over counts as none.
[[nodiscard]] inline __kernel_timespec to_timespec(std::chrono::nanoseconds time) noexcept {
  constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;
  time = std::max(time, std::chrono::nanoseconds::zero());
  __kernel_timespec result{};
  result.tv_sec = time.count() / nanoseconds_per_second;
  result.tv_nsec = time.count() % nanoseconds_per_second;
  return result;
}

class [[nodiscard("an operation that nobody awaits never runs")]] operation final : public completion {
 public:
  /// `entry` as an io_uring_prep_ function filled it in; its user_data is the loop's.
  operation(loop & io, const io_uring_sqe& entry) noexcept : completion(&told), loop_(io) {
    std::memcpy(entry_.data(), &entry, sizeof entry);
  }
  /// A timeout: the kernel reads the time from here when it takes the operation.
  operation(loop & io, const io_uring_sqe& entry, std::chrono::nanoseconds time, bool expiry_is_success) noexcept
      : operation(io, entry) {
    time_ = to_timespec(time);
    timed_ = true;
    expiry_is_success_ = expiry_is_success;
  }

  bool await_ready() const noexcept {
    return false;
  }
  void await_suspend(std::coroutine_handle<> waiter) noexcept;
  std::int32_t await_resume() const noexcept {
    return expiry_is_success_ && result() == -ETIME ? 0 : result();
  }

 private:
  friend class bounded_operation;
  static void told(completion & done) noexcept;
  void write_to(io_uring_sqe & entry) noexcept;

  loop& loop_;
  // An io_uring_sqe. As bytes, since the struct ends in a flexible array in some versions of its header.
  alignas(std::uint64_t) std::array<std::byte, sizeof(io_uring_sqe)> entry_;
  __kernel_timespec time_{};
  std::coroutine_handle<> waiter_;
  bounded_operation* bound_ = nullptr;  // who is told instead of `waiter_`
  bool timed_ = false;
  bool expiry_is_success_ = false;
};

/// An operation with a time limit: -ETIME when the kernel had to cancel it. What cannot be cancelled any more (a disk
/// transfer under way) still ends first.
class [[nodiscard]] bounded_operation {
 public:
  bounded_operation(operation& bounded, std::chrono::nanoseconds limit) noexcept
      : operation_(bounded), timer_(*this), limit_(to_timespec(limit)) {}
  bounded_operation(const bounded_operation&) = delete;
  bounded_operation& operator=(const bounded_operation&) = delete;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept;
  std::int32_t await_resume() const noexcept;

 private:
  friend class operation;
  struct timer final : completion {
    explicit timer(bounded_operation& owner) noexcept : completion(&told), owner_(owner) {}
    static void told(completion& done) noexcept { static_cast<timer&>(done).owner_.part_told(); }
    bounded_operation& owner_;
  };
  // The operation and its timer complete in either order; both lie in the waiter's frame.
  void part_told() noexcept {
    if (--parts_in_flight_ == 0) waiter_.resume();
  }

  operation& operation_;
  timer timer_;
  __kernel_timespec limit_;
  std::coroutine_handle<> waiter_;
  int parts_in_flight_ = 0;
};

[[nodiscard]] inline bounded_operation with_timeout(operation&& bounded, std::chrono::nanoseconds limit) noexcept {
  return bounded_operation{bounded, limit};
}
[[nodiscard]] inline bounded_operation with_timeout(operation& bounded, std::chrono::nanoseconds limit) noexcept {
  return bounded_operation{bounded, limit};
}

}  // namespace vloop
