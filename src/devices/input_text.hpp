// SPDX-License-Identifier: MIT
// Events as text, line by line: the form that evemu-record writes. docs/input.md describes it.
//
//   N: A mouse                          a head, which says what the device is
//   B: 02 03 00 00 00 00 00 00 00
//   E: 0.000000 0002 0000 0001          an event: seconds, type, code, value
//   E: 0.000000 0000 0000 0000          SYN_REPORT, which ends a report
#pragma once

#include <array>
#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "devices/input_capabilities.hpp"
#include "devices/input_report.hpp"

namespace vloop {

struct text_event {
  std::chrono::microseconds at{};
  report_entry entry{};
};

// The message begins with the line's number: "line 7: ...".
class input_text_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class input_text {
 public:
  // Longer lines are refused, comments as well.
  static constexpr std::size_t line_bytes_max = 1024;

  // Takes the next line, without its line break; gives the event if it is one. Throws input_text_error.
  std::optional<text_event> take(std::string_view line);

  // No line is left: throws if that is in the middle of a report.
  void end() const;

  // What the head says so far, or the events if it says nothing of codes.
  const input_capabilities& capabilities() const { return capabilities_; }
  // The head told which codes there are: events with others are refused.
  bool declared() const { return declared_; }

  // The last line said nothing at all, not even a comment: in a pipe that ends the head.
  bool at_blank_line() const { return blank_; }
  // Throws unless the head says everything about what it declares.
  void check_head() const;

 private:
  void take_head(char what, std::string_view rest);
  text_event take_event(std::string_view rest);
  void take_properties(std::string_view rest);
  void take_bits(std::string_view rest);
  void take_axis(std::string_view rest);
  void check_code(const report_entry& entry);
  [[noreturn]] void refuse(const std::string& why) const;

  input_capabilities capabilities_{.name = "vloop events",
                                   .ids = {.bustype = BUS_VIRTUAL, .vendor = 0, .product = 0, .version = 1}};
  bool declared_ = false;
  bool head_over_ = false;
  bool blank_ = false;
  std::array<std::size_t, EV_CNT> bits_given_{};  // of each type, by B lines so far
  std::size_t properties_given_ = 0;
  std::bitset<ABS_CNT> ranges_given_{};  // by A lines, or by events
  std::size_t open_entries_ = 0;         // of the report that has not ended yet
  std::uint64_t lines_ = 0;
};

}  // namespace vloop
