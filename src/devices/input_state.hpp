// SPDX-License-Identifier: MIT
// What an input device's events add up to: which keys are down, where the switches, axes and fingers are. Movement and
// scan codes leave no trace.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "devices/input_capabilities.hpp"
#include "devices/input_report.hpp"

namespace vloop {

class input_state {
 public:
  // Nothing is pressed or touched. The capabilities outlive the state; what is not in them is not followed.
  explicit input_state(const input_capabilities& of);

  void apply(const report_entry& entry);
  void release_keys() { keys_.reset(); }

  bool key(std::uint16_t code) const { return code < KEY_CNT && keys_[code]; }

  // A state that differs from `other` in everything: what approaches it from there says all of it.
  static input_state unlike(const input_state& other);

  // Writes a report of what must change to get from here to `target`, as much of it as one may hold, and goes there.
  // False: there is nothing to change, and the report is empty.
  bool approach(const input_state& target, input_report& out);

  // Entries of such a report at most: what a driver with few buffers can still take in one piece.
  static constexpr std::size_t approach_entries_max = 32;

 private:
  static constexpr std::uint16_t finger_first = ABS_MT_TOUCH_MAJOR;
  static constexpr std::size_t finger_codes = ABS_MT_TOOL_Y - ABS_MT_TOUCH_MAJOR + 1;
  static constexpr std::int32_t no_finger = -1;  // as ABS_MT_TRACKING_ID has it
  using finger = std::array<std::int32_t, finger_codes>;

  class writer;
  static bool of_finger(std::uint16_t axis) { return axis >= finger_first && axis < finger_first + finger_codes; }
  void approach_keys(const input_state& target, writer& out);
  void approach_axes(const input_state& target, writer& out);
  void approach_fingers(const input_state& target, writer& out);
  bool approach_finger(std::int32_t slot, const finger& target, writer& out);

  const input_capabilities* of_;
  code_set keys_;
  code_set switches_;
  std::array<std::int32_t, ABS_CNT> axes_{};
  std::int32_t slot_ = 0;  // that finger events are about; may be out of range, then they are about none
  std::vector<finger> fingers_;
};

}  // namespace vloop
