// SPDX-License-Identifier: MIT
#include "adapter/report.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace vloop::adapter {

namespace {

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out += '"';
}

}  // namespace

std::string device_line(const device_there& device) {
  return fmt::format("{} {} {}", device.node.empty() ? "-" : device.node, device.kind, device.label);
}

std::string device_json(const device_there& device) {
  return fmt::format(R"({{"device":{},"path":{},"virtio":{},"node":{}}})", json_string(device.kind),
                     json_string(device.label), json_string(device.virtio),
                     device.node.empty() ? "null" : json_string(device.node));
}

bool notify_service_manager(std::string_view state) {
  const char* const name = std::getenv("NOTIFY_SOCKET");
  if (name == nullptr || (name[0] != '/' && name[0] != '@')) return false;
  sockaddr_un address{};
  const std::size_t length = std::strlen(name);
  if (length < 2 || length >= sizeof address.sun_path) return false;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name, length);
  if (name[0] == '@') address.sun_path[0] = '\0';  // the abstract name space

  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const auto address_bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  const auto sent = sendto(fd, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                           reinterpret_cast<const sockaddr*>(&address), address_bytes);
  close(fd);
  return sent == static_cast<ssize_t>(state.size());
}

}  // namespace vloop::adapter
