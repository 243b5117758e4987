// SPDX-License-Identifier: MIT
#include "support/socket_server.hpp"

#include <spdlog/sinks/base_sink.h>
#include <asio/post.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace vloop::test {

class socket_server::line_sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  struct line {
    bool warns;
    std::string text;
  };
  std::vector<line> all() {
    const std::lock_guard held(mutex_);
    return lines_;
  }
  void forget() {
    const std::lock_guard held(mutex_);
    lines_.clear();
  }

 private:
  void sink_it_(const spdlog::details::log_msg& m) override {
    lines_.push_back({m.level >= spdlog::level::warn, std::string(m.payload.data(), m.payload.size())});
  }
  void flush_() override {}

  std::vector<line> lines_;
};

namespace {

std::string new_path() {
  static std::atomic<unsigned> count{0};
  return "vloop-listen-" + std::to_string(::getpid()) + "-" + std::to_string(++count) + ".sock";
}

}  // namespace

socket_server::socket_server(std::unique_ptr<device> served, unsigned workers, const loop_options& with)
    : path_(new_path()), sink_(std::make_shared<line_sink>()), log_("test", sink_), busy_(main_.get_executor()) {
  log_.set_level(spdlog::level::info);
  for (unsigned i = 0; i < workers; ++i) workers_.push_back(std::make_unique<adapter::worker>(i, with));
  server_ = std::make_unique<adapter::vhost_user_server>(
      main_, log_, std::move(served), adapter::listen_options{.path = path_},
      adapter::service::listener{.there = {}, .ended = [this](std::exception_ptr) { ended_.set_value(); }});
  asio::post(main_, [this] { server_->start(workers_, 0); });
  thread_ = std::thread([this] { main_.run(); });
}

void socket_server::stop() {
  if (!thread_.joinable()) return;
  asio::post(main_, [this] { server_->stop(); });
  ended_.get_future().wait();
  busy_.reset();
  thread_.join();
  for (auto& one : workers_) one->stop();
}

std::vector<std::string> socket_server::lines(const std::string& text) const {
  std::vector<std::string> found;
  for (const auto& line : sink_->all())
    if (line.text.find(text) != std::string::npos) found.push_back(line.text);
  return found;
}

std::vector<std::string> socket_server::warnings() const {
  std::vector<std::string> found;
  for (const auto& line : sink_->all())
    if (line.warns) found.push_back(line.text);
  return found;
}

void socket_server::forget_lines() {
  sink_->forget();
}

bool socket_server::said(const std::string& text, std::chrono::milliseconds limit) const {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (lines(text).empty()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace vloop::test
