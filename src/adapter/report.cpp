// SPDX-License-Identifier: MIT
#include "adapter/report.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "adapter/json_text.hpp"

namespace vloop::adapter {

namespace {

std::string json_or_null(std::string_view text) {
  return text.empty() ? "null" : json_string(text);
}

// Paths may hold anything; a line stays a line.
std::string printable(std::string_view text) {
  std::string out{text};
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return out;
}

std::string json_list(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const auto& text : texts) {
    if (out.size() > 1) out += ',';
    out += json_string(text);
  }
  return out + "]";
}

}  // namespace

std::string device_line(const device_there& device) {
  return fmt::format("{} {} {}", device.node.empty() ? "-" : device.node, device.kind, device.label);
}

std::string device_json(const device_there& device) {
  return fmt::format(R"({{"device":{},"path":{},"id":{},"virtio":{},"node":{}}})", json_string(device.kind),
                     json_string(device.label), json_or_null(device.id), json_or_null(device.virtio),
                     json_or_null(device.node));
}

std::string device_table_text(const std::vector<listed_device>& devices) {
  if (devices.empty()) return "no devices";
  using row = std::array<std::string, 7>;
  std::vector<row> rows{{"ID", "NODE", "KIND", "STATE", "PID", "RECOVERIES", "BACKING"}};
  for (const auto& d : devices) {
    rows.push_back({d.name(), d.node.empty() ? "-" : d.node, kind_of(d.shape.id), d.state,
                    d.server ? std::to_string(d.server) : "-", std::to_string(d.recoveries), printable(backing_of(d))});
  }
  std::string text;
  for (const auto& one : rows) {
    if (!text.empty()) text += '\n';
    for (std::size_t column = 0; column + 1 < one.size(); ++column) {
      std::size_t width = 0;
      for (const auto& other : rows) width = std::max(width, other[column].size());
      text += fmt::format("{:<{}}  ", one[column], width);
    }
    text += one.back();
  }
  return text;
}

std::string listed_json(const listed_device& d) {
  return fmt::format(
      R"({{"id":{},"node":{},"virtio":{},"device":{},"device_id":{},"state":{},"pid":{},"recoveries":{},)"
      R"("on_exit":{},"grace_ms":{},"owner":{},"backing":{},"files":{},"description":{}}})",
      json_string(d.name()), json_or_null(d.node), json_or_null(d.virtio), json_string(kind_of(d.shape.id)), d.shape.id,
      json_string(d.state), d.server ? std::to_string(d.server) : "null", d.recoveries, json_string(d.on_exit),
      d.grace_ms, d.owner, json_string(backing_of(d)), json_list(d.files), json_string(d.description));
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
