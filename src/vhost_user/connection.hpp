// SPDX-License-Identifier: MIT
// The unix socket to a daemon: whole messages out, whole messages in, and no wait without an end. A daemon that hangs
// in the middle of a message costs `limit` and one error; one that sends what no message looks like costs one error.
// Descriptors that come are closed unless somebody takes them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "devices/owned_fd.hpp"
#include "vhost_user/message.hpp"

namespace vloop::vhost_user {

struct message {
  message_header header;
  std::vector<std::byte> payload;
  std::vector<owned_fd> fds;
};

class connection {
 public:
  // `name` is for errors: "the vhost-user daemon at /run/x.sock". `limit` is for each message.
  connection(owned_fd socket, std::string name, std::chrono::milliseconds limit)
      : socket_(std::move(socket)), name_(std::move(name)), limit_(limit) {}

  // Throws setup_error.
  static connection open(const std::string& path, std::chrono::milliseconds limit);

  int fd() const { return socket_.get(); }
  const std::string& name() const { return name_; }
  std::chrono::milliseconds limit() const { return limit_; }

  // A descriptor that becomes readable when nobody wants to wait any more: what is under way ends with ECANCELED.
  void end_waits_by(int fd) { cancel_fd_ = fd; }

  // No wait is longer from now on, whatever the limit of a message.
  void end_all_by(std::chrono::steady_clock::time_point when) { end_by_ = when; }

  // Both throw setup_error that names `what` ("GET_CONFIG") and the daemon.
  void send(const char* what, const message_header& header, std::span<const std::byte> payload,
            std::span<const int> fds);
  message receive(const char* what);

  [[noreturn]] void refuse(const char* what, int error, const std::string& why) const;

 private:
  using clock = std::chrono::steady_clock;

  clock::time_point deadline() const { return std::min(clock::now() + limit_, end_by_); }
  void wait_for(const char* what, short events, clock::time_point until) const;
  void receive_exactly(const char* what, std::span<std::byte> bytes, std::vector<owned_fd>& fds,
                       clock::time_point until);

  owned_fd socket_;
  std::string name_;
  std::chrono::milliseconds limit_;
  clock::time_point end_by_ = clock::time_point::max();
  int cancel_fd_ = -1;
};

}  // namespace vloop::vhost_user
