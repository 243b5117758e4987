// SPDX-License-Identifier: MIT
// An entropy device (virtio 1.3, 5.4): fills what the driver offers with bytes from a source.
#pragma once

#include <string>

#include "devices/device.hpp"
#include "devices/owned_fd.hpp"

namespace vloop {

struct rng_options {
  std::string source = "/dev/urandom";
  std::uint16_t queue_size = 8;
  bool in_place = false;  // access=window
};

class rng final : public device {
 public:
  // Throws setup_error where the source cannot be opened.
  explicit rng(const rng_options& options);

  const device_description& describe() const override { return description_; }
  void start(std::uint64_t) override {}  // no features
  task<void> serve(queue& requests, loop& io) override;

 private:
  owned_fd source_;
  device_description description_;
};

}  // namespace vloop
