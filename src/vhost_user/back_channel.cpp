// SPDX-License-Identifier: MIT
#include "vhost_user/back_channel.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <span>
#include <utility>

#include "runtime/setup_error.hpp"

namespace vloop::vhost_user {
namespace {

constexpr const char* whole = "its back channel";

std::array<owned_fd, 2> make_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw setup_error(errno, "cannot make a pair of sockets");
  return {owned_fd(ends[0]), owned_fd(ends[1])};
}

std::string wrong_with(const message& m) {
  if (m.header.code != static_cast<std::uint32_t>(backend_code::config_changed))
    return "it asks for " + std::to_string(m.header.code) + ", which it was not offered";
  if (m.header.flags & message_header::reply) return "it replied to what nobody asked it there";
  if (!m.payload.empty()) return "its CONFIG_CHANGE_MSG has " + std::to_string(m.payload.size()) + " bytes, not none";
  if (!m.fds.empty()) return "its CONFIG_CHANGE_MSG has descriptors: " + std::to_string(m.fds.size()) + ", not none";
  return {};
}

}  // namespace

back_channel::back_channel(const std::string& daemon, std::chrono::milliseconds limit)
    : back_channel(make_pair(), daemon, limit) {}

back_channel::back_channel(std::array<owned_fd, 2> ends, const std::string& daemon, std::chrono::milliseconds limit)
    : ours_(std::move(ends[0]), daemon, limit), theirs_(std::move(ends[1])) {}

void back_channel::give_to(client& daemon) {
  daemon.set_backend_channel(theirs_.get());
  theirs_ = owned_fd{};
}

back_channel::news back_channel::take(bool reply_ack) {
  message m;
  try {
    m = ours_.receive(whole);
    if (const std::string wrong = wrong_with(m); !wrong.empty()) ours_.refuse(whole, EPROTO, wrong);
    if (reply_ack) acknowledge(m);
  } catch (const std::system_error& error) {
    // A daemon may give it up; that it died shows on its socket.
    if (error.code().value() == ECONNRESET) return news::closed;
    throw;
  }
  return news::config_changed;
}

void back_channel::acknowledge(const message& m) {
  if ((m.header.flags & message_header::need_reply) == 0) return;
  const std::uint64_t taken_note_of = 0;
  const message_header header{
      .code = m.header.code, .flags = message_header::version | message_header::reply, .size = sizeof taken_note_of};
  ours_.send(whole, header, std::as_bytes(std::span(&taken_note_of, 1)), {});
}

}  // namespace vloop::vhost_user
