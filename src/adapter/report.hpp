// SPDX-License-Identifier: MIT
//
// What is told about devices: a line for a person or a script once one is there, the list of those there are, and
// readiness for the service manager.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapter/device_table.hpp"
#include "adapter/run.hpp"

namespace vloop::adapter {

/// "/dev/vda blk disk.img"; "-" stands for a node that is not there. No line break at the end.
std::string device_line(const device_there& device);

/// {"device":"blk","path":"disk.img","id":"vloop0","virtio":"virtio0","node":"/dev/vda"}; node is null if there is
/// none, id and virtio too of a device that listens, whose node is where. A path that is not UTF-8 comes out as it is.
std::string device_json(const device_there& device);

/// A table with a heading, or "no devices". No line break at the end.
std::string device_table_text(const std::vector<listed_device>& devices);

/// One device as an object on one line: id, node, virtio, device, device_id, state, pid, recoveries, on_exit, grace_ms,
/// owner, backing, files and description. node, virtio and pid are null where there is none.
std::string listed_json(const listed_device& device);

/// Sends `state` ("READY=1") to the service manager that asked for it with NOTIFY_SOCKET (sd_notify(3)).
/// Returns whether one was told. That nobody asked is no error, and neither is a manager that went away.
bool notify_service_manager(std::string_view state);

}  // namespace vloop::adapter
