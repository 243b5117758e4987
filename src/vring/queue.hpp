// SPDX-License-Identifier: MIT
// The asynchronous handle of one virtqueue, as a device sees it, and the interface a transport implements behind it.
// It knows no file descriptor and no loop. Everything here happens on the thread of the worker that owns the queue.
//
//   transport: deliver()...                      stop()          (reset(): back to empty, at any time)
//   device:    while (auto r = co_await next()) { answer(*r) }   next() gives what was delivered, then nullopt
//
// A device that has something to say of its own accord (input) leaves requests where they are until it says it: it
// looks at waiting(), takes with try_next(), and waits with arrival(). What it did not take the transport can
// withdraw().
#pragma once

#include <cassert>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>

#include "vring/request.hpp"
#include "vring/transfer.hpp"

namespace vloop {

// What a transport does for one queue. Neither function may call queue::deliver() or queue::stop() before it returns.
class queue_port {
 public:
  // Starts a transfer for a request that stays unanswered; calls waiter.done() exactly once, on this thread, now or
  // later. A request that is not in flight any more (the queue was reset) gives -ECANCELED.
  virtual void run(const request_id& id, const transfer& t, transfer_waiter& waiter) = 0;

  // Transfer, status byte, used entry, notification: nobody waits for it. Memory named by the transfer is read before
  // this returns. An id that is not in flight any more is ignored.
  virtual void answer(const request_id& id, const transfer& t, answer_status status) = 0;

  // The device will not answer it; a port that counts what it gave out forgets it here.
  virtual void leave(const request_id&) {}

 protected:
  ~queue_port() = default;  // never owned through this interface
};

class queue {
 public:
  // size: most requests that can be available at once. Allocates here and never again.
  queue(std::uint16_t index, std::uint16_t size, queue_port& port);
  queue(const queue&) = delete;
  queue& operator=(const queue&) = delete;
  ~queue();

  std::uint16_t index() const { return index_; }
  std::uint16_t size() const { return size_; }

  // ---- for devices ----

  // Awaitable: the next request, or nullopt once the queue is stopped and everything delivered was handed out. Several
  // coroutines may wait at once; they are served in the order in which they asked.
  class next_operation;
  next_operation next();

  // What next() would give without waiting; nullopt if nothing is there.
  std::optional<request> try_next() { return take(); }

  // Awaitable: true once a request was delivered for which no next() waited, or wake() was called; false once the queue
  // is stopped. Takes nothing. What comes while nobody waits here is not told later: look at waiting(). One coroutine
  // at a time.
  class arrival_operation;
  arrival_operation arrival();

  // Resumes who waits in arrival(), for another coroutine of the device that has news for it.
  void wake();

  // Ends a request: the transfer, then the status byte, then the used entry. Returns at once.
  void answer(request&& r, const transfer& t, answer_status status = {});
  void complete(request&& r, answer_status status = {}) { answer(std::move(r), nothing(), status); }

  // For a device that cannot go on: the request is not answered, and what its driver is told of it is the transport's
  // business, as if the device's process had died.
  void leave(request&& r);

  // ---- for transports ----

  // Hands a request to the coroutine that has waited longest (it is resumed in here), or keeps it until one asks.
  void deliver(const fetched& what);

  // No request will be delivered any more; idempotent. Waiting coroutines get nullopt as soon as nothing is left.
  void stop();

  // The driver reset the queue: requests that no device has taken yet are its own again.
  void reset() {
    ready_count_ = 0;
    ++resets_;
  }

  // While nothing is delivered: the oldest request that no device has taken, to be handed back to the driver as it
  // came.
  std::optional<request_id> withdraw();

  bool stopped() const { return stopped_; }
  std::uint32_t resets() const { return resets_; }  // how often; what a device told the driver before is forgotten
  std::uint32_t in_flight() const { return in_flight_; }  // tokens that devices hold
  std::uint32_t waiting() const { return ready_count_; }  // delivered, not handed out yet

 private:
  friend class request::run_operation;

  std::optional<request> take();

  const std::uint16_t index_;
  const std::uint16_t size_;
  queue_port& port_;
  bool stopped_ = false;
  std::uint32_t resets_ = 0;
  std::uint32_t in_flight_ = 0;

  // A ring of delivered requests. While a coroutine waits it is empty.
  std::unique_ptr<fetched[]> ready_;
  std::uint32_t ready_first_ = 0;
  std::uint32_t ready_count_ = 0;

  // Waiting coroutines, oldest first, linked through their awaiters.
  next_operation* waiters_first_ = nullptr;
  next_operation* waiters_last_ = nullptr;

  arrival_operation* arrival_ = nullptr;  // in the frame of the coroutine that waits
};

// Lives in the frame of the waiting coroutine; linked into the queue while that is suspended.
class queue::next_operation {
 public:
  explicit next_operation(queue& from) : from_(from) {}
  next_operation(const next_operation&) = delete;
  next_operation& operator=(const next_operation&) = delete;

  bool await_ready() const noexcept { return from_.ready_count_ > 0 || from_.stopped_; }
  void await_suspend(std::coroutine_handle<> waiting) noexcept;
  std::optional<request> await_resume();

 private:
  friend class queue;

  queue& from_;
  next_operation* later_ = nullptr;
  std::coroutine_handle<> waiting_{};
  std::optional<request> given_;
};

class queue::arrival_operation {
 public:
  explicit arrival_operation(queue& from) : from_(from) {}
  arrival_operation(const arrival_operation&) = delete;
  arrival_operation& operator=(const arrival_operation&) = delete;

  bool await_ready() const noexcept { return from_.stopped_; }
  void await_suspend(std::coroutine_handle<> waiting) noexcept {
    assert(!from_.arrival_ && "one coroutine at a time waits for arrivals");
    waiting_ = waiting;
    from_.arrival_ = this;
  }
  bool await_resume() const noexcept { return !from_.stopped_; }

 private:
  friend class queue;

  queue& from_;
  std::coroutine_handle<> waiting_{};
};

inline queue::arrival_operation queue::arrival() {
  return arrival_operation(*this);
}

inline queue::next_operation queue::next() {
  return next_operation(*this);
}

}  // namespace vloop
