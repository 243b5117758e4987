// SPDX-License-Identifier: MIT
// The driver of an input device: keeps buffers on the event queue and takes reports out of them.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <set>
#include <span>
#include <stdexcept>
#include <vector>

#include "devices/input_report.hpp"
#include "support/driver.hpp"

namespace vloop::test {

class input_driver {
 public:
  using report = std::vector<report_entry>;
  static constexpr std::size_t entries_max = 1000;  // of one report: more means that it does not end

  // Offers that many buffers, and offers each again once it was filled.
  explicit input_driver(driver& d, std::size_t buffers = 0) : driver_(d) { offer(buffers); }

  void offer(std::size_t buffers) {
    for (std::size_t i = 0; i < buffers; ++i) offered_.push_back(driver_.offer({}, sizeof(report_entry), {}));
    driver_.publish();
  }

  // The next event, in the order of the buffers.
  report_entry next_entry() {
    const driver::answer a = driver_.finish(offered_.front());
    offered_.pop_front();
    if (a.written != sizeof(report_entry)) throw std::runtime_error("a buffer came back that holds no event");
    report_entry entry;
    std::memcpy(&entry, a.writable.data(), sizeof entry);
    if (entry.type == EV_KEY && entry.value == 0) down_.erase(entry.code);
    if (entry.type == EV_KEY && entry.value == 1) down_.insert(entry.code);
    if (refill_) offer(1);
    return entry;
  }

  // The next report, without its SYN_REPORT.
  report next_report() {
    report r;
    while (r.size() < entries_max) {
      const report_entry entry = next_entry();
      if (entry.ends_report()) return r;
      r.push_back(entry);
    }
    throw std::runtime_error("a report does not end");
  }

  // Reports up to and including this one; how many.
  std::size_t until(const report& last) {
    for (std::size_t n = 1; n < 100'000; ++n)
      if (next_report() == last) return n;
    throw std::runtime_error("the report that was waited for did not come");
  }

  bool anything() { return driver_.finished(offered_.front()); }
  void keep_buffers() { refill_ = false; }
  void refill() { refill_ = true; }
  const std::set<std::uint16_t>& down() const { return down_; }
  std::size_t offered() const { return offered_.size(); }

  // After the device was reset: nothing is offered, nothing is pressed.
  void forget() {
    offered_.clear();
    down_.clear();
  }

 private:
  driver& driver_;
  std::deque<driver::ticket> offered_;
  std::set<std::uint16_t> down_;
  bool refill_ = true;
};

inline report_entry key(std::uint16_t code, std::int32_t value) {
  return {.type = EV_KEY, .code = code, .value = value};
}
inline report_entry moved(std::uint16_t code, std::int32_t value) {
  return {.type = EV_REL, .code = code, .value = value};
}
inline report_entry axis(std::uint16_t code, std::int32_t value) {
  return {.type = EV_ABS, .code = code, .value = value};
}

}  // namespace vloop::test
