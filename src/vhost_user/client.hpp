// SPDX-License-Identifier: MIT
// The requests that a front end makes, each with its reply checked: that it answers this request, has the right size
// and brings no descriptors. A set-request is acknowledged where the daemon can do that, so that its refusal is known.
// Every function throws setup_error with one line that names the daemon, the request, and what was wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "devices/owned_fd.hpp"
#include "vhost_user/connection.hpp"
#include "vhost_user/message.hpp"

namespace vloop::vhost_user {

// Keeps the log of a daemon that died for the next one. Never looked into: what it says is between daemons.
struct inflight_region {
  owned_fd memory;
  inflight_description where;
};

class client {
 public:
  explicit client(connection to) : connection_(std::move(to)) {}

  connection& link() { return connection_; }
  const connection& link() const { return connection_; }

  // From now on set-requests ask for an acknowledgement (REPLY_ACK was negotiated).
  void expect_acknowledgements() { acknowledged_ = true; }

  std::uint64_t get(request_code code);
  void set(request_code code, std::uint64_t value);
  void say(request_code code);  // without a payload
  void set_vring(request_code code, std::uint32_t index, std::uint32_t value);
  void set_vring_address(const vring_address& where);
  void set_vring_fd(request_code code, std::uint32_t index, int fd);
  void set_memory(const memory_region& all, int fd);
  void add_memory(const memory_region& one, int fd);
  void remove_memory(const memory_region& one);
  void set_backend_channel(int fd);

  // Stops a ring: the daemon touches it no more. What the next index is that it would have taken.
  std::uint32_t get_vring_base(std::uint32_t index);

  // Memory of the daemon's own for the in-flight log, large enough for these rings, and mappable.
  inflight_region get_inflight(std::uint16_t queues, std::uint16_t queue_size);
  void set_inflight(const inflight_region& kept);

  // Writes the configuration space from its beginning, as the driver does.
  void set_config(std::span<const std::byte> bytes);

  // `size` bytes of the configuration space from its beginning; nullopt: the daemon has no such size.
  std::optional<std::vector<std::byte>> get_config(std::uint32_t size);

 private:
  template <class T>
  void send_set(request_code code, const T& payload, std::span<const int> fds = {}) {
    static_assert(std::is_trivially_copyable_v<T>);
    send_set_bytes(code, std::as_bytes(std::span(&payload, 1)), fds);
  }
  void send(request_code code, std::uint32_t flags, std::span<const std::byte> payload, std::span<const int> fds);
  void send_set_bytes(request_code code, std::span<const std::byte> payload, std::span<const int> fds);
  message receive_any_reply(request_code code);
  std::vector<std::byte> receive_reply(request_code code);
  std::uint64_t receive_number(request_code code);

  connection connection_;
  bool acknowledged_ = false;
};

}  // namespace vloop::vhost_user
