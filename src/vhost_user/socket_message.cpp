// SPDX-License-Identifier: MIT
#include "vhost_user/socket_message.hpp"

#include <sys/socket.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "vhost_user/message.hpp"

namespace vloop::vhost_user {
namespace {

constexpr std::size_t control_bytes = CMSG_SPACE(sizeof(int) * fds_max);
constexpr std::size_t kernel_fds_max = 253;  // SCM_MAX_FD: more do not leave

void take_fds(msghdr& received, std::vector<owned_fd>& fds) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&received); part; part = CMSG_NXTHDR(&received, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
}

}  // namespace

std::ptrdiff_t receive_some(int socket, std::span<std::byte> bytes, std::vector<owned_fd>& fds) {
  alignas(cmsghdr) std::array<char, control_bytes> control{};
  iovec piece{.iov_base = bytes.data(), .iov_len = bytes.size()};
  msghdr in{};
  in.msg_iov = &piece;
  in.msg_iovlen = 1;
  in.msg_control = control.data();
  in.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket, &in, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0) return -errno;
  take_fds(in, fds);
  if (got > 0 && (in.msg_flags & MSG_CTRUNC || fds.size() > fds_max)) return -EPROTO;
  return got;
}

std::ptrdiff_t send_some(int socket, std::span<const std::byte> bytes, std::span<const int> fds) {
  assert(fds.size() <= kernel_fds_max);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kernel_fds_max)> control{};
  iovec piece{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  msghdr out{};
  out.msg_iov = &piece;
  out.msg_iovlen = 1;
  if (!fds.empty()) {
    out.msg_control = control.data();
    out.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* const part = CMSG_FIRSTHDR(&out);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
  }
  const ssize_t sent = ::sendmsg(socket, &out, MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? -errno : sent;
}

}  // namespace vloop::vhost_user
