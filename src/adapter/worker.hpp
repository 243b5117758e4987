// SPDX-License-Identifier: MIT
// A thread with a loop of its own, on which queues are served.
//
// Made, posted to and stopped by the main thread; everything posted runs on the worker's thread.
#pragma once

#include "runtime/event.hpp"
#include "runtime/loop.hpp"
#include "runtime/task_group.hpp"

#include <exception>
#include <functional>
#include <future>
#include <string>
#include <thread>

namespace vloop::adapter {

class worker {
 public:
  // Returns when the loop runs; throws what making it threw.
  worker(unsigned number, const loop_options& options);
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  // Runs `make(loop)` on the worker's thread and the task it returns until its end. What the task throws, stop()
  // rethrows. `make` must not throw.
  void spawn(std::function<task<void>(loop&)> make);

  // Runs `work` on the worker's thread. It must not throw.
  void post(std::function<void()> work);

  // Waits for all tasks to end, then for the thread. Call it once the tasks have a reason to end.
  void stop();

  // What the loop says of itself, for the log; before stop().
  std::string description() const { return loop_->description(); }

  // The loop's counters of now, from its thread's next turn; before stop().
  loop_counters ask_counters();

  // The loop's counters; after stop().
  const loop_counters& counters() const { return counters_; }

 private:
  void run(unsigned number, const loop_options& options, std::promise<loop*>& there);
  task<void> until_stopped();

  // Of the worker's thread while it runs.
  loop* loop_ = nullptr;
  event stopping_;
  task_group tasks_;
  loop_counters counters_;
  std::exception_ptr failure_;

  std::thread thread_;  // last: everything above exists before it runs
};

}  // namespace vloop::adapter
