// SPDX-License-Identifier: MIT
// A fake daemon's disk behind our front end, behind a driver: what a test of the relay needs. The end of the service is
// caught, so that a test can ask for it.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/setup_error.hpp"
#include "support/fake_daemon.hpp"
#include "support/rig.hpp"
#include "vhost_user/external_device.hpp"

namespace vloop::test {

using namespace std::chrono_literals;

constexpr auto long_wait = 20s;  // for what must happen

// Serves as the device within does, and stays when that ends with an error.
class watched_device final : public device {
 public:
  explicit watched_device(device& within) : within_(within) {}
  const device_description& describe() const override { return within_.describe(); }
  void start(std::uint64_t features) override { within_.start(features); }
  task<void> serve(queue& requests, loop& io) override {
    std::string why;
    try {
      co_await within_.serve(requests, io);
    } catch (const std::exception& error) {
      why = error.what();
    }
    if (why.empty()) co_return;
    ended_.set_value(why);
    bool more = true;
    while (more) {
      const bool still = co_await requests.arrival();
      more = still;
    }
  }

  // The line that the service of one queue ended with.
  std::string failure() {
    REQUIRE(told_.wait_for(long_wait) == std::future_status::ready);
    return told_.get();
  }
  bool failed() { return told_.wait_for(0s) == std::future_status::ready; }

 private:
  device& within_;
  std::promise<std::string> ended_;
  std::future<std::string> told_ = ended_.get_future();
};

struct served {
  explicit served(fake_daemon::script how = {}, vhost_user::options wanted = {}, rig_options rig_of = {})
      : daemon(std::move(how)) {
    wanted.path = daemon.path();
    if (!wanted.queue_size) wanted.queue_size = 16;
    external = std::make_unique<vhost_user::external_device>(wanted);
    external->tell_config([this](std::vector<std::byte> bytes) {
      const std::lock_guard held(told_lock_);
      told_.push_back(std::move(bytes));
    });
    watched = std::make_unique<watched_device>(*external);
    rig_of.request_bytes_max = std::max(rig_of.request_bytes_max, 1U << 17);
    rig = transports().front().make(*watched, rig_of);
  }
  blk_driver disk(std::size_t queue = 0) { return blk_driver(rig->queue(queue)); }

  // The configurations that the driver is told of beyond the first.
  std::vector<std::vector<std::byte>> told() {
    const std::lock_guard held(told_lock_);
    return told_;
  }
  bool told_within(std::chrono::milliseconds limit, std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (told().size() < count && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(1ms);
    return told().size() >= count;
  }

 private:
  std::mutex told_lock_;
  std::vector<std::vector<std::byte>> told_;

 public:  // ends in the reverse order
  fake_daemon daemon;
  std::unique_ptr<vhost_user::external_device> external;
  std::unique_ptr<watched_device> watched;
  std::unique_ptr<test::rig> rig;
};

inline bool is_one_line(const std::string& text) {
  return !text.empty() && text.find('\n') == std::string::npos;
}

}  // namespace vloop::test
