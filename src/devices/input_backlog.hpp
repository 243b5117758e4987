// SPDX-License-Identifier: MIT
// Reports on their way to the driver, in order, in a ring that never grows. A report is in it whole or not at all.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "devices/input_report.hpp"

namespace vloop {

class input_backlog {
 public:
  // Entries: all that a keyboard with every key has to say at once, or a third of a second of a fast mouse.
  static constexpr std::size_t capacity = 1024;

  bool empty() const { return size_ == 0; }
  std::size_t room() const { return capacity - size_; }
  std::size_t reports() const { return reports_; }  // of which the first may have been told in part

  // Takes all of the report, which ends in SYN_REPORT, or nothing.
  bool push(std::span<const report_entry> report) {
    if (report.size() > room()) return false;
    for (const report_entry& entry : report) ring_[(first_ + size_++) % capacity] = entry;
    ++reports_;
    return true;
  }

  const report_entry& front() const { return ring_[first_]; }
  void pop() {
    if (front().ends_report()) --reports_;
    first_ = (first_ + 1) % capacity;
    --size_;
  }

  // Entries up to the end of the first report.
  std::size_t front_size() const {
    std::size_t n = 0;
    while (n < size_ && !ring_[(first_ + n) % capacity].ends_report()) ++n;
    return n < size_ ? n + 1 : n;
  }

  void clear() { size_ = reports_ = 0; }

 private:
  std::array<report_entry, capacity> ring_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  std::size_t reports_ = 0;
};

}  // namespace vloop
