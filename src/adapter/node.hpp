// SPDX-License-Identifier: MIT
// Which node the driver of a virtio device made: /dev/vda, /dev/hwrng.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace vloop::adapter {

/// Where the system shows itself; tests make their own.
struct system_folders {
  std::filesystem::path sys = "/sys";
  std::filesystem::path dev = "/dev";
};

/// "virtio3"
std::string virtio_name(int index);

/// The node of virtioN, or empty while its driver has made none. Reads sysfs; blocks no longer than that takes.
std::string find_node(std::uint32_t device_id, int index, const system_folders& where = {});

/// Turns off the I/O scheduler of the disk that virtioN is. The backing file's disk has one; a second costs a tenth of
/// the requests per second and improves nothing. By a process of its own, since the kernel first waits for the disk to
/// be idle: a server that is killed meanwhile could not end before the next one has served what is in flight.
void drop_scheduler(int index);

/// The driver module that serves this type of device, for a hint to the user.
std::string driver_module(std::uint32_t device_id);

}  // namespace vloop::adapter
