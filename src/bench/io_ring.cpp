// SPDX-License-Identifier: MIT
#include "bench/io_ring.hpp"

#include <cerrno>
#include <chrono>

#include "bench/target.hpp"
#include "runtime/setup_error.hpp"

namespace vloop::bench {
namespace {

#ifdef IORING_SETUP_DEFER_TASKRUN
constexpr unsigned best_flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
#else
constexpr unsigned best_flags = 0;
#endif

__kernel_timespec tick_time{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(turn_max).count()};

}  // namespace

io_ring::io_ring(unsigned entries) {
  int error = ::io_uring_queue_init(entries, &ring_, best_flags);
  if (error == -EINVAL) error = ::io_uring_queue_init(entries, &ring_, 0);  // before Linux 6.1
  if (error < 0)
    throw setup_error(-error, "cannot make an io_uring ring of " + std::to_string(entries) + " entries",
                      error == -EPERM ? "sysctl kernel.io_uring_disabled forbids it" : "");
  ::io_uring_register_ring_fd(&ring_);  // saves a look-up in each call; where it can't be done nothing is lost
}

io_ring::~io_ring() {
  ::io_uring_queue_exit(&ring_);
}

void io_ring::register_file(int fd) {
  if (const int error = ::io_uring_register_files(&ring_, &fd, 1); error < 0)
    throw setup_error(-error, "cannot register a file with io_uring");
}

io_uring_sqe& io_ring::free_entry() {
  io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
  while (!entry) {
    submit();
    entry = ::io_uring_get_sqe(&ring_);
  }
  return *entry;
}

void io_ring::submit() {
  if (::io_uring_sq_ready(&ring_) == 0) return;
  ++enters_;
  entered(::io_uring_submit(&ring_));
}

void io_ring::submit_and_wait() {
  if (!ticking_) {
    prepare(tick_tag, [](io_uring_sqe* entry) { ::io_uring_prep_timeout(entry, &tick_time, 0, 0); });
    ticking_ = true;
  }
  ++enters_;
  entered(::io_uring_submit_and_wait(&ring_, 1));
}

// A signal, or completions that have to be collected first: the next turn goes on.
void io_ring::entered(int result) {
  if (result >= 0 || result == -EINTR || result == -EAGAIN || result == -EBUSY) return;
  throw setup_error(-result, "io_uring_enter failed");
}

}  // namespace vloop::bench
