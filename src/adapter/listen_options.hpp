// SPDX-License-Identifier: MIT
// Where a device listens for front ends, as the command line says it: `--listen PATH` for the only device, or with each
// device its own, as an option of its SPEC:
//
//   ...,listen=PATH[,socket-mode=OCTAL]      a socket that is made there
//   ...,listen=fd:N                          one that somebody else has made, such as systemd
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "adapter/device_spec.hpp"

namespace vloop::adapter {

struct listen_options {
  std::string path{};     // of a socket to be made, or
  int inherited_fd = -1;  // one that listens already
  unsigned mode = 0660;   // of a socket to be made

  std::string text() const { return path.empty() ? "fd:" + std::to_string(inherited_fd) : path; }
};

/// Throws usage_error.
listen_options parse_listen(const std::string& text);

struct device_request {
  device_spec spec;
  std::optional<listen_options> listen;
};

/// `listens`: where a device listens whose argument does not say so. Throws usage_error, whose one line begins with the
/// argument.
device_request parse_device_request(std::string_view argument, const std::optional<listen_options>& listens);

}  // namespace vloop::adapter
