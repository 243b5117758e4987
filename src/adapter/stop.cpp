// SPDX-License-Identifier: MIT
#include "adapter/stop.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>
#include <thread>

#include "adapter/device_table.hpp"
#include "adapter/kernel_transport.hpp"
#include "runtime/setup_error.hpp"

namespace vloop::adapter {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto look_interval = 5ms;  // nobody tells us when a device goes
constexpr auto patience = 1s;        // then the user is told what is waited for

struct leaving {
  std::uint32_t id;
  std::uint64_t identity;  // the number may be given to a new device at once
  std::string said = {};

  bool gone() const { return identity_of_device(id) != identity; }
};

std::string name_of(std::uint32_t id) {
  return "vloop" + std::to_string(id);
}

// All are looked at before the first is stopped.
std::vector<leaving> find_all(const std::vector<std::uint32_t>& ids) {
  std::vector<leaving> devices;
  for (const auto id : ids) {
    const auto identity = identity_of_device(id);
    if (identity == 0)
      throw setup_error(ENODEV, "cannot stop " + name_of(id), "'vloop list' shows the devices there are");
    devices.push_back({id, identity});
  }
  return devices;
}

void ask(const kernel_transport& kernel, const leaving& device, bool force) {
  try {
    kernel.stop(device.id, force);
  } catch (const setup_error& error) {
    const bool on_its_way = error.code().value() == ENODEV;
    if (!on_its_way) throw;
  }
}

std::string state_of(std::uint32_t id) {
  const auto device = find_device(id);
  if (!device) return "going";
  return device->server ? fmt::format("{}, served by process {}", device->state, device->server) : device->state;
}

[[noreturn]] void give_up(const leaving& device, const stop_options& options) {
  const auto now = find_device(device.id);
  const bool stuck_server = now && now->server != 0 && !options.force;
  throw setup_error(ETIMEDOUT,
                    fmt::format("{} is not gone after {} ms; it is {}", name_of(device.id), options.timeout.count(),
                                state_of(device.id)),
                    stuck_server ? "--force does not wait for the server" : "its backing file may not answer");
}

void wait_for(leaving& device, clock::time_point started, const stop_options& options) {
  while (!device.gone()) {
    const auto waited = clock::now() - started;
    if (waited >= options.timeout) give_up(device, options);
    if (waited >= patience && options.on_wait) {
      const auto line = fmt::format("waiting for {}: {}", name_of(device.id), state_of(device.id));
      if (line != device.said) options.on_wait(device.said = line);
    }
    std::this_thread::sleep_for(look_interval);
  }
  if (options.on_gone) options.on_gone(name_of(device.id));
}

}  // namespace

void stop_devices(const stop_options& options) {
  const kernel_transport kernel;
  auto devices = find_all(options.ids);
  const auto started = clock::now();
  for (const auto& device : devices) ask(kernel, device, options.force);
  for (auto& device : devices) wait_for(device, started, options);
}

}  // namespace vloop::adapter
