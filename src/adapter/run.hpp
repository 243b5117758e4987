// SPDX-License-Identifier: MIT
//
// `vloop run` and `vloop recover`: what to serve and how, and the call that serves it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "adapter/device_spec.hpp"
#include "adapter/kernel_transport.hpp"
#include "adapter/listen_options.hpp"
#include "adapter/recovery_terms.hpp"

namespace vloop::adapter {

enum class log_level : std::uint8_t { trace, debug, info, warn, error };

/// A device that a kernel driver has taken, or that none took in time.
struct device_there {
  std::string kind;    ///< "blk", "rng"
  std::string label;   ///< the path it serves
  std::string id;      ///< "vloop0"; empty if it listens
  std::string virtio;  ///< its name on the virtio bus: "virtio3"; empty if it listens
  std::string node;    ///< "/dev/vda", or where it listens; empty if no driver took it
  bool late = false;   ///< told before, with another node or none
};

struct device_to_serve {
  device_spec spec;
  std::optional<std::uint32_t> existing = {};  ///< N of vloopN, whose server this process becomes; none: a new device
  std::optional<listen_options> listen = {};   ///< for front ends that connect there, instead of this kernel's drivers
};

struct run_options {
  std::vector<device_to_serve> devices;    ///< at least one; all in this process
  recovery_terms recovery;                 ///< of new devices
  bool resume = false;                     ///< instead of a new device take a recoverable one with the same description
  std::optional<take_over> from_living;    ///< existing devices: ask a living server to hand over
  unsigned threads = 0;                    ///< worker threads; 0: one per device, at most one per processor
  std::chrono::microseconds poll_max{50};  ///< longest look at the rings before a worker sleeps; 0: sleep at once
  log_level level = log_level::info;       ///< the log goes to standard error

  std::function<void(const device_there&)> on_device;  ///< called on run()'s thread, see `late`; may be empty
  std::stop_token stop;            ///< asks for the same clean stop as a signal, from any thread; may be empty
  std::function<void()> on_stuck;  ///< even a forced stop did not end in time: the caller may leave; may be empty
  bool handle_signals = true;      ///< SIGINT and SIGTERM stop it, SIGUSR1 has the devices look at the sizes of their
                                   ///< files; false: they are the embedding program's own
};

/// Builds the devices, then opens the transport, creates or attaches to them there, or listens for their front ends,
/// and serves until SIGINT, SIGTERM or `stop`, or until none is left: each may also be stopped, or handed over to
/// another process. The devices are built first, so that a wrong path is reported also where there is no module.
/// Existing devices are attached to when all else is ready, for their requests wait.
///
/// Returns the exit status: 0 after a stop that finished all that was taken, or a hand-over; 1 otherwise.
/// Throws std::system_error, or a type derived from std::exception, with one line for the user if set-up fails.
int run(const run_options& options);

}  // namespace vloop::adapter
