// SPDX-License-Identifier: MIT
//
// vloop for embedding, the driver's side: devices in this process, and drivers for them. No kernel module, no virtual
// machine, no privileges: the devices are those of `vloop run`, each on a thread of its own, the rings lie in a memfd.
//
//   vloop::driver_task<> copy_first_block(vloop::disk_driver& disk) {
//     std::vector<std::byte> block(4096);
//     const auto got = co_await disk.read(0, block);            // bytes, or -errno
//     if (got > 0) co_await disk.write(4096, block);
//   }
//
//   vloop::driver_loop io;
//   vloop::disk_driver disk(io, {.path = "disk.img"});
//   io.run(copy_first_block(disk));
//
// Threads: a driver_loop, the drivers made with it, their requests and all coroutines that wait for these belong to one
// thread, the one that made the loop. Lifetime: the loop outlives its drivers. Errors: making a driver throws, a
// request gives -errno. C++20 or later. This header needs nothing but the standard library.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "vloop/vloop.hpp"

namespace vloop {

namespace detail {
class driver_core;
struct driver_loop_state;
}  // namespace detail

/// A coroutine that waits for drivers. It starts when it is given to driver_loop::run() or awaited by another one,
/// once. Its object owns it: destroying one that waits ends the wait, and the request goes on without it.
template <class T = void>
class driver_task;

/// One request that was submitted to a device: it is under way from the call that gave it, whether or not anybody
/// waits.
///
///   submitted --> done: result() has bytes, or -errno
///
/// Await it, wait() for it, or ask done() after driver_loop::poll(). It may be moved while nobody waits for it, and
/// dropped at any time: what it would have read is dropped too. A driver that is destroyed finishes what its device can
/// finish at once and gives -ECANCELED to the rest, so no request is left undone.
class [[nodiscard]] driver_request {
 public:
  driver_request(driver_request&& other) noexcept;
  driver_request& operator=(driver_request&& other) noexcept;
  ~driver_request();

  bool done() const noexcept { return core_ == nullptr; }

  /// Bytes read or written, 0 for what moves none; -errno: -EIO (the device failed it), -EOPNOTSUPP (it does not know
  /// such requests), -EINVAL, -EMSGSIZE, -EROFS (it was not submitted, see there), -EAGAIN (not submitted: too much is
  /// under way, wait for some of it), -ECANCELED (its driver is gone), -ENODEV (its device failed for good). Once done.
  std::int32_t result() const noexcept { return result_; }

  /// Blocks this thread until it is done, and gives its result. Other coroutines of the loop go on meanwhile. Not from
  /// within a coroutine: await there.
  std::int32_t wait();

  /// Awaitable, by one coroutine at a time, of any type; gives result(). Resumed within driver_loop::run(), poll(),
  /// wait(), or the destructor of the driver.
  class awaiter;
  awaiter operator co_await() noexcept;

 private:
  friend class detail::driver_core;
  friend struct detail::driver_loop_state;
  friend class disk_driver;
  friend class entropy_driver;
  explicit driver_request(std::int32_t result) noexcept : result_(result) {}  // not submitted
  driver_request(detail::driver_core& core, std::size_t queue, std::uint16_t slot) noexcept;
  void stop_waiting() noexcept;
  void let_go() noexcept;
  void take_over(driver_request& other) noexcept;

  detail::driver_core* core_ = nullptr;         // null: done
  detail::driver_loop_state* ready_ = nullptr;  // done, and about to be resumed by it
  std::size_t queue_ = 0;
  std::uint16_t slot_ = 0;
  std::int32_t result_ = 0;
  std::coroutine_handle<> waiting_;
};

// Lives in the frame that waits: when that is destroyed, nobody is resumed.
class driver_request::awaiter {
 public:
  explicit awaiter(driver_request& request) noexcept : request_(request) {}
  awaiter(const awaiter&) = delete;
  awaiter& operator=(const awaiter&) = delete;
  ~awaiter() {
    if (waits_) request_.stop_waiting();
  }
  bool await_ready() const noexcept { return request_.done(); }
  void await_suspend(std::coroutine_handle<> waiting) noexcept {
    waits_ = true;
    request_.waiting_ = waiting;
  }
  std::int32_t await_resume() noexcept {
    waits_ = false;
    return request_.result_;
  }

 private:
  driver_request& request_;
  bool waits_ = false;
};

inline driver_request::awaiter driver_request::operator co_await() noexcept {
  return awaiter(*this);
}

/// Hears of all requests that ended, for any number of drivers, and resumes who waits for them.
class driver_loop {
 public:
  /// Throws std::system_error where the process has no descriptor left.
  driver_loop();
  ~driver_loop();
  driver_loop(const driver_loop&) = delete;
  driver_loop& operator=(const driver_loop&) = delete;

  /// Runs the coroutine to its end, and gives or throws what it gave or threw. Blocks; not from within a coroutine.
  template <class T>
  T run(driver_task<T> work);

  /// Resumes who waits for what has ended; does not block. How many requests had ended.
  std::size_t poll();

  /// The same, but blocks until at least one has ended or the time is over.
  std::size_t wait(std::chrono::milliseconds limit);
  std::size_t wait();

  /// Readable when poll() has something to do: for an event loop of your own. Stays the loop's.
  int descriptor() const noexcept;

 private:
  friend class disk_driver;
  friend class entropy_driver;
  friend class input_driver;
  std::unique_ptr<detail::driver_loop_state> state_;
};

/// A disk in this process, backed by a file.
class disk_driver {
 public:
  static constexpr std::size_t request_bytes_max = 1 << 20;
  static constexpr std::size_t sector_bytes = 512;

