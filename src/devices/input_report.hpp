// SPDX-License-Identifier: MIT
// What an input device tells: entries, in reports. A report is one update of the device (a key, or both axes of a mouse
// and the button); SYN_REPORT ends it, and nothing of it counts before that.
#pragma once

#include <linux/input.h>
#include <linux/virtio_input.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vloop {

// Laid out as virtio_input_event (virtio 1.3, 5.8.6), little endian, but with a signed value.
struct report_entry {
  std::uint16_t type = EV_SYN;
  std::uint16_t code = SYN_REPORT;
  std::int32_t value = 0;

  bool ends_report() const { return type == EV_SYN && code == SYN_REPORT; }
  bool operator==(const report_entry&) const = default;
};
static_assert(sizeof(report_entry) == sizeof(virtio_input_event));

class input_report {
 public:
  // More than any device has to say at once: ten fingers with all their properties take 150.
  static constexpr std::size_t entries_max = 256;

  // False: there is no room for it.
  bool add(const report_entry& entry) {
    if (size_ == entries_max) return false;
    entries_[size_++] = entry;
    return true;
  }
  void clear() { size_ = 0; }

  std::size_t size() const { return size_; }
  bool whole() const { return size_ > 0 && entries_[size_ - 1].ends_report(); }
  std::span<const report_entry> entries() const { return std::span(entries_).first(size_); }

 private:
  std::array<report_entry, entries_max> entries_;
  std::size_t size_ = 0;
};

}  // namespace vloop
