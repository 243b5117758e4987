// SPDX-License-Identifier: MIT
//
// What becomes of a device whose server ends, as the command line says it. docs/host.md has the table of the policies.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vloop {

enum class exit_policy : std::uint8_t {
  fail,       ///< the device ends too
  queue,      ///< what was taken fails, what comes later waits for the next server
  reissue,    ///< everything waits; what was taken goes to the next server again
  fail_fast,  ///< everything fails at once, until the next server comes
};

struct recovery_terms {
  exit_policy on_exit = exit_policy::fail;
  std::chrono::milliseconds grace{30'000};  ///< how long requests wait for the next server; 1 ms to 1 h

  bool recoverable() const { return on_exit != exit_policy::fail; }
};

/// What --recoverable, --on-exit and --grace mean together. Throws usage_error for a word that is unknown or a
/// combination that contradicts itself.
recovery_terms parse_recovery_terms(bool recoverable, const std::optional<std::string>& on_exit,
                                    const std::optional<std::string>& grace);

/// "10s", "500ms", "2m"; a number alone is seconds. `option` is named in the usage_error that anything else throws,
/// and anything below 1 ms or above `most`.
std::chrono::milliseconds parse_duration(std::string_view option, std::string_view text,
                                         std::chrono::milliseconds most);

/// The number of a device: "0" or "vloop0". Throws usage_error.
std::uint32_t parse_device_id(std::string_view text);

}  // namespace vloop
