// SPDX-License-Identifier: MIT
// A device of this process for a driver of this process: served on a worker of its own, its rings and its driver's
// buffers in a memfd.
//
//   made: served --> stop(): finished, its thread joined
//             \--> the device failed: failed() is true, who waits for an interrupt is woken; stop() as above
//
// The rings' driver ends belong to the thread that made this; the device's ends to the worker. They meet in the ring
// alone, and in eventfds.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <vector>

#include "adapter/memory_port.hpp"
#include "adapter/worker.hpp"
#include "devices/device.hpp"
#include "devices/owned_fd.hpp"
#include "vhost_user/shared_memory.hpp"
#include "vring/memory_map.hpp"
#include "vring/split_ring_driver.hpp"

namespace vloop::adapter {

class local_device {
 public:
  static constexpr std::uint32_t page_for_each_entry = 0;  // as buffer_bytes
  // buffer_bytes: of each queue, for its driver's requests, in whole pages. Every feature is acknowledged. Throws
  // std::system_error.
  local_device(std::unique_ptr<device> served, std::uint32_t buffer_bytes);
  ~local_device();
  local_device(const local_device&) = delete;
  local_device& operator=(const local_device&) = delete;

  // Takes no more, finishes what was taken, ends the thread. Idempotent. What is in the rings then stays there.
  void stop() noexcept;

  const device_description& description() const { return device_->describe(); }
  const vhost_user::shared_memory& memory() const { return memory_; }
  std::size_t queues() const { return ends_.size(); }
  split_ring_driver& driver(std::size_t queue) { return ends_[queue]->driver; }

  void kick(std::size_t queue);
  int kick_fd(std::size_t queue) const { return ends_[queue]->kick.get(); }  // to kick it by other means
  int interrupt_fd() const { return interrupt_.get(); }                      // of all queues

  // What its worker's loop has counted so far. Before stop().
  loop_counters counters() { return worker_.ask_counters(); }

  // The device ended by an error: nothing will be answered any more.
  bool failed() const { return failed_.load(std::memory_order_acquire); }

 private:
  struct end {
    end(const split_ring& ring, owned_fd its_kick);
    split_ring_driver driver;
    owned_fd kick;
  };

  memory_port_options port_options(std::size_t queue) const;
  task<void> serve(loop& io, std::promise<void>& serving);
  void make_ports(loop& io);
  task<void> serve_one(memory_port& port, loop& io);
  void fail() noexcept;

  const std::unique_ptr<device> device_;
  const vhost_user::shared_memory memory_;
  memory_map map_;
  const owned_fd interrupt_;
  std::vector<std::unique_ptr<end>> ends_;
  std::vector<std::unique_ptr<memory_port>> ports_;  // the worker's
  std::atomic<bool> failed_{false};
  bool stopped_ = false;
  worker worker_;  // last: it ends before what it uses
};

}  // namespace vloop::adapter
