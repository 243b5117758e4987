// SPDX-License-Identifier: MIT
#include "adapter/node.hpp"

#include "adapter/detached_write.hpp"

#include <linux/virtio_ids.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace vloop::adapter {

namespace {

namespace fs = std::filesystem;

fs::path sysfs_of(int index, const system_folders& where = {}) {
  return where.sys / "bus" / "virtio" / "devices" / virtio_name(index);
}

// What a folder of sysfs holds; it may go while it is read.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code none;
  for (fs::directory_iterator entry(folder, none), end; !none && entry != end; entry.increment(none))
    entries.push_back(entry->path());
  return entries;
}

// The node of the first entry in a device's folder of that class, such as block/vda.
std::string node_in(const fs::path& folder, const fs::path& dev) {
  std::error_code none;
  for (const auto& entry : entries_of(folder)) {
    if (fs::exists(dev / entry.filename(), none)) return "/dev/" + entry.filename().string();
  }
  return {};
}

// input/inputN/eventM
std::string event_node_in(const fs::path& folder) {
  for (const auto& input : entries_of(folder)) {
    for (const auto& entry : entries_of(input)) {
      const std::string name = entry.filename().string();
      if (name.rfind("event", 0) == 0) return "/dev/input/" + name;
    }
  }
  return {};
}

}  // namespace

std::string virtio_name(int index) {
  return "virtio" + std::to_string(index);
}

std::string find_node(std::uint32_t device_id, int index, const system_folders& where) {
  const fs::path device = sysfs_of(index, where);
  std::error_code none;
  switch (device_id) {
    case VIRTIO_ID_BLOCK:
      return node_in(device / "block", where.dev);
    case VIRTIO_ID_INPUT:
      return event_node_in(device / "input");
    case VIRTIO_ID_RNG:
      // All entropy sources share one node; the driver is bound once it has registered its own.
      return fs::exists(device / "driver", none) && fs::exists(where.dev / "hwrng", none) ? "/dev/hwrng"
                                                                                          : std::string{};
    default:
      return {};
  }
}

void drop_scheduler(int index) {
  for (const auto& disk : entries_of(sysfs_of(index) / "block")) {
    const fs::path choice = disk / "queue" / "scheduler";
    std::string now;
    std::getline(std::ifstream(choice), now);
    // Even a choice that changes nothing makes the kernel look for a module of that name.
    if (now.find("[none]") == std::string::npos) write_detached(choice.string(), "none");
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
