// SPDX-License-Identifier: MIT
// Which node the driver of a virtio device made: /dev/vda, /dev/hwrng.
#pragma once

#include <cstdint>
#include <string>

namespace vloop::adapter {

/// "virtio3"
std::string virtio_name(int index);

/// The node of virtioN, or empty while its driver has made none. Reads sysfs; blocks no longer than that takes.
std::string find_node(std::uint32_t device_id, int index);

/// Turns off the I/O scheduler of the disk that virtioN is. The backing file's disk has one; a second costs a tenth of
/// the requests per second and improves nothing. On a thread of its own, since the kernel first waits for the disk to
/// be idle, and nothing here may wait for that.
void drop_scheduler(int index);

/// The driver module that serves this type of device, for a hint to the user.
std::string driver_module(std::uint32_t device_id);

}  // namespace vloop::adapter
