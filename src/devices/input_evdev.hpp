// SPDX-License-Identifier: MIT
// An event device of this machine, /dev/input/eventN, as the source of an input device: mirrored code by code.
#pragma once

#include <linux/input.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "devices/input_source.hpp"
#include "devices/owned_fd.hpp"
#include "devices/stoppable_wait.hpp"

namespace vloop {

struct evdev_options {
  std::string path{};
  bool grab = true;  // nobody else gets its events; on the same kernel each would otherwise arrive twice
};

// Puts an event device's stream into reports.
class evdev_assembler {
 public:
  enum class step : std::uint8_t { more, whole, lost };

  // `whole`: `out` is a report, and cleared by the next call. `lost`: events are missing, here or in the kernel; what
  // comes up to the next SYN_REPORT is left out.
  step take(const input_event& event, input_report& out);

  // What was read before is not looked at any more.
  void restart(bool in_mid_report) { skipping_ = in_mid_report, whole_ = true; }

 private:
  bool skipping_ = false;
  bool whole_ = true;  // `out` is of no more use
};

class evdev_source final : public input_source {
 public:
  // Throws setup_error: it cannot be opened, is no event device, or somebody else has grabbed it.
  explicit evdev_source(const evdev_options& options);

  const input_capabilities& capabilities() const override { return capabilities_; }
  const std::string& label() const override { return path_; }
  std::vector<std::string> notes() const override { return notes_; }
  bool can_wait() const override { return false; }
  void start(input_state& now) override;
  task<next_input> next(loop& io, input_report& out) override;
  task<void> stop(loop& io) override;
  void state(input_state& now) override;
  void light(const report_entry& entry) override;

 private:
  bool read_more();
  void drain();
  void grab();

  std::string path_;
  bool writable_ = false;  // before fd_: opening finds it out
  owned_fd fd_;
  input_capabilities capabilities_;
  std::vector<std::string> notes_;
  stoppable_wait wait_;
  evdev_assembler assembler_;

  std::array<input_event, 64> events_{};
  std::size_t next_ = 0;
  std::size_t count_ = 0;
};

}  // namespace vloop
