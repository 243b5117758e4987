// SPDX-License-Identifier: MIT
#include "vhost_user/client.hpp"

#include <cerrno>
#include <cstring>
#include <string>

namespace vloop::vhost_user {

void client::send(request_code code, std::uint32_t flags, std::span<const std::byte> payload,
                  std::span<const int> fds) {
  const message_header header{.code = static_cast<std::uint32_t>(code),
                              .flags = message_header::version | flags,
                              .size = static_cast<std::uint32_t>(payload.size())};
  connection_.send(to_string(code), header, payload, fds);
}

std::vector<std::byte> client::receive_reply(request_code code) {
  const char* const what = to_string(code);
  message m = connection_.receive(what);
  if (m.header.code != static_cast<std::uint32_t>(code))
    connection_.refuse(what, EPROTO, "it replied to request " + std::to_string(m.header.code) + " instead");
  if ((m.header.flags & message_header::reply) == 0)
    connection_.refuse(what, EPROTO, "its message is not marked as a reply");
  if (!m.fds.empty())
    connection_.refuse(what, EPROTO, "its reply has descriptors: " + std::to_string(m.fds.size()) + ", not none");
  return std::move(m.payload);
}

std::uint64_t client::receive_number(request_code code) {
  const auto bytes = receive_reply(code);
  std::uint64_t value = 0;
  if (bytes.size() != sizeof value)
    connection_.refuse(to_string(code), EPROTO,
                       "its reply has " + std::to_string(bytes.size()) + " bytes, not " + std::to_string(sizeof value));
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

void client::send_set_bytes(request_code code, std::span<const std::byte> payload, std::span<const int> fds) {
  send(code, acknowledged_ ? message_header::need_reply : 0, payload, fds);
  if (!acknowledged_) return;
  if (const std::uint64_t result = receive_number(code); result != 0)
    connection_.refuse(to_string(code), EPROTO, "it refused that with status " + std::to_string(result));
}

std::uint64_t client::get(request_code code) {
  send(code, 0, {}, {});
  return receive_number(code);
}

void client::set(request_code code, std::uint64_t value) {
  send_set(code, value);
}

void client::say(request_code code) {
  send_set_bytes(code, {}, {});
}

void client::set_vring(request_code code, std::uint32_t index, std::uint32_t value) {
  send_set(code, vring_state{.index = index, .value = value});
}

void client::set_vring_address(const vring_address& where) {
  send_set(request_code::set_vring_addr, where);
}

void client::set_vring_fd(request_code code, std::uint32_t index, int fd) {
  send_set(code, std::uint64_t{index}, std::span(&fd, 1));
}

void client::set_memory(const memory_table& table, int fd) {
  send_set(request_code::set_mem_table, table, std::span(&fd, 1));
}

void client::set_backend_channel(int fd) {
  send_set_bytes(request_code::set_backend_req_fd, {}, std::span(&fd, 1));
}

std::optional<std::vector<std::byte>> client::get_config(std::uint32_t size) {
  constexpr auto code = request_code::get_config;
  const config_head wanted{.offset = 0, .size = size, .flags = 0};
  std::vector<std::byte> payload(sizeof wanted + size);  // the request has the room that the reply fills
  std::memcpy(payload.data(), &wanted, sizeof wanted);
  send(code, 0, payload, {});
  auto bytes = receive_reply(code);
  if (bytes.empty()) return std::nullopt;  // how a daemon says no to this one
  config_head head;
  if (bytes.size() < sizeof head)
    connection_.refuse(to_string(code), EPROTO, "its reply has " + std::to_string(bytes.size()) + " bytes");
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.size == 0 && bytes.size() == sizeof head) return std::nullopt;
  if (head.offset != 0 || head.size != size || bytes.size() != sizeof head + size)
    connection_.refuse(to_string(code), EPROTO,
                       "its reply has " + std::to_string(bytes.size() - sizeof head) + " bytes of configuration, not " +
                           std::to_string(size));
  bytes.erase(bytes.begin(), bytes.begin() + sizeof head);
  return bytes;
}

}  // namespace vloop::vhost_user
