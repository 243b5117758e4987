// SPDX-License-Identifier: MIT
// A front end for tests: our own side of the protocol (vhost_user::client) with a driver for each queue, over a real
// socket.
//
//   front_end vm(path);                    // connected, nothing said yet
//   vm.set_up();                           // features, memory, rings: a driver can use the device
//   blk_driver disk(vm.queue(0));
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/driver.hpp"
#include "support/shared_memory.hpp"
#include "vhost_user/client.hpp"

namespace vloop::test {

struct front_end_options {
  std::uint16_t queues = 1;
  std::uint16_t queue_size = 64;
  bool event_index = true;
  bool indirect = false;
  std::uint64_t device_features = ~std::uint64_t{0};  // of those that are offered
  std::uint64_t protocol_features = ~std::uint64_t{0};
  bool knows_protocol_features = true;  // false: an old front end, whose rings run from the kick on
  std::uint32_t request_bytes_max = 1 << 16;
  std::chrono::milliseconds limit = std::chrono::seconds(20);
};

class front_end {
 public:
  // The front end's own addresses; descriptors have the guest's, which are shared_memory::first_address and on.
  static constexpr std::uint64_t user_base = 0x7000'0000'0000;

  explicit front_end(const std::string& path, front_end_options options = {});

  // A guest that goes on: its memory, its drivers and what they have in flight are another front end's from now on. The
  // connection of before is closed first.
  front_end(const std::string& path, front_end&& before);

  vhost_user::client& say() { return client_; }
  driver& queue(std::size_t index) { return *guest_->drivers[index]; }
  shared_memory& memory() { return guest_->memory; }
  std::uint64_t features() const { return features_; }
  std::uint64_t protocol_features() const { return protocol_features_; }
  bool has(vhost_user::protocol_feature feature) const { return (protocol_features_ & bit(feature)) != 0; }

  void set_up() {
    negotiate();
    give_memory();
    for (std::uint32_t i = 0; i < options_.queues; ++i) set_up_ring(i, 0);
  }
  // The steps of it.
  void negotiate();
  void give_memory();
  void set_up_ring(std::uint32_t index, std::uint16_t base);
  void keep_log();  // asks for one where there is none yet

  vhost_user::memory_region region() const;
  vhost_user::vring_address address_of_ring(std::uint32_t index) const;
  static std::uint64_t user_address(std::uint64_t guest_address) {
    return guest_address - shared_memory::first_address + user_base;
  }

 private:
  // What survives a back end.
  struct guest {
    explicit guest(const front_end_options& options);
    shared_memory memory;
    std::vector<std::unique_ptr<driver>> drivers;
    std::optional<vhost_user::inflight_region> log;
  };

  static vhost_user::connection connect_instead(const std::string& path, front_end& before);

  front_end_options options_;
  vhost_user::client client_;
  std::unique_ptr<guest> guest_;
  std::uint64_t features_ = 0;
  std::uint64_t protocol_features_ = 0;
};

}  // namespace vloop::test
