// SPDX-License-Identifier: MIT
// The socket on which a daemon makes requests of its front end (the protocol feature BACKEND_REQ). Of what it may ask,
// we offered it one thing: to be told that its configuration has changed. Anything else is a fault.
//
// Used on one thread. One for each connection to a daemon.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>

#include "devices/owned_fd.hpp"
#include "vhost_user/client.hpp"
#include "vhost_user/connection.hpp"

namespace vloop::vhost_user {

class back_channel {
 public:
  // What came of a look at it.
  enum class news : std::uint8_t { config_changed, closed };

  // `daemon` names it in errors; `limit` is for the rest of a message that has begun. Throws setup_error.
  back_channel(const std::string& daemon, std::chrono::milliseconds limit);

  // SET_BACKEND_REQ_FD; from here on the other end is the daemon's alone. Throws setup_error.
  void give_to(client& daemon);

  int fd() const { return ours_.fd(); }  // readable when take() does not wait for the daemon to begin
  void end_waits_by(int fd) { ours_.end_waits_by(fd); }

  // Reads one message, and acknowledges it where that was asked for and REPLY_ACK was negotiated.
  // Throws setup_error for whatever is not CONFIG_CHANGE_MSG.
  news take(bool reply_ack);

 private:
  void acknowledge(const message& m);
  back_channel(std::array<owned_fd, 2> ends, const std::string& daemon, std::chrono::milliseconds limit);

  connection ours_;
  owned_fd theirs_;
};

}  // namespace vloop::vhost_user
