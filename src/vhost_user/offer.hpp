// SPDX-License-Identifier: MIT
// Stage 1 over the socket: what the daemon says of its device, checked, and made into what its driver may be told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "devices/device.hpp"
#include "vhost_user/client.hpp"
#include "vhost_user/device_type.hpp"

namespace vloop::vhost_user {

// The bytes of requests that may be with a daemon at a time, of each queue, and of one request.
constexpr std::uint32_t pool_bytes_per_queue = 8U << 20;
constexpr std::uint32_t request_bytes_max = 4U << 20;

struct offer {
  std::uint64_t virtio_features = 0;    // as the daemon says, transport bits and all
  std::uint64_t protocol_features = 0;  // that both sides have
  std::uint16_t queues = 1;
  std::vector<std::byte> config;                      // for the driver
  std::vector<config_page> pages;                     // instead, of an input device
  std::size_t config_changes = 0;                     // so many bytes at its front may change
  std::uint64_t device_features = 0;                  // for the driver
  std::uint32_t piece_bytes_max = request_bytes_max;  // of one descriptor that the daemon gets
  std::vector<std::string> notes;                     // for the log

  // Whether a driver of this one could go on with a device that has `other`, and whether with another daemon.
  bool goes_on_with(const std::vector<std::byte>& other) const;
  bool goes_on_with(const offer& other) const;
  bool has(protocol_feature feature) const { return (protocol_features & bit(feature)) != 0; }
};

// Asks for everything. `queues`: as many as the user wants. Throws setup_error.
offer ask_for_offer(client& daemon, const device_type& type, std::optional<std::uint16_t> queues,
                    std::uint16_t queue_size);

// The configuration as the daemon has it now, made into what the driver may be told as ask_for_offer() did. Throws
// setup_error for one that a driver must not see, and where something differs that it takes for fixed.
std::vector<std::byte> ask_for_new_config(client& daemon, const offer& first, const device_type& type,
                                          std::uint16_t queue_size);

// What the daemon is told of the driver's choice.
std::uint64_t features_for_daemon(const offer& from, std::uint64_t acknowledged);

}  // namespace vloop::vhost_user
