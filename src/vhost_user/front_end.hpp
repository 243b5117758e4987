// SPDX-License-Identifier: MIT
// The socket to a front end, as the back end that we are has it: whole messages in, replies out, without a thread of
// its own. A front end that stops in the middle of a message, or does not take a reply, holds nobody up but itself, and
// that for `rest_max`.
//
// Used on the thread of its loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "devices/owned_fd.hpp"
#include "runtime/loop.hpp"
#include "runtime/task.hpp"
#include "vhost_user/connection.hpp"
#include "vhost_user/message.hpp"

namespace vloop::vhost_user {

class front_end {
 public:
  front_end(owned_fd socket, loop& io, std::chrono::milliseconds rest_max)
      : socket_(std::move(socket)), io_(io), rest_max_(rest_max) {}

  // The next message, whose header says no more than a message can have; nullopt once the other side has closed the
  // connection between two messages, or hang_up() was called. Throws setup_error.
  task<std::optional<message>> next();

  // Throws setup_error.
  task<void> send(const message_header& header, std::span<const std::byte> payload, std::span<const int> fds);

  // Whoever waits in here does not any more. Idempotent.
  void hang_up();

  // The other side has closed it, whether or not that was read.
  bool gone() const;

 private:
  task<bool> receive(std::span<std::byte> bytes, std::vector<owned_fd>& fds, bool begun);
  task<bool> wait(unsigned events, bool bounded);

  owned_fd socket_;
  loop& io_;
  std::chrono::milliseconds rest_max_;
  bool hung_up_ = false;
};

}  // namespace vloop::vhost_user
