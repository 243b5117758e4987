// SPDX-License-Identifier: MIT
// What a device may ask a transport to do with one request: the same verbs on every transport, so that no device ever
// asks which transport it runs on. The kernel transport turns a transfer into one operation of the module, the
// shared-memory transport into one readv or writev over the request's own buffers.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vloop {

enum class verb : std::uint8_t {
  none,               // nothing moves
  file_to_request,    // read(file) into the writable part
  request_to_file,    // write(file) from the readable part
  copy_to_request,    // memcpy into the writable part
  copy_from_request,  // memcpy out of the readable part
  sync,               // fdatasync(file)
};

// One transfer between a request and a file, or between a request and the device's memory. All units are bytes.
struct transfer {
  verb what = verb::none;
  bool dsync = false;        // request_to_file: on stable storage before it counts as done (RWF_DSYNC)
  std::uint32_t file = 0;    // index into device_description::files
  std::uint64_t offset = 0;  // position in that file
  std::uint32_t skip = 0;    // leave out this much of the readable or writable part before the first byte moved
  std::uint32_t length =
      0;                   // how much to move; moving less (end of file) counts as a failure when a request is answered
  void* memory = nullptr;  // copy_*: the device's memory; stays the device's
};

inline transfer nothing() {
  return {};
}

inline transfer move_from(std::uint32_t file, std::uint64_t offset, std::uint32_t length, std::uint32_t skip = 0) {
  return {.what = verb::file_to_request, .file = file, .offset = offset, .skip = skip, .length = length};
}

inline transfer move_to(std::uint32_t file, std::uint64_t offset, std::uint32_t length, std::uint32_t skip = 0) {
  return {.what = verb::request_to_file, .file = file, .offset = offset, .skip = skip, .length = length};
}

// The bytes are taken before queue::answer() returns, or before request::run() is done: no longer.
inline transfer copy_in(std::span<const std::byte> from, std::uint32_t skip = 0) {
  return {.what = verb::copy_to_request,
          .skip = skip,
          .length = static_cast<std::uint32_t>(from.size()),
          .memory = const_cast<std::byte*>(from.data())};  // only ever read through this verb
}

inline transfer copy_out(std::span<std::byte> to, std::uint32_t skip = 0) {
  return {.what = verb::copy_from_request,
          .skip = skip,
          .length = static_cast<std::uint32_t>(to.size()),
          .memory = to.data()};
}

inline transfer sync(std::uint32_t file) {
  return {.what = verb::sync, .file = file};
}

constexpr bool into_request(verb what) {
  return what == verb::file_to_request || what == verb::copy_to_request;
}

// True when the result of a transfer (bytes or -errno) means that all of it happened.
inline bool succeeded(const transfer& t, std::int32_t result) {
  const bool moves = t.what != verb::none && t.what != verb::sync;
  return result >= 0 && (!moves || static_cast<std::uint32_t>(result) == t.length);
}

// The status byte of request types that have one (blk, scsi ...): the last writable byte of the request. The gap
// between what was moved and that byte is zero-filled, so that the used length can cover the status byte and still
// never claim a byte that was not written (virtio 1.3, 2.7.8.2).
struct answer_status {
  bool present = false;
  std::uint8_t ok = 0;     // written when the transfer succeeded
  std::uint8_t error = 0;  // written when it failed
};

// Where a transport reports the result of queue_port::run(). Lives in the frame of the coroutine that waits; the port
// holds a reference to it from run() until it calls done(), exactly once, on the queue's thread.
class transfer_waiter {
 public:
  transfer_waiter() = default;
  transfer_waiter(const transfer_waiter&) = delete;
  transfer_waiter& operator=(const transfer_waiter&) = delete;

  // Bytes moved, or -errno. May be called from inside run() itself; then the coroutine never suspends.
  void done(std::int32_t result) {
    result_ = result;
    finished_ = true;
    if (waiting_) waiting_.resume();
  }

 protected:
  ~transfer_waiter() = default;

  std::int32_t result_ = 0;
  bool finished_ = false;
  std::coroutine_handle<> waiting_{};  // null until run() has returned: done() must not resume into a running frame
};

}  // namespace vloop
