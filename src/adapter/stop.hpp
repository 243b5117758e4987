// SPDX-License-Identifier: MIT
//
// `vloop stop`: asks for the removal of devices, whoever serves them, and waits for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace vloop::adapter {

struct stop_options {
  std::vector<std::uint32_t> ids;
  bool force = false;  ///< do not ask the server: the kernel answers what is in flight with errors
  std::chrono::milliseconds timeout{10'000};

  std::function<void(const std::string& name)> on_gone;  ///< "vloop0"; once per device; may be empty
  std::function<void(const std::string& line)> on_wait;  ///< what is waited for, when it takes long; may be empty
};

/// Returns when all are gone. Throws setup_error with one line for the user: there is no such device, it is another
/// user's, or it is not gone in time.
void stop_devices(const stop_options& options);

}  // namespace vloop::adapter
