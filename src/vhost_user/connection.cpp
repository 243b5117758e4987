// SPDX-License-Identifier: MIT
#include "vhost_user/connection.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "runtime/setup_error.hpp"
#include "vhost_user/socket_message.hpp"

namespace vloop::vhost_user {
namespace {

std::string how_to_connect(int error) {
  if (error == ENOENT) return "start the daemon first";
  if (error == ECONNREFUSED) return "nobody listens there; start the daemon first";
  if (error == EAGAIN) return "the daemon accepts no connection; it may have a front end already";
  if (error == EPROTOTYPE) return "it is no stream socket";
  return {};
}

bool would_wait(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace

connection connection::open(const std::string& path, std::chrono::milliseconds limit) {
  const std::string name = "the vhost-user daemon at " + path;
  const std::string tried = "cannot connect to " + name;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    throw setup_error(ENAMETOOLONG, tried, "a socket's path has at most 107 bytes");
  std::memcpy(address.sun_path, path.data(), path.size());
  owned_fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) throw setup_error(errno, tried);
  // A listener whose backlog is full makes connect() wait; this is how long.
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit);
  const timeval time{.tv_sec = seconds.count(), .tv_usec = std::chrono::microseconds(limit - seconds).count()};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw setup_error(errno, tried, how_to_connect(errno));
  return connection(std::move(socket), name, limit);
}

void connection::refuse(const char* what, int error, const std::string& why) const {
  throw setup_error(error, name_ + ": " + what, why);
}

void connection::wait_for(const char* what, short events, clock::time_point until) const {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
    if (left <= 0) refuse(what, ETIMEDOUT, "no answer within " + std::to_string(limit_.count()) + " ms");
    std::array<pollfd, 2> waits{
        {{.fd = socket_.get(), .events = events, .revents = 0}, {.fd = cancel_fd_, .events = POLLIN, .revents = 0}}};
    const int ready = ::poll(waits.data(), waits.size(), static_cast<int>(left));
    if (ready < 0 && errno != EINTR) refuse(what, errno, "");
    if (ready <= 0) continue;
    if (waits[1].revents != 0) refuse(what, ECANCELED, "");
    return;
  }
}

void connection::send(const char* what, const message_header& header, std::span<const std::byte> payload,
                      std::span<const int> fds) {
  assert(header.size == payload.size() && payload.size() <= payload_bytes_max && fds.size() <= fds_max);
  std::array<std::byte, sizeof header + payload_bytes_max> bytes;
  std::memcpy(bytes.data(), &header, sizeof header);
  std::copy(payload.begin(), payload.end(), bytes.begin() + sizeof header);
  std::span<std::byte> left = std::span(bytes).first(sizeof header + payload.size());

  const auto until = deadline();
  while (!left.empty()) {
    const std::ptrdiff_t sent = send_some(socket_.get(), left, fds);
    if (sent > 0) {
      left = left.subspan(static_cast<std::size_t>(sent));
      fds = {};  // they left with the first byte
    } else if (sent == -EPIPE || sent == -ECONNRESET) {
      refuse(what, ECONNRESET, "it closed the connection");
    } else if (sent < 0 && !would_wait(static_cast<int>(-sent))) {
      refuse(what, static_cast<int>(-sent), "");
    } else {
      wait_for(what, POLLOUT, until);
    }
  }
}

void connection::receive_exactly(const char* what, std::span<std::byte> bytes, std::vector<owned_fd>& fds,
                                 clock::time_point until) {
  while (!bytes.empty()) {
    const std::ptrdiff_t got = receive_some(socket_.get(), bytes, fds);
    if (got > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    } else if (got == -EPROTO) {
      refuse(what, EPROTO, "its message has more than " + std::to_string(fds_max) + " descriptors");
    } else if (got == 0 || got == -ECONNRESET) {
      refuse(what, ECONNRESET, "it closed the connection");
    } else if (!would_wait(static_cast<int>(-got))) {
      refuse(what, static_cast<int>(-got), "");
    } else {
      wait_for(what, POLLIN, until);
    }
  }
}

message connection::receive(const char* what) {
  const auto until = deadline();
  message m;
  receive_exactly(what, std::as_writable_bytes(std::span(&m.header, 1)), m.fds, until);
  if ((m.header.flags & message_header::version_mask) != message_header::version)
    refuse(what, EPROTO, "its message is of version " + std::to_string(m.header.flags & message_header::version_mask));
  if (m.header.size > payload_bytes_max)
    refuse(what, EPROTO, "its message has " + std::to_string(m.header.size) + " bytes");
  m.payload.resize(m.header.size);
  receive_exactly(what, m.payload, m.fds, until);
  return m;
}

}  // namespace vloop::vhost_user
