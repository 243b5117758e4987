// SPDX-License-Identifier: MIT
#include "descriptor_mail.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstring>

namespace vloop::raw {

namespace {

// A message of one byte, with room for a descriptor.
struct letter {
  letter() {
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = space.data();
    message.msg_controllen = space.size();
  }
  letter(const letter&) = delete;
  letter& operator=(const letter&) = delete;

  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
  msghdr message{};
};

}  // namespace

ssize_t send_descriptor(int socket, int fd, int flags) {
  letter one;
  auto* header = CMSG_FIRSTHDR(&one.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  return ::sendmsg(socket, &one.message, flags);
}

int receive_descriptor(int socket, int flags) {
  letter one;
  if (::recvmsg(socket, &one.message, flags | MSG_CMSG_CLOEXEC) <= 0) return -1;
  const auto* header = CMSG_FIRSTHDR(&one.message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return -1;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return fd;
}

}  // namespace vloop::raw
