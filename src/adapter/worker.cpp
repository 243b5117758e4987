// SPDX-License-Identifier: MIT
#include "adapter/worker.hpp"

#include <pthread.h>

#include <string>
#include <utility>

namespace vloop::adapter {

worker::worker(unsigned number, const loop_options& options) {
  std::promise<loop*> there;
  auto made = there.get_future();
  thread_ = std::thread([this, number, &options, &there] { run(number, options, there); });
  try {
    loop_ = made.get();
  } catch (...) {
    thread_.join();
    throw;
  }
}

worker::~worker() {
  if (!thread_.joinable()) return;
  post([this] { stopping_.set(); });
  thread_.join();
}

void worker::run(unsigned number, const loop_options& options, std::promise<loop*>& there) {
  ::pthread_setname_np(::pthread_self(), ("vloop-" + std::to_string(number)).c_str());
  bool told = false;
  try {
    loop io(options);
    there.set_value(&io);
    told = true;
    io.run(until_stopped());
    counters_ = io.counters();
  } catch (...) {
    if (told)
      failure_ = std::current_exception();
    else
      there.set_exception(std::current_exception());
  }
}

task<void> worker::until_stopped() {
  co_await stopping_.wait();
  co_await tasks_.join();
}

void worker::spawn(std::function<task<void>(loop&)> make) {
  loop_->post([this, start = std::move(make)]() noexcept { tasks_.spawn(start(*loop_)); });
}

void worker::post(std::function<void()> work) {
  loop_->post([run_it = std::move(work)]() noexcept { run_it(); });
}

loop_counters worker::ask_counters() {
  std::promise<loop_counters> told;
  post([this, &told] { told.set_value(loop_->counters()); });
  return told.get_future().get();
}

void worker::stop() {
  if (!thread_.joinable()) return;
  post([this] { stopping_.set(); });
  thread_.join();
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace vloop::adapter
