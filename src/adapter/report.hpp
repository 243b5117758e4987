// SPDX-License-Identifier: MIT
//
// What `vloop run` tells the outside once a device is there: a line for a person or a script, and readiness for
// the service manager.
#pragma once

#include <string>
#include <string_view>

#include "adapter/run.hpp"

namespace vloop::adapter {

/// "/dev/vda blk disk.img"; "-" stands for a node that is not there. No line break at the end.
std::string device_line(const device_there& device);

/// {"device":"blk","path":"disk.img","virtio":"virtio0","node":"/dev/vda"}; node is null if there is none.
/// A path that is not UTF-8 comes out as it is.
std::string device_json(const device_there& device);

/// Sends `state` ("READY=1") to the service manager that asked for it with NOTIFY_SOCKET (sd_notify(3)).
/// Returns whether one was told. That nobody asked is no error, and neither is a manager that went away.
bool notify_service_manager(std::string_view state);

}  // namespace vloop::adapter
