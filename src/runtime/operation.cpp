// SPDX-License-Identifier: MIT
#include "runtime/operation.hpp"

#include "runtime/loop.hpp"

namespace vloop {

void operation::await_suspend(std::coroutine_handle<> waiter) noexcept {
  waiter_ = waiter;
  loop_.prepare(*this, [this](io_uring_sqe& entry) { write_to(entry); });
}

void operation::write_to(io_uring_sqe& entry) noexcept {
  std::memcpy(&entry, entry_.data(), entry_.size());
  if (timed_) entry.addr = reinterpret_cast<std::uintptr_t>(&time_);
}

void operation::told(completion& done) noexcept {
  auto& self = static_cast<operation&>(done);
  if (self.bound_) {
    self.bound_->part_told();
  } else {
    self.waiter_.resume();
  }
}

void bounded_operation::await_suspend(std::coroutine_handle<> waiter) noexcept {
  waiter_ = waiter;
  parts_in_flight_ = 2;
  operation_.bound_ = this;
  loop& io = operation_.loop_;
  io.reserve(2);  // a link does not reach over the end of a submission
  io.prepare(operation_, [this](io_uring_sqe& entry) {
    operation_.write_to(entry);
    entry.flags |= IOSQE_IO_LINK;
  });
  io.prepare(timer_, [this](io_uring_sqe& entry) { io_uring_prep_link_timeout(&entry, &limit_, 0); });
}

std::int32_t bounded_operation::await_resume() const noexcept {
  const std::int32_t result = operation_.await_resume();
  const bool cancelled = result == -ECANCELED || result == -EINTR;
  const bool expired = timer_.result() == -ETIME || timer_.result() == -EALREADY;
  return cancelled && expired ? -ETIME : result;
}

}  // namespace vloop
