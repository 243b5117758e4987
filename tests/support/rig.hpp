// SPDX-License-Identifier: MIT
// A device served on a worker thread of its own, and a driver for each of its queues. The transport between the two is
// the parameter of the device suite.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adapter/memory_port.hpp"
#include "devices/device.hpp"
#include "support/driver.hpp"

namespace vloop::test {

struct rig_options {
  bool event_index = true;
  bool indirect = false;
  std::uint64_t not_acked = 0;            // device features that the driver does not acknowledge
  std::vector<file_description> files{};  // instead of the device's own
  std::uint32_t request_bytes_max = 1 << 16;
  std::chrono::nanoseconds spin_limit{0};
};

class rig {
 public:
  virtual ~rig() = default;
  virtual driver& queue(std::size_t index) = 0;

  // The driver's accesses to the configuration space.
  virtual std::vector<std::byte> read_config(std::size_t offset, std::size_t count) = 0;
  virtual void write_config(std::size_t offset, std::span<const std::byte> bytes) = 0;

  // Stops the device; returns when its worker has ended. Idempotent.
  virtual void stop() = 0;

  // The driver resets one queue and starts it again.
  virtual void reset(std::size_t index) = 0;

  // Runs `work` on the worker's thread and waits for it. Not after stop().
  virtual void on_worker(const std::function<void()>& work) = 0;

  // What the driver did wrong on a queue; what the port did. Also after stop().
  virtual ring_error error(std::size_t index) = 0;
  virtual adapter::memory_port_counters counters(std::size_t index) = 0;
};

struct transport {
  std::string name;
  std::function<std::unique_ptr<rig>(device&, const rig_options&)> make;
};

// All transports that the suite runs over.
const std::vector<transport>& transports();

}  // namespace vloop::test
