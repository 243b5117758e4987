// SPDX-License-Identifier: MIT
// A device served over a unix socket as `vloop run --listen` does it, with its log at hand.
#pragma once

#include <spdlog/logger.h>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "adapter/vhost_user_server.hpp"
#include "adapter/worker.hpp"
#include "devices/device.hpp"
#include "runtime/loop.hpp"

namespace vloop::test {

class socket_server {
 public:
  explicit socket_server(std::unique_ptr<device> served, unsigned workers = 1, const loop_options& with = {});
  ~socket_server() { stop(); }
  socket_server(const socket_server&) = delete;
  socket_server& operator=(const socket_server&) = delete;

  const std::string& path() const { return path_; }

  // As SIGTERM does; returns when it has ended. Idempotent.
  void stop();

  // What was logged so far: lines with `text` in them, and those that warn.
  std::vector<std::string> lines(const std::string& text) const;
  std::vector<std::string> warnings() const;
  void forget_lines();
  // Waits until a line has `text` in it; false if none came in time.
  bool said(const std::string& text, std::chrono::milliseconds limit = std::chrono::seconds(20)) const;

 private:
  class line_sink;

  std::string path_;
  std::shared_ptr<line_sink> sink_;
  spdlog::logger log_;
  asio::io_context main_{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> busy_;
  std::vector<std::unique_ptr<adapter::worker>> workers_;
  std::unique_ptr<adapter::vhost_user_server> server_;
  std::promise<void> ended_;
  std::thread thread_;
};

}  // namespace vloop::test
