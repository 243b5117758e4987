// SPDX-License-Identifier: MIT
// What an input device is able to tell: its name and ids, and the codes of each type of event that it has.
#pragma once

#include <linux/input.h>

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "devices/device.hpp"

namespace vloop {

using code_set = std::bitset<KEY_CNT>;  // no type has more codes than keys

struct axis_range {
  std::int32_t min = 0;
  std::int32_t max = 0;
  std::int32_t fuzz = 0;
  std::int32_t flat = 0;
  std::int32_t resolution = 0;

  bool operator==(const axis_range&) const = default;
};

struct input_capabilities {
  std::string name{};
  std::string serial{};  // may be empty
  input_id ids{};
  std::bitset<INPUT_PROP_CNT> properties{};
  std::array<code_set, EV_CNT> codes{};    // by type
  std::array<axis_range, ABS_CNT> axes{};  // of those in codes[EV_ABS]

  bool has(std::uint16_t type, std::uint16_t code) const {
    return type < EV_CNT && code < KEY_CNT && codes[type][code];
  }
  // Fingers that a touch device follows, 0 if it doesn't number them.
  std::size_t slots() const;
};

// How many codes an event type has; 0 for types that virtio does not serve (force feedback takes more than events).
std::size_t code_count(std::size_t type);

// More than any touch device has; what a driver allocates grows with it.
constexpr std::int32_t touch_slots_max = 256;

// What of it a virtio device can serve and a driver can take: no control characters, no text of more bytes than Linux
// has room for, no axes whose range is empty or too large to be computed with, no fingers that cannot be counted, no
// codes beyond those of their type.
input_capabilities served_part(input_capabilities all);

// The contents of the configuration space (virtio 1.3, 5.8.4), a page for each thing that a driver may select.
std::vector<config_page> input_pages(const input_capabilities& served);

}  // namespace vloop
