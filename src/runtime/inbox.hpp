// SPDX-License-Identifier: MIT
// inbox: work handed to a loop by other threads. The only part of the runtime that is used by more than one thread.
#pragma once

#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace vloop {

/// One piece of work. Must not throw.
class job {
 public:
  job() noexcept = default;
  job(const job&) = delete;
  job& operator=(const job&) = delete;
  virtual ~job() = default;
  virtual void run() noexcept = 0;

 private:
  friend class inbox;
  std::unique_ptr<job> next_;
};

template <class Function>
std::unique_ptr<job> make_job(Function&& work) {
  class held final : public job {
   public:
    explicit held(Function&& f) : work_(std::forward<Function>(f)) {}
    void run() noexcept override { work_(); }

   private:
    std::decay_t<Function> work_;
  };
  return std::make_unique<held>(std::forward<Function>(work));
}

class inbox {
 public:
  inbox() noexcept = default;
  inbox(const inbox&) = delete;
  inbox& operator=(const inbox&) = delete;
  ~inbox();

  /// Any thread. True: it was empty, so its owner must be woken.
  bool put(std::unique_ptr<job> work) {
    return put(std::move(work), [] {});
  }

  /// The same, and calls `wake` if it was empty, before the owner can take the job: with that it may end, and what
  /// wakes it with it.
  template <class Wake>
  bool put(std::unique_ptr<job> work, Wake&& wake) {
    const std::lock_guard lock(mutex_);
    const bool was_empty = add(std::move(work));
    if (was_empty) wake();
    return was_empty;
  }

  /// The owner's thread: runs, in the order in which they came, the jobs that were there when it was called. How many.
  std::size_t run_all() noexcept;

 private:
  bool add(std::unique_ptr<job> work) noexcept;  // with mutex_
  std::unique_ptr<job> take() noexcept;

  std::mutex mutex_;
  std::unique_ptr<job> first_;  // guarded by mutex_
  job* last_ = nullptr;         // guarded by mutex_
};

}  // namespace vloop
