// SPDX-License-Identifier: MIT
//
// A device's configuration space as one driver sees it, for transports that answer the driver's accesses themselves.
// Where the device has pages, the driver's last selection is part of it, so there is one of these for each driver.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "devices/device.hpp"

namespace vloop::adapter {

class config_space {
 public:
  /// The description outlives it.
  explicit config_space(const device_description& of) : of_(of) {}

  std::size_t size() const;

  /// Fills all of `out`, with zeros where there is nothing, also behind the end.
  void read(std::size_t offset, std::span<std::byte> out) const;

  /// Takes the selectors of a device that has pages. Nothing else can be written.
  void write(std::size_t offset, std::span<const std::byte> bytes);

 private:
  std::byte at(std::size_t offset) const;

  const device_description& of_;
  std::byte select_{};
  std::byte subsel_{};
};

}  // namespace vloop::adapter
