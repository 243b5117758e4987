// SPDX-License-Identifier: MIT
// A file or pipe of events in text form (input_text.hpp) as the source of an input device. A file is read through
// before the device is made: it is known to be good, and if it has no head, its events say what the device must have. A
// pipe has a head, which ends with an empty line or the first event.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "devices/input_source.hpp"
#include "devices/input_text.hpp"
#include "devices/owned_fd.hpp"
#include "devices/stoppable_wait.hpp"

namespace vloop {

struct event_text_options {
  std::string path{};
};

class event_text_source final : public input_source {
 public:
  // Throws setup_error: it cannot be read, has a bad line, or, being a pipe, no head after a while.
  explicit event_text_source(const event_text_options& options);

  const input_capabilities& capabilities() const override { return capabilities_; }
  const std::string& label() const override { return label_; }
  std::vector<std::string> notes() const override { return notes_; }
  bool can_wait() const override { return true; }
  void start(input_state&) override { wait_.start(); }
  task<next_input> next(loop& io, input_report& out) override;
  task<void> stop(loop& io) override;

 private:
  using clock = std::chrono::steady_clock;

  void scan_file();
  void read_pipe_head();
  bool read_now();
  std::optional<std::string_view> take_line();
  void add(const text_event& event);
  bool take_lines();
  clock::time_point due();
  std::span<char> make_room();
  [[noreturn]] void refuse(const input_text_error& error) const;

  std::string path_;
  std::string label_;
  bool pipe_ = false;  // before fd_: opening finds it out
  owned_fd fd_;
  input_text text_;
  input_capabilities capabilities_;
  std::vector<std::string> notes_;
  stoppable_wait wait_;

  std::array<char, 4 * input_text::line_bytes_max> buffer_{};
  std::size_t first_ = 0;  // of the bytes in it that were not taken yet
  std::size_t last_ = 0;   // behind them
  bool at_end_ = false;    // no byte will follow them

  input_report report_;  // the next one, as far as it was read
  std::chrono::microseconds report_at_{};
  std::optional<std::chrono::microseconds> first_at_;  // what the first report says of its time
  clock::time_point began_;                            // and when it came
};

}  // namespace vloop
