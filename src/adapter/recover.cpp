// SPDX-License-Identifier: MIT
#include "adapter/recover.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "adapter/stored_description.hpp"
#include "runtime/setup_error.hpp"

namespace vloop::adapter {

namespace {

[[noreturn]] void cannot(const std::string& name, int error, const std::string& why) {
  throw setup_error(error, "cannot recover " + name, why);
}

std::vector<listed_device> choose(const std::vector<std::uint32_t>& ids, const system_folders& where) {
  std::vector<listed_device> chosen;
  for (const auto id : ids) {
    auto device = find_device(id, where);
    if (!device) cannot("vloop" + std::to_string(id), ENODEV, "'vloop list' shows the devices there are");
    chosen.push_back(std::move(*device));
  }
  if (!ids.empty()) return chosen;
  for (auto& device : list_devices(where)) {
    if (device.deserted() && (::geteuid() == 0 || device.owner == ::geteuid())) chosen.push_back(std::move(device));
  }
  if (chosen.empty()) throw setup_error(ENODEV, "there is nothing to recover", "no device of yours is deserted");
  return chosen;
}

stored_description description_of(const listed_device& device) {
  try {
    return parse_stored_description(device.description);
  } catch (const usage_error& error) {
    cannot(device.name(), EINVAL, std::string(error.what()) + "; say what it is with --device");
  }
}

void refuse_what_cannot_be(const listed_device& device) {
  if (!device.recoverable())
    cannot(device.name(), EINVAL, "it is not recoverable: its server was started without --recoverable");
  if (device.state == "removing" || device.state == "gone") cannot(device.name(), ENODEV, "it is being removed");
}

}  // namespace

void plan_recovery(const recover_options& wanted, run_options& run, bool threads_given, bool poll_given,
                   const system_folders& where) {
  const auto chosen = choose(wanted.ids, where);
  unsigned threads = 0;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const auto& device = chosen[i];
    refuse_what_cannot_be(device);
    if (!wanted.devices.empty()) {
      run.devices.push_back({wanted.devices[i], device.id});
    } else {
      const auto stored = description_of(device);
      run.devices.push_back({stored.device, device.id});
      threads = std::max(threads, stored.threads);
      if (!poll_given) run.poll_max = stored.poll_max;
    }
  }
  if (!threads_given) run.threads = threads;
}

}  // namespace vloop::adapter
