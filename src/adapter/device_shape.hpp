// SPDX-License-Identifier: MIT
//
// What a driver knows of a device and a new server therefore cannot change: does a device description fit it?
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "devices/device.hpp"

namespace vloop {

/// A device that exists, as the module or sysfs tells it.
struct device_shape {
  std::uint32_t id = 0;  ///< virtio device id
  std::uint64_t features = 0;
  std::size_t queue_count = 0;
  std::optional<bool> in_place{};                         ///< made for a window; nothing: not known
  std::optional<std::vector<std::uint16_t>> queue_sizes;  ///< nothing: not known
  std::optional<std::vector<std::byte>> config;           ///< nothing: not known
};

/// "blk", "rng" or "input"; "virtio id N" for others.
std::string kind_of(std::uint32_t virtio_id);

/// Why a server with this description cannot serve that device; empty if it can. What is not known is taken to fit.
std::string misfit(const device_shape& there, const device_description& server);

}  // namespace vloop
