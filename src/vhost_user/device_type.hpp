// SPDX-License-Identifier: MIT
// What has to be known of a class of devices to stand between its driver and a daemon: what the daemon doesn't say
// itself, and how requests are laid out for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vloop::vhost_user {

// How much of the writable part of a request an answer has to fill.
enum class filling : std::uint8_t {
  any,
  some,   // a driver that gets nothing would not ask again (rng)
  whole,  // a driver takes what it gets for an event, whatever the length (input)
};

struct device_type {
  std::string name;  // "blk"; of an id without a name: "virtio id 40"
  std::uint32_t id = 0;
  std::uint16_t queues = 1;                     // unless the daemon or the user says otherwise
  std::uint16_t queue_size = 128;               // unless the user says otherwise
  std::span<const std::uint32_t> config_sizes;  // to ask for, the largest first; none: it has no configuration
  std::size_t config_changes = SIZE_MAX;        // so many bytes at its front may change while it is served
  std::uint64_t features = ~std::uint64_t{0};   // that a driver may be offered
  bool has_status = false;                      // each request ends in a status byte, and is answered with it (blk)
  std::uint32_t head_bytes = 0;                 // at the front of the readable part that daemons want to be alone
  bool has_pages = false;                       // its configuration is many pages behind a selector (input)
  filling answers = filling::any;
  bool answers_everything = false;  // no request waits in the daemon for something to happen
};

// By name or number; nullopt for anything else.
std::optional<device_type> find_device_type(std::string_view word);

// For messages: "blk, rng, console ... or a virtio id".
std::string_view known_device_types();

}  // namespace vloop::vhost_user
