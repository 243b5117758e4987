// SPDX-License-Identifier: MIT
// An event device of this kernel whose events come from here (uinput).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "event_script.hpp"

constexpr int mixed_axis_max = 1000;

class virtual_device {
 public:
  // "mixed": keys, wheel, axes, a switch, LEDs; "keyboard": with LEDs, sound and repetition; "touch": ten fingers.
  explicit virtual_device(const std::string& kind);
  ~virtual_device();
  virtual_device(const virtual_device&) = delete;
  virtual_device& operator=(const virtual_device&) = delete;

  const std::string& node() const { return node_; }  // /dev/input/eventN
  void tell(std::span<const event> events) const;
  // The next event that a driver of it would get, such as an LED. Throws after `seconds`.
  event heard(int seconds) const;

 private:
  int fd_;
  std::string node_;
};
