// SPDX-License-Identifier: MIT
#include "vhost_user/front_end.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "runtime/setup_error.hpp"
#include "vhost_user/socket_message.hpp"

namespace vloop::vhost_user {
namespace {

constexpr std::size_t bytes_max = sizeof(message_header) + payload_bytes_max;

bool would_wait(std::ptrdiff_t result) {
  return result == -EAGAIN || result == -EINTR;
}

void check_header(const message_header& header) {
  const char* const what = to_string(static_cast<request_code>(header.code));
  constexpr std::uint32_t known = message_header::version_mask | message_header::need_reply;
  if ((header.flags & message_header::version_mask) != message_header::version)
    throw setup_error(EPROTO, what,
                      "a message of version " + std::to_string(header.flags & message_header::version_mask));
  if (header.flags & message_header::reply) throw setup_error(EPROTO, what, "a reply that nobody asked for");
  if (header.flags & ~known) throw setup_error(EPROTO, what, "reserved flags " + std::to_string(header.flags));
  if (header.size > payload_bytes_max)
    throw setup_error(EPROTO, what, "a message of " + std::to_string(header.size) + " bytes");
}

}  // namespace

void front_end::hang_up() {
  hung_up_ = true;
  ::shutdown(socket_.get(), SHUT_RDWR);
}

bool front_end::gone() const {
  pollfd look{.fd = socket_.get(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&look, 1, 0) > 0;
}

// False: it took too long.
task<bool> front_end::wait(unsigned events, bool bounded) {
  operation ready = io_.poll_add(socket_.get(), events);
  if (!bounded) {
    co_await ready;
    co_return true;
  }
  bounded_operation in_time = with_timeout(ready, rest_max_);
  const std::int32_t result = co_await in_time;
  co_return result != -ETIME;
}

// False: the connection was closed before the first byte, and nothing has begun; or we have closed it.
task<bool> front_end::receive(std::span<std::byte> bytes, std::vector<owned_fd>& fds, bool begun) {
  while (!bytes.empty()) {
    const std::ptrdiff_t got = receive_some(socket_.get(), bytes, fds);
    if (got > 0) {
      begun = true;
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    } else if (would_wait(got)) {
      const bool in_time = co_await wait(POLLIN, begun);
      if (!in_time)
        throw setup_error(ETIMEDOUT, "its message",
                          "the rest of it did not come within " + std::to_string(rest_max_.count()) + " ms");
    } else if (got == -EPROTO) {
      throw setup_error(EPROTO, "its message", "it has more than " + std::to_string(fds_max) + " descriptors");
    } else if (hung_up_ || (!begun && (got == 0 || got == -ECONNRESET))) {
      co_return false;
    } else {
      throw setup_error(got == 0 ? ECONNRESET : static_cast<int>(-got), "its message",
                        "the connection ended in the middle of it");
    }
  }
  co_return true;
}

task<std::optional<message>> front_end::next() {
  message m;
  const bool there = co_await receive(std::as_writable_bytes(std::span(&m.header, 1)), m.fds, false);
  if (!there || hung_up_) co_return std::nullopt;
  check_header(m.header);
  m.payload.resize(m.header.size);
  const bool whole = co_await receive(m.payload, m.fds, true);
  if (!whole) co_return std::nullopt;
  co_return std::optional<message>(std::move(m));
}

task<void> front_end::send(const message_header& header, std::span<const std::byte> payload, std::span<const int> fds) {
  assert(header.size == payload.size() && payload.size() <= payload_bytes_max);
  std::array<std::byte, bytes_max> bytes;
  std::memcpy(bytes.data(), &header, sizeof header);
  std::copy(payload.begin(), payload.end(), bytes.begin() + sizeof header);
  std::span<const std::byte> left = std::span(bytes).first(sizeof header + payload.size());
  while (!left.empty()) {
    const std::ptrdiff_t sent = send_some(socket_.get(), left, fds);
    if (sent > 0) {
      left = left.subspan(static_cast<std::size_t>(sent));
      fds = {};  // they left with the first byte
    } else if (would_wait(sent)) {
      const bool in_time = co_await wait(POLLOUT, true);
      if (!in_time) throw setup_error(ETIMEDOUT, "a message to it", "it does not take it");
    } else {
      throw setup_error(static_cast<int>(-sent), "a message to it", "it has closed the connection");
    }
  }
}

}  // namespace vloop::vhost_user
