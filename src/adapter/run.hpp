// SPDX-License-Identifier: MIT
//
// `vloop run`: what to serve and how, and the call that serves it.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "adapter/device_spec.hpp"

namespace vloop::adapter {

enum class log_level : std::uint8_t { trace, debug, info, warn, error };

struct run_options {
  std::vector<device_spec> devices;        ///< at least one; all in this process
  unsigned threads = 0;                    ///< worker threads; 0: one per device, at most one per processor
  std::chrono::microseconds poll_max{50};  ///< longest look at the rings before a worker sleeps; 0: sleep at once
  log_level level = log_level::info;       ///< the log goes to standard error
  bool json = false;                       ///< what is printed on standard output is one JSON object a line
};

/// Builds the devices, then opens the transport, creates them there, and serves until SIGINT or SIGTERM.
/// Prints the node of each device (/dev/vda) on standard output as soon as it is there.
///
/// Returns the exit status: 0 after a stop that finished all that was taken, 1 otherwise.
/// Throws std::system_error, or a type derived from std::exception, with one line for the user if set-up fails.
/// Call it from the main thread, once: it takes over SIGINT and SIGTERM.
int run(const run_options& options);

}  // namespace vloop::adapter
