// SPDX-License-Identifier: MIT
#include "runtime/task_group.hpp"

namespace vloop {

void task_group::spawn(task<void> work) {
  const task<void>::handle frame = work.release();
  assert(frame && "an empty task is spawned");
  ++running_;
  if (frame.promise().start(frame, &finished, this)) retire(frame);
}

void task_group::finished(void* group, std::coroutine_handle<> frame) noexcept {
  static_cast<task_group*>(group)->retire(task<void>::handle::from_address(frame.address()));
}

void task_group::retire(task<void>::handle frame) noexcept {
  if (auto error = frame.promise().take_error(); error && !error_) error_ = std::move(error);
  frame.destroy();
  --running_;
  // The joiner may destroy the group: nothing is touched afterwards.
  if (running_ == 0 && waiter_) std::exchange(waiter_, {}).resume();
}

}  // namespace vloop
