// SPDX-License-Identifier: MIT
//
// `vloop run`: what to serve and how, and the call that serves it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "adapter/device_spec.hpp"

namespace vloop::adapter {

enum class log_level : std::uint8_t { trace, debug, info, warn, error };

/// A device that a kernel driver has taken, or that none took in time.
struct device_there {
  std::string kind;    ///< "blk", "rng"
  std::string label;   ///< the path it serves
  std::string virtio;  ///< its name on the virtio bus: "virtio3"
  std::string node;    ///< "/dev/vda"; empty if no driver took it
};

struct run_options {
  std::vector<device_spec> devices;        ///< at least one; all in this process
  unsigned threads = 0;                    ///< worker threads; 0: one per device, at most one per processor
  std::chrono::microseconds poll_max{50};  ///< longest look at the rings before a worker sleeps; 0: sleep at once
  log_level level = log_level::info;       ///< the log goes to standard error

  std::function<void(const device_there&)> on_device;  ///< called on run()'s thread, once per device; may be empty
  std::stop_token stop;            ///< asks for the same clean stop as a signal, from any thread; may be empty
  std::function<void()> on_stuck;  ///< even a forced stop did not end in time: the caller may leave; may be empty
  bool handle_signals = true;      ///< SIGINT and SIGTERM stop it; false: they are the embedding program's own
};

/// Builds the devices, then opens the transport, creates them there, and serves until SIGINT, SIGTERM or `stop`.
/// The devices are built first, so that a wrong path is reported also where there is no module.
///
/// Returns the exit status: 0 after a stop that finished all that was taken, 1 otherwise.
/// Throws std::system_error, or a type derived from std::exception, with one line for the user if set-up fails.
int run(const run_options& options);

}  // namespace vloop::adapter
