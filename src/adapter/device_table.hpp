// SPDX-License-Identifier: MIT
//
// The devices of this machine, whoever serves them, as sysfs shows them: needs no right and no module.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapter/device_shape.hpp"
#include "adapter/node.hpp"

namespace vloop::adapter {

struct listed_device {
  std::uint32_t id = 0;
  std::string state;         ///< created, starting, live, deserted, failing, removing or gone
  std::uint32_t server = 0;  ///< its pid; 0: none, or one of another pid namespace
  std::string on_exit;       ///< fail, queue, reissue or fail-fast
  std::uint64_t grace_ms = 0;
  std::uint64_t recoveries = 0;
  std::uint32_t owner = 0;         ///< the uid that may recover and stop it, besides root
  device_shape shape;              ///< what sysfs shows of it
  std::vector<std::string> files;  ///< backing files, each path once
  std::string description;         ///< see stored_description.hpp; may be any text
  std::string virtio;              ///< "virtio3"; empty while it is not registered
  std::string node;                ///< "/dev/vda"; empty if no driver made one

  std::string name() const { return "vloop" + std::to_string(id); }
  bool recoverable() const { return !on_exit.empty() && on_exit != "fail"; }
  /// It exists, and nobody serves it.
  bool deserted() const { return server == 0 && recoverable() && (state == "deserted" || state == "failing"); }
};

/// By number. A device that goes while it is read is left out, or shows what was read before.
std::vector<listed_device> list_devices(const system_folders& where = {});
std::optional<listed_device> find_device(std::uint32_t id, const system_folders& where = {});

/// What it serves: its files, or else what its description names; "-" if neither tells.
std::string backing_of(const listed_device& device);

/// Changes when the number is given to another device; 0: there is none.
std::uint64_t identity_of_device(std::uint32_t id, const system_folders& where = {});

}  // namespace vloop::adapter
