// SPDX-License-Identifier: MIT
// One device on the kernel transport: the control plane in its three stages, and its end.
//
//   start() ─> stage 1 described ─> stage 2 created, driver probes ─> stage 3 queues started ─> serving
//              (attached to: it is in stage 3 already)
//   stop()  ─> the driver lets go while we still serve ─> gone ─> queues end ─> ended
//   force() ─> the device is given up: the kernel answers what is left ─> gone ─> queues end ─> ended
//   another process asks for it ─> queues end ─> detached ─> ended
//
// Everything here runs on the main thread, but serve_queue(), which runs on the worker of its queue and tells the main
// thread by asio::post.
#pragma once

#include "adapter/driver_wait.hpp"
#include "adapter/kernel_transport.hpp"
#include "adapter/run.hpp"
#include "adapter/service.hpp"
#include "adapter/worker.hpp"

#include <spdlog/logger.h>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vloop::adapter {

class served_device final : public service {
 public:
  using clock = std::chrono::steady_clock;

  // `attached`: when ATTACH was called, for a device that existed.
  // `drivers` is that of all devices of the process.
  served_device(asio::io_context& main, spdlog::logger& log, driver_wait& drivers, std::unique_ptr<device> what,
                std::unique_ptr<kernel_device> transport, std::optional<clock::time_point> attached, listener tell);
  ~served_device() override;
  served_device(const served_device&) = delete;
  served_device& operator=(const served_device&) = delete;

  void start(std::vector<std::unique_ptr<worker>>& workers, std::size_t first) override;
  void stop() override;
  void force() override;
  void look_again() override;

  bool ended() const override { return ended_; }
  bool taken_away() const override { return taken_away_; }
  std::size_t queue_count() const override { return what_->describe().queues.size(); }
  const std::string& name() const override { return name_; }

 private:
  task<void> serve_queue(std::uint16_t index, loop& io);
  task<void> serve_requests(kernel_queue& transport, loop& io);
  task<void> watch_first_completion(kernel_queue& transport, loop& io);
  void queue_ended(std::uint16_t index, const queue_statistics& statistics, std::exception_ptr failure);
  void wait_for_events();
  void take_events();
  void look_at_driver();
  void change_config(const std::vector<std::byte>& bytes);
  void hand_over();
  void detach();
  void queue_set_up();
  void driver_ready();
  void look_for_node();
  void report_node(const std::string& node, int virtio_index);
  void end_if_over();

  asio::io_context& main_;
  spdlog::logger& log_;
  driver_wait& drivers_;
  std::string name_;  // "vloop0"; what_ tells the log something until its end
  std::unique_ptr<device> what_;
  std::unique_ptr<kernel_device> transport_;
  std::optional<clock::time_point> attached_;
  listener tell_;

  // By queue, in use on the queue's worker: its transport while it is served.
  struct serving_place {
    worker* on = nullptr;
    kernel_queue* transport = nullptr;
  };
  std::vector<serving_place> places_;
  std::size_t queues_running_ = 0;

  asio::posix::stream_descriptor events_;  // borrows the device's descriptor
  std::uint8_t status_ = 0;

  asio::steady_timer node_timer_;
  clock::time_point waiting_since_;       // for the node
  std::optional<std::string> told_node_;  // what was told last; empty: that there is none
  unsigned set_ups_ = 0;                  // of the first queue, that we saw
  bool scheduler_due_;                    // the disk is a new one: its scheduler is the kernel's choice

  bool first_completion_told_ = false;
  std::exception_ptr failure_;
  bool stopping_ = false;
  bool handing_over_ = false;
  bool taken_away_ = false;
  bool ended_ = false;
};

}  // namespace vloop::adapter
