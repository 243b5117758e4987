// SPDX-License-Identifier: MIT
#include "bench/local_target.hpp"

#include <fcntl.h>
#include <linux/virtio_blk.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "runtime/setup_error.hpp"

namespace vloop::bench {
namespace {

std::unique_ptr<device> make_disk(blk_options disk, const load_shape& load) {
  disk.queues = load.queues;
  disk.queue_size = static_cast<std::uint16_t>(virtio_disk::ring_entries(load, 1));
  return std::make_unique<blk>(disk);
}

}  // namespace

local_target::local_target(const std::string& name, blk_options disk, const load_shape& load)
    : read_only_(disk.read_only),
      device_(make_disk(std::move(disk), load), virtio_disk::buffer_bytes(load)),
      disk_(device_.memory(), driver_options(name, load)) {
  virtio_blk_config config{};
  const auto& told = device_.description().config;
  std::memcpy(&config, told.data(), std::min(sizeof config, told.size()));
  bytes_ = config.capacity * blk_sector_bytes;
  block_bytes_ = config.blk_size;
  ::fcntl(device_.interrupt_fd(), F_SETFL, 0);  // io_uring waits for it, so that it is not O_NONBLOCK
}

virtio_disk::options local_target::driver_options(const std::string& name, const load_shape& load) {
  virtio_disk::options out{.name = name, .load = load, .queues = {}, .interrupt_fds = {device_.interrupt_fd()}};
  for (std::size_t i = 0; i < device_.queues(); ++i)
    out.queues.push_back({.ring = &device_.driver(i), .kick_fd = device_.kick_fd(i)});
  return out;
}

std::span<const ended_access> local_target::turn() {
  const auto ended = disk_.turn();
  if (device_.failed()) throw setup_error(EIO, device_.description().label + ": the device has failed; see the log");
  return ended;
}

target_cost local_target::cost() {
  return {.enters = disk_.enters() + device_.counters().enters, .daemon_time = {}};
}

}  // namespace vloop::bench
