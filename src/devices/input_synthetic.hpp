// SPDX-License-Identifier: MIT
// A mouse that moves in a square, or a keyboard that types the alphabet, for tests and demonstrations: the same events
// in the same order each time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "devices/input_source.hpp"
#include "devices/stoppable_wait.hpp"

namespace vloop {

enum class synthetic_kind : std::uint8_t { mouse, keyboard };

struct synthetic_options {
  synthetic_kind kind = synthetic_kind::mouse;
  std::uint32_t rate = 100;  // reports a second
  std::uint64_t count = 0;   // of reports, then there is silence; 0: no end
};

// The report with that number, counted from 0.
void synthetic_report(synthetic_kind kind, std::uint64_t number, input_report& out);

class synthetic_source final : public input_source {
 public:
  explicit synthetic_source(const synthetic_options& options);

  const input_capabilities& capabilities() const override { return capabilities_; }
  const std::string& label() const override { return label_; }
  bool can_wait() const override { return false; }
  void start(input_state&) override;
  task<next_input> next(loop& io, input_report& out) override;
  task<void> stop(loop& io) override;

 private:
  using clock = std::chrono::steady_clock;

  const synthetic_options options_;
  const input_capabilities capabilities_;
  const std::string label_;
  stoppable_wait wait_;
  std::uint64_t number_ = 0;  // of the next report
  clock::time_point due_;     // and when it is to come
};

}  // namespace vloop