  /// As server::add() and run() throw: std::invalid_argument for a value out of its range (`queues` must be 1), and
  /// std::system_error where the file cannot be served; what() is a line for the user.
  disk_driver(driver_loop& io, const disk& what);
  /// Waits for what is under way in the backing file; nothing is begun any more.
  ~disk_driver();
  disk_driver(const disk_driver&) = delete;
  disk_driver& operator=(const disk_driver&) = delete;

  std::uint64_t bytes() const noexcept;       ///< its capacity
  std::uint32_t block_size() const noexcept;  ///< what it likes reads and writes to be a multiple of
  bool read_only() const noexcept;

  /// Offset and size in bytes, multiples of 512, inside the disk, the size neither 0 (-EINVAL) nor above
  /// request_bytes_max (-EMSGSIZE). The data goes through memory of the driver's: `from` is copied before write()
  /// returns, `into` is filled when the request is done, and must live until then or until the request is dropped.
  driver_request read(std::uint64_t offset, std::span<std::byte> into);
  /// Besides: -EROFS on a disk that is read-only. Requests that overlap and are under way together have no order.
  driver_request write(std::uint64_t offset, std::span<const std::byte> from);
  /// What was done before it was submitted is on stable storage when it is done with 0.
  driver_request flush();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// A source of random bytes in this process.
class entropy_driver {
 public:
  static constexpr std::size_t request_bytes_max = 4096;

  /// Throws as disk_driver does.
  explicit entropy_driver(driver_loop& io, const entropy& what = {});
  /// Does not wait for a source that gives nothing.
  ~entropy_driver();
  entropy_driver(const entropy_driver&) = delete;
  entropy_driver& operator=(const entropy_driver&) = delete;

  /// Gives how many bytes it filled: at least one, at most request_bytes_max, perhaps less than there is room for.
  /// -EINVAL if there is none. `into` must live until the request is done or dropped. It waits for as long as the
  /// source has nothing.
  driver_request read(std::span<std::byte> into);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// One entry of a report, as Linux numbers them (linux/input-event-codes.h). An entry with type 0 and code 0 ends the
/// report; nothing of it counts before that.
struct input_event {
  std::uint16_t type = 0;
  std::uint16_t code = 0;
  std::int32_t value = 0;
};

/// An input device in this process.
class input_driver {
 public:
  /// `source` as after `--device input=`: "synthetic:mouse,rate=1000", "events:FILE", "/dev/input/event3". Throws
  /// std::invalid_argument where the text is not one, std::system_error where the source cannot be used.
  input_driver(driver_loop& io, std::string_view source);
  /// Does not wait for a source that is silent.
  ~input_driver();
  input_driver(const input_driver&) = delete;
  input_driver& operator=(const input_driver&) = delete;

  /// The next event, in order. Nothing: the device has failed, or the driver is gone. One next() at a time. What is not
  /// asked for waits in the ring; when that is full the device drops whole reports, and sees to it that no key is
  /// stuck.
  driver_task<std::optional<input_event>> next();

  /// Tells the device of a light or a sound (types EV_LED and EV_SND). Done with 0 when it has taken notice.
  driver_request send(const input_event& what);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

// ---- how a driver_task works ----

namespace detail {

class driver_promise_base {
 public:
  struct final_awaiter {
    final_awaiter() noexcept {}
    bool await_ready() const noexcept { return false; }
    // No symmetric transfer: a task that ends while it is being started is gone on from by who started it.
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      driver_promise_base& p = self.promise();
      if (p.waiting_ && !p.starting_) p.waiting_.resume();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  final_awaiter final_suspend() const noexcept { return final_awaiter(); }
  void unhandled_exception() noexcept { error_ = std::current_exception(); }

  /// Runs it to its first suspension. True: it has ended.
  bool start(std::coroutine_handle<> self, std::coroutine_handle<> waiting) {
    waiting_ = waiting;
    starting_ = true;
    self.resume();
    starting_ = false;
    return self.done();
  }

 protected:
  void rethrow() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  std::coroutine_handle<> waiting_;
  bool starting_ = false;
  std::exception_ptr error_;
};

template <class T>
class driver_promise final : public driver_promise_base {
 public:
  driver_task<T> get_return_object() noexcept;
  template <class U>
  requires std::is_constructible_v<T, U&&>
  void return_value(U&& value) { value_.emplace(std::forward<U>(value)); }
  T take() {
    rethrow();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class driver_promise<void> final : public driver_promise_base {
 public:
  driver_task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() { rethrow(); }
};

}  // namespace detail

template <class T>
class [[nodiscard]] driver_task {
 public:
  using promise_type = detail::driver_promise<T>;
  using handle = std::coroutine_handle<promise_type>;

  explicit driver_task(handle frame) noexcept : frame_(frame) {}
  driver_task(driver_task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  driver_task& operator=(driver_task&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~driver_task() {
    if (frame_) frame_.destroy();
  }

  class awaiter {
   public:
    explicit awaiter(handle child) noexcept : child_(child) {}
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> parent) { return !child_.promise().start(child_, parent); }
    T await_resume() { return child_.promise().take(); }

   private:
    handle child_;
  };
  awaiter operator co_await() const noexcept { return awaiter(frame_); }

 private:
  friend class driver_loop;
  handle frame_;
};

template <class T>
driver_task<T> detail::driver_promise<T>::get_return_object() noexcept {
  return driver_task<T>(std::coroutine_handle<driver_promise>::from_promise(*this));
}

inline driver_task<void> detail::driver_promise<void>::get_return_object() noexcept {
  return driver_task<void>(std::coroutine_handle<driver_promise>::from_promise(*this));
}

template <class T>
T driver_loop::run(driver_task<T> work) {
  auto& promise = work.frame_.promise();
  promise.start(work.frame_, {});
  while (!work.frame_.done()) wait();
  return promise.take();
}

}  // namespace vloop
