// SPDX-License-Identifier: MIT
// A request taken from a queue: a move-only token that is answered exactly once.
//
//   driver makes it available -> port delivers it -> next() hands it out -> run()* -> answer() or complete() -> used
//
// Dropping the token unanswered would leave the driver waiting for ever; it is a bug and asserts. The token stays valid
// over a reset of the queue: its answer is then ignored by the port, which knows the request by its sequence number.
#pragma once

#include <array>
#include <cassert>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "vring/transfer.hpp"

namespace vloop {

class queue;

// How a port knows a request: the head alone is not enough, since a head is used again after a reset of the queue.
struct request_id {
  std::uint16_t head = 0;
  std::uint32_t seq = 0;
};

// What a port knows when it delivers a request. The first bytes of the readable part are copied once, here: whatever
// the driver does to its memory later, the device has checked and uses the same bytes.
struct fetched {
  static constexpr std::size_t inline_capacity = 40;

  request_id id;
  std::uint32_t readable = 0;    // bytes in the device-readable part, all of it
  std::uint32_t writable = 0;    // bytes in the device-writable part, all of it
  std::uint8_t inline_size = 0;  // how many of inline_bytes are filled: min(readable, what the transport copies)
  std::array<std::byte, inline_capacity> inline_bytes;
};

class request {
 public:
  request(request&& other) noexcept : from_(std::exchange(other.from_, nullptr)), what_(other.what_) {}
  request& operator=(request&& other) noexcept {
    if (this == &other) return *this;
    assert(!from_ && "a request was overwritten before it was answered");
    from_ = std::exchange(other.from_, nullptr);
    what_ = other.what_;
    return *this;
  }
  ~request() { assert(!from_ && "a request was dropped unanswered"); }

  // Sizes in bytes of the two parts of the request. A part's status byte, if the device type has one, is counted.
  std::uint32_t readable() const { return what_.readable; }
  std::uint32_t writable() const { return what_.writable; }
  request_id id() const { return what_.id; }

  // The first bytes of the readable part as a T; nullopt if there are not that many.
  template <class T>
  std::optional<T> header() const {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= fetched::inline_capacity);
    if (what_.inline_size < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, what_.inline_bytes.data(), sizeof(T));
    return value;
  }

  // All of the first bytes that came with the request: of its readable part, or less. They go with the token.
  std::span<const std::byte> front() const { return std::span(what_.inline_bytes).first(what_.inline_size); }

  // Awaitable: moves bytes without answering the request. Gives the bytes moved, or -errno.
  class run_operation;
  run_operation run(const transfer& t);

 private:
  friend class queue;
  request(queue& from, const fetched& what) : from_(&from), what_(what) {}

  queue* from_;  // null once answered or moved from
  fetched what_;
};

// The request and the coroutine that waits stay where they are until the transfer is done.
class request::run_operation : public transfer_waiter {
 public:
  run_operation(request& r, const transfer& t) : request_(r), transfer_(t) {}
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiting);
  std::int32_t await_resume() const noexcept { return result_; }

 private:
  request& request_;
  transfer transfer_;
};

inline request::run_operation request::run(const transfer& t) {
  return run_operation(*this, t);
}

}  // namespace vloop
