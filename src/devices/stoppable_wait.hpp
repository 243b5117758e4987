// SPDX-License-Identifier: MIT
// A wait that another coroutine of the same loop can end: for devices that listen to something besides their queue.
#pragma once

#include <cassert>
#include <cerrno>
#include <cstdint>

#include "runtime/loop.hpp"
#include "runtime/task.hpp"

namespace vloop {

class stoppable_wait {
 public:
  // Gives what the operation gives; -ECANCELED, without beginning it, once stop() was called. One at a time.
  task<std::int32_t> until(operation& what) {
    assert(!current_);
    if (stopped_) co_return -ECANCELED;
    current_ = &what;
    const std::int32_t result = co_await what;
    current_ = nullptr;
    co_return result;
  }

  task<void> stop(loop& io) {
    stopped_ = true;
    if (!current_) co_return;
    co_await io.cancel(*current_);
  }

  bool stopped() const { return stopped_; }
  void start() { stopped_ = false; }

 private:
  operation* current_ = nullptr;
  bool stopped_ = false;
};

}  // namespace vloop
