// SPDX-License-Identifier: MIT
// A source of input events that does what the test says, when it says so.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "devices/input_source.hpp"
#include "devices/stoppable_wait.hpp"
#include "runtime/setup_error.hpp"

namespace vloop::test {

// Shared with the device, which owns the source: the test's thread speaks, the device's worker listens.
class input_script {
 public:
  using report = std::vector<report_entry>;

  input_script() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  input_script(const input_script&) = delete;
  input_script& operator=(const input_script&) = delete;
  ~input_script() { ::close(event_); }

  void tell(report entries) {
    entries.push_back({});
    put({.what = next_input::report, .entries = std::move(entries)});
  }
  // Events were lost, and led to this state.
  void lose(report led_to) { put({.what = next_input::lost, .entries = std::move(led_to)}); }
  void end() { put({.what = next_input::ended}); }
  void fail(int error) { put({.error = error}); }

  // Everything said so far has been taken by the device.
  bool taken() const {
    const std::lock_guard lock(mutex_);
    return steps_.empty();
  }
  std::vector<report_entry> lights() const {
    const std::lock_guard lock(mutex_);
    return lights_;
  }

 private:
  friend class scripted_source;
  struct step {
    next_input what = next_input::ended;
    report entries{};
    int error = 0;
  };

  void put(step s) {
    const std::lock_guard lock(mutex_);
    steps_.push_back(std::move(s));
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_, &one, sizeof one);
  }
  std::optional<step> take() {
    const std::lock_guard lock(mutex_);
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(event_, &count, sizeof count);
    if (steps_.empty()) return std::nullopt;
    step first = std::move(steps_.front());
    steps_.pop_front();
    return first;
  }

  mutable std::mutex mutex_;
  std::deque<step> steps_;
  std::vector<report_entry> lights_;
  int event_;
};

class scripted_source final : public input_source {
 public:
  scripted_source(input_script& script, input_capabilities capabilities, bool can_wait)
      : script_(script), capabilities_(std::move(capabilities)), can_wait_(can_wait) {}

  const input_capabilities& capabilities() const override { return capabilities_; }
  const std::string& label() const override { return label_; }
  bool can_wait() const override { return can_wait_; }
  void start(input_state&) override { wait_.start(); }

  task<next_input> next(loop& io, input_report& out) override {
    for (;;) {
      if (wait_.stopped()) co_return next_input::ended;
      if (const auto step = script_.take()) {
        if (step->error != 0) throw setup_error(step->error, "the scripted source failed");
        out.clear();
        for (const report_entry& entry : step->entries) out.add(entry);
        led_to_ = step->entries;
        co_return step->what;
      }
      operation readable = io.poll_add(script_.event_, POLLIN);
      co_await wait_.until(readable);
    }
  }
  task<void> stop(loop& io) override { co_await wait_.stop(io); }
  void state(input_state& now) override {
    for (const report_entry& entry : led_to_) now.apply(entry);
  }
  void light(const report_entry& entry) override {
    const std::lock_guard lock(script_.mutex_);
    script_.lights_.push_back(entry);
  }

 private:
  input_script& script_;
  input_capabilities capabilities_;
  std::string label_ = "script";
  bool can_wait_;
  stoppable_wait wait_;
  input_script::report led_to_;
};

}  // namespace vloop::test
