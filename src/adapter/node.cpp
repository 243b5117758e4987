// SPDX-License-Identifier: MIT
#include "adapter/node.hpp"

#include <linux/virtio_ids.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>

namespace vloop::adapter {

namespace {

namespace fs = std::filesystem;

fs::path sysfs_of(int index) {
  return fs::path("/sys/bus/virtio/devices") / virtio_name(index);
}

// The node of the first entry in a device's folder of that class, such as block/vda.
std::string node_in(const fs::path& folder) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const fs::path node = fs::path("/dev") / entry.path().filename();
    if (fs::exists(node, none)) return node.string();
  }
  return {};
}

// input/inputN/eventM
std::string event_node_in(const fs::path& folder) {
  std::error_code none;
  for (const auto& input : fs::directory_iterator(folder, none)) {
    for (const auto& entry : fs::directory_iterator(input.path(), none)) {
      const std::string name = entry.path().filename().string();
      if (name.rfind("event", 0) == 0) return "/dev/input/" + name;
    }
  }
  return {};
}

}  // namespace

std::string virtio_name(int index) {
  return "virtio" + std::to_string(index);
}

std::string find_node(std::uint32_t device_id, int index) {
  const fs::path device = sysfs_of(index);
  std::error_code none;
  switch (device_id) {
    case VIRTIO_ID_BLOCK:
      return node_in(device / "block");
    case VIRTIO_ID_INPUT:
      return event_node_in(device / "input");
    case VIRTIO_ID_RNG:
      // All entropy sources share one node; the driver is bound once it has registered its own.
      return fs::exists(device / "driver", none) && fs::exists("/dev/hwrng", none) ? "/dev/hwrng" : std::string{};
    default:
      return {};
  }
}

void drop_scheduler(int index) {
  std::error_code none;
  for (const auto& disk : fs::directory_iterator(sysfs_of(index) / "block", none)) {
    std::thread([choice = disk.path() / "queue" / "scheduler"] { std::ofstream(choice) << "none"; }).detach();
  }
}

std::string driver_module(std::uint32_t device_id) {
  switch (device_id) {
    case VIRTIO_ID_BLOCK:
      return "virtio_blk";
    case VIRTIO_ID_INPUT:
      return "virtio_input";
    case VIRTIO_ID_RNG:
      return "virtio_rng";
    default:
      return "its virtio driver";
  }
}

}  // namespace vloop::adapter
