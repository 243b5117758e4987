// SPDX-License-Identifier: MIT
#include "vring/queue.hpp"

namespace vloop {

queue::queue(std::uint16_t index, std::uint16_t size, queue_port& port)
    : index_(index), size_(size), port_(port), ready_(std::make_unique<fetched[]>(size)) {
  assert(size > 0);
}

queue::~queue() {
  assert(in_flight_ == 0 && "a queue went away before its requests were answered");
  assert(!waiters_first_ && !arrival_ && "a queue went away under a coroutine that waits for it");
}

std::optional<request> queue::take() {
  if (ready_count_ == 0) return std::nullopt;
  const fetched& oldest = ready_[ready_first_];
  ready_first_ = (ready_first_ + 1) % size_;
  --ready_count_;
  ++in_flight_;
  return request(*this, oldest);
}

void queue::deliver(const fetched& what) {
  assert(!stopped_ && "a request was delivered to a stopped queue");
  assert(ready_count_ < size_ && "more requests were delivered than the queue has heads");
  if (next_operation* const waiter = waiters_first_) {
    waiters_first_ = waiter->later_;
    if (!waiters_first_) waiters_last_ = nullptr;
    ++in_flight_;
    waiter->given_.emplace(request(*this, what));
    waiter->waiting_.resume();
    return;
  }
  ready_[(ready_first_ + ready_count_) % size_] = what;
  ++ready_count_;
  wake();
}

void queue::wake() {
  if (arrival_operation* const waiter = std::exchange(arrival_, nullptr)) waiter->waiting_.resume();
}

void queue::stop() {
  stopped_ = true;
  // A coroutine that is resumed here may ask again at once: it is told the same without waiting, so this ends.
  while (next_operation* const waiter = waiters_first_) {
    waiters_first_ = waiter->later_;
    if (!waiters_first_) waiters_last_ = nullptr;
    waiter->waiting_.resume();
  }
  wake();
}

std::optional<request_id> queue::withdraw() {
  if (ready_count_ == 0) return std::nullopt;
  const request_id oldest = ready_[ready_first_].id;
  ready_first_ = (ready_first_ + 1) % size_;
  --ready_count_;
  return oldest;
}

void queue::answer(request&& r, const transfer& t, answer_status status) {
  assert(r.from_ == this && "a request was answered twice, or on another queue than its own");
  r.from_ = nullptr;
  assert(in_flight_ > 0);
  --in_flight_;
  port_.answer(r.what_.id, t, status);
}

void queue::leave(request&& r) {
  assert(r.from_ == this && "a request was left after it was answered, or to another queue than its own");
  r.from_ = nullptr;
  assert(in_flight_ > 0);
  --in_flight_;
  port_.leave(r.what_.id);
}

void queue::next_operation::await_suspend(std::coroutine_handle<> waiting) noexcept {
  waiting_ = waiting;
  if (from_.waiters_last_) {
    from_.waiters_last_->later_ = this;
  } else {
    from_.waiters_first_ = this;
  }
  from_.waiters_last_ = this;
}

std::optional<request> queue::next_operation::await_resume() {
  if (!waiting_) return from_.take();  // never suspended
  return std::move(given_);
}

bool request::run_operation::await_suspend(std::coroutine_handle<> waiting) {
  assert(request_.from_ && "a transfer was asked for a request that is already answered");
  request_.from_->port_.run(request_.what_.id, transfer_, *this);
  if (finished_) return false;  // done inside run(): go on without suspending
  waiting_ = waiting;
  return true;
}

}  // namespace vloop
