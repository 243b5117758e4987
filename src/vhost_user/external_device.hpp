// SPDX-License-Identifier: MIT
// A device that another process serves, an unmodified vhost-user daemon, as one of ours: describe() is what the daemon
// says, start() hands the driver's choice on, and serve() relays a queue.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "devices/device.hpp"
#include "vhost_user/control.hpp"
#include "vhost_user/device_type.hpp"
#include "vhost_user/offer.hpp"
#include "vhost_user/shared_memory.hpp"

namespace vloop::vhost_user {

struct options {
  std::string path{};
  std::string type = "blk";  // that find_device_type() knows
  std::optional<std::uint16_t> queues{};
  std::optional<std::uint16_t> queue_size{};
  std::chrono::seconds reconnect{0};           // how long a daemon that is gone is waited for; 0: not at all
  std::chrono::milliseconds answer_max{5000};  // for each message of the daemon
};

class external_device final : public device {
 public:
  // Connects, and asks the daemon for everything. Throws setup_error.
  explicit external_device(const options& wanted);

  const device_description& describe() const override { return description_; }
  void start(std::uint64_t acked_features) override { control_.begin(acked_features); }
  task<void> serve(queue& requests, loop& io) override;
  void log_to(std::function<void(const std::string&)> log) override { control_.log_to(std::move(log)); }
  void tell_config(std::function<void(std::vector<std::byte>)> tell) override { control_.tell_config(std::move(tell)); }

 private:
  external_device(const options& wanted, client daemon);

  const device_type type_;
  const std::string daemon_;
  const std::uint16_t queue_size_;
  client asked_;  // until control_ has it
  const offer terms_;
  const shared_memory memory_;
  const std::vector<queue_events> events_;
  device_description description_;
  control control_;  // last: its thread uses the above
};

}  // namespace vloop::vhost_user
