// SPDX-License-Identifier: MIT
#include "vhost_user/client.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "vring/inflight_log.hpp"

namespace vloop::vhost_user {
namespace {

// Whether the next daemon will be able to: found out now, not when a request depends on it.
bool is_mappable(const inflight_region& region) {
  const auto [size, offset] = std::pair(region.where.mmap_size, region.where.mmap_offset);
  struct stat file {};
  if (::fstat(region.memory.get(), &file) != 0 || file.st_size < 0) return false;
  const auto there = static_cast<std::uint64_t>(file.st_size);
  if (offset > there || size > there - offset) return false;
  void* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, region.memory.get(), static_cast<off_t>(offset));
  if (memory == MAP_FAILED) return false;
  ::munmap(memory, size);
  return true;
}

}  // namespace

void client::send(request_code code, std::uint32_t flags, std::span<const std::byte> payload,
                  std::span<const int> fds) {
  const message_header header{.code = static_cast<std::uint32_t>(code),
                              .flags = message_header::version | flags,
                              .size = static_cast<std::uint32_t>(payload.size())};
  connection_.send(to_string(code), header, payload, fds);
}

message client::receive_any_reply(request_code code) {
  const char* const what = to_string(code);
  message m = connection_.receive(what);
  if (m.header.code != static_cast<std::uint32_t>(code))
    connection_.refuse(what, EPROTO, "it replied to request " + std::to_string(m.header.code) + " instead");
  if ((m.header.flags & message_header::reply) == 0)
    connection_.refuse(what, EPROTO, "its message is not marked as a reply");
  return m;
}

std::vector<std::byte> client::receive_reply(request_code code) {
  message m = receive_any_reply(code);
  if (!m.fds.empty())
    connection_.refuse(to_string(code), EPROTO,
                       "its reply has descriptors: " + std::to_string(m.fds.size()) + ", not none");
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

void client::set_memory(const memory_region& all, int fd) {
  send_set(request_code::set_mem_table, memory_table{.region = all}, std::span(&fd, 1));
}

void client::add_memory(const memory_region& one, int fd) {
  send_set(request_code::add_mem_reg, memory_slot{.region = one}, std::span(&fd, 1));
}

void client::remove_memory(const memory_region& one) {
  send_set(request_code::rem_mem_reg, memory_slot{.region = one});
}

void client::set_backend_channel(int fd) {
  send_set_bytes(request_code::set_backend_req_fd, {}, std::span(&fd, 1));
}

std::uint32_t client::get_vring_base(std::uint32_t index) {
  constexpr auto code = request_code::get_vring_base;
  const vring_state asked{.index = index, .value = 0};
  send(code, 0, std::as_bytes(std::span(&asked, 1)), {});
  const auto bytes = receive_reply(code);
  vring_state told;
  if (bytes.size() != sizeof told)
    connection_.refuse(to_string(code), EPROTO,
                       "its reply has " + std::to_string(bytes.size()) + " bytes, not " + std::to_string(sizeof told));
  std::memcpy(&told, bytes.data(), sizeof told);
  if (told.index != index)
    connection_.refuse(to_string(code), EPROTO,
                       "its reply is for queue " + std::to_string(told.index) + ", not " + std::to_string(index));
  return told.value;
}

inflight_region client::get_inflight(std::uint16_t queues, std::uint16_t queue_size) {
  constexpr auto code = request_code::get_inflight_fd;
  const char* const what = to_string(code);
  const inflight_description wanted{.queues = queues, .queue_size = queue_size};
  send(code, 0, std::as_bytes(std::span(&wanted, 1)), {});
  message m = receive_any_reply(code);
  if (m.fds.size() != 1)
    connection_.refuse(what, EPROTO, "its reply has descriptors: " + std::to_string(m.fds.size()) + ", not one");
  if (m.payload.size() < inflight_description_bytes_min || m.payload.size() > sizeof(inflight_description))
    connection_.refuse(what, EPROTO, "its reply has " + std::to_string(m.payload.size()) + " bytes");
  inflight_region region{.memory = std::move(m.fds.front()), .where = wanted};
  std::memcpy(&region.where.mmap_size, m.payload.data(), sizeof region.where.mmap_size);
  std::memcpy(&region.where.mmap_offset, m.payload.data() + sizeof region.where.mmap_size,
              sizeof region.where.mmap_offset);
  if (region.where.mmap_size < inflight_log::bytes(queue_size) * std::size_t{queues})
    connection_.refuse(what, EPROTO,
                       "its region of " + std::to_string(region.where.mmap_size) + " bytes is too small for " +
                           std::to_string(queues) + " queue(s) of " + std::to_string(queue_size));
  if (!is_mappable(region)) connection_.refuse(what, EPROTO, "its region cannot be mapped where it says");
  return region;
}

void client::set_inflight(const inflight_region& kept) {
  const int fd = kept.memory.get();
  send_set(request_code::set_inflight_fd, kept.where, std::span(&fd, 1));
}

void client::set_config(std::span<const std::byte> bytes) {
  const config_head head{.offset = 0, .size = static_cast<std::uint32_t>(bytes.size()), .flags = 0};
  std::vector<std::byte> payload(sizeof head + bytes.size());
  std::memcpy(payload.data(), &head, sizeof head);
  std::copy(bytes.begin(), bytes.end(), payload.begin() + sizeof head);
  send_set_bytes(request_code::set_config, payload, {});
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
