// SPDX-License-Identifier: MIT
// A device that is served to front ends over a unix socket, to one at a time.
//
//   made: the socket is there ─start()─> listening ─a front end─> serving ─it goes─> listening ...
//                                            └────────stop()────────┴─> what was taken is finished ─> ended
//
// The main thread makes, starts and stops it. On the thread of its first queue's worker (the home) it listens and takes
// messages; each queue is on its worker's thread. Home and main are told of each other's news by post().
#pragma once

#include "adapter/config_space.hpp"
#include "adapter/listening_socket.hpp"
#include "adapter/run.hpp"
#include "adapter/service.hpp"
#include "adapter/vhost_user_session.hpp"

#include <spdlog/logger.h>
#include <asio/io_context.hpp>

#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace vloop::adapter {

class vhost_user_server final : public service {
 public:
  // Throws setup_error where it cannot listen.
  vhost_user_server(asio::io_context& main, spdlog::logger& log, std::unique_ptr<device> what,
                    const listen_options& where, listener tell);
  ~vhost_user_server() override = default;

  void start(std::vector<std::unique_ptr<worker>>& workers, std::size_t first) override;
  void stop() override;
  void force() override;
  void look_again() override;

  bool ended() const override { return ended_; }
  std::size_t queue_count() const override { return places_.size(); }
  const std::string& name() const override { return name_; }

 private:
  // On the home's thread.
  task<void> listen(loop& io);
  task<void> take_front_ends(loop& io);
  task<void> serve(owned_fd socket, loop& io);
  task<void> until_free();
  void end_listening();
  void change_config(std::vector<std::byte> bytes);

  // On a queue's worker.
  task<void> serve_queue(std::size_t index, loop& io);

  // On the main thread.
  void queue_ended(std::size_t index, const memory_port_counters& counted);
  void failed(std::exception_ptr why);
  void end_if_over();

  asio::io_context& main_;
  spdlog::logger& log_;
  const std::string name_;  // where it listens; what_ tells the log something until its end
  std::unique_ptr<device> what_;
  listener tell_;

  // The home's.
  device_description shown_;  // with the configuration of now
  listening_socket socket_;
  loop* home_ = nullptr;
  operation* waiting_ = nullptr;           // for a front end
  vhost_user_session* session_ = nullptr;  // of the front end that is there
  event* free_ = nullptr;                  // somebody waits for that one's end
  task_group sessions_;
  bool stopping_ = false;

  std::vector<vhost_user_place> places_;

  // The main thread's.
  worker* home_worker_ = nullptr;
  std::size_t running_ = 0;  // tasks on the workers
  std::exception_ptr failure_;
  bool stop_asked_ = false;
  bool ended_ = false;
};

}  // namespace vloop::adapter
