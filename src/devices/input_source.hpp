// SPDX-License-Identifier: MIT
// Where an input device has its events from.
//
//   made -> start() -> next()... -> stop() -> next() gives `ended` -> start() ...
//
// All but capabilities() and light() belongs to the thread of the event queue's worker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "devices/input_capabilities.hpp"
#include "devices/input_report.hpp"
#include "devices/input_state.hpp"
#include "runtime/loop.hpp"
#include "runtime/task.hpp"

namespace vloop {

enum class next_input : std::uint8_t {
  report,  // a whole one
  lost,    // some are missing: state() tells what they led to
  ended,   // no more will come
};

class input_source {
 public:
  virtual ~input_source() = default;

  virtual const input_capabilities& capabilities() const = 0;
  virtual const std::string& label() const = 0;  // as on the command line
  virtual std::vector<std::string> notes() const { return {}; }

  // Whether events are still there when they are asked for later. If not, they are asked for at once and may be
  // dropped.
  virtual bool can_wait() const = 0;

  // A driver is there: what happened before does not matter, but for the state that it led to.
  virtual void start(input_state&) {}

  // Waits for the next report. Throws setup_error when the source is gone or talks nonsense.
  virtual task<next_input> next(loop& io, input_report& out) = 0;

  // Ends next(), also one that is under way.
  virtual task<void> stop(loop& io) = 0;

  // Makes `now`, which knows of nothing yet, the state after what next() gave last. After `lost`.
  virtual void state(input_state&) {}

  // The driver switches an LED or a sound that is in the capabilities. Any thread, one at a time; does not wait.
  virtual void light(const report_entry&) {}
};

}  // namespace vloop
