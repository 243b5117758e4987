// SPDX-License-Identifier: MIT
// A disk that another process serves at a vhost-user socket, with our own driver side: the daemon gets the memory with
// the rings and the buffers, and nothing lies between. It is set up once, and left in order: the daemon goes on living.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/target.hpp"
#include "bench/virtio_disk.hpp"
#include "vhost_user/client.hpp"
#include "vhost_user/control.hpp"
#include "vhost_user/offer.hpp"
#include "vhost_user/shared_memory.hpp"
#include "vring/split_ring_driver.hpp"

namespace vloop::bench {

class vhost_user_target final : public target {
 public:
  // Throws setup_error.
  vhost_user_target(const std::string& name, const std::string& path, const load_shape& load);
  ~vhost_user_target() override;

  std::uint64_t bytes() const override { return bytes_; }
  std::uint32_t block_bytes() const override { return block_bytes_; }
  bool read_only() const override { return read_only_; }
  std::span<std::byte> buffer(std::uint32_t slot) override { return disk_->buffer(slot); }
  void prepare(std::uint32_t slot, const access& what) override { disk_->prepare(slot, what); }
  std::span<const ended_access> turn() override;
  target_cost cost() override;

 private:
  void look_at_config();
  std::uint32_t pieces() const;
  void set_up();
  void tell_status(std::uint8_t bits);
  virtio_disk::options driver_options(const std::string& name);

  const load_shape load_;
  const std::uint16_t ring_size_;
  vhost_user::client daemon_;
  const vhost_user::offer terms_;
  const vhost_user::shared_memory memory_;
  const std::vector<vhost_user::queue_events> events_;
  std::vector<split_ring_driver> rings_;
  std::optional<clockid_t> daemon_clock_;  // of its process's time, where it is known who that is
  std::uint64_t bytes_ = 0;
  std::uint32_t block_bytes_ = 512;
  bool read_only_ = false;
  std::uint8_t status_ = 0;
  std::optional<virtio_disk> disk_;
};

}  // namespace vloop::bench
