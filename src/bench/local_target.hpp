// SPDX-License-Identifier: MIT
// vloop's own disk in this process: its device side on a thread of its own, its driver side here.
#pragma once

#include <cstdint>
#include <string>

#include "adapter/local_device.hpp"
#include "bench/target.hpp"
#include "bench/virtio_disk.hpp"
#include "devices/blk.hpp"

namespace vloop::bench {

class local_target final : public target {
 public:
  // Queues and their sizes are the load's. Throws setup_error.
  local_target(const std::string& name, blk_options disk, const load_shape& load);

  std::uint64_t bytes() const override { return bytes_; }
  std::uint32_t block_bytes() const override { return block_bytes_; }
  bool read_only() const override { return read_only_; }
  std::span<std::byte> buffer(std::uint32_t slot) override { return disk_.buffer(slot); }
  void prepare(std::uint32_t slot, const access& what) override { disk_.prepare(slot, what); }
  std::span<const ended_access> turn() override;
  // The calls of both sides.
  target_cost cost() override;

 private:
  virtio_disk::options driver_options(const std::string& name, const load_shape& load);

  const bool read_only_;
  adapter::local_device device_;
  virtio_disk disk_;
  std::uint64_t bytes_ = 0;
  std::uint32_t block_bytes_ = 512;
};

}  // namespace vloop::bench
