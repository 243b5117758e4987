// SPDX-License-Identifier: MIT
#include "event_node.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

event_node::event_node(const std::string& path) : fd_(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)) {
  if (fd_ < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
}

event_node::~event_node() {
  ::close(fd_);
}

event event_node::next(int seconds) {
  if (next_ == read_.size()) {
    pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, seconds * 1000) != 1) throw std::runtime_error("no event came");
    read_.resize(64);
    const ssize_t bytes = ::read(fd_, read_.data(), read_.size() * sizeof(input_event));
    if (bytes <= 0) throw std::runtime_error(std::string("reading events: ") + std::strerror(errno));
    read_.resize(static_cast<std::size_t>(bytes) / sizeof(input_event));
    next_ = 0;
  }
  const input_event& raw = read_[next_++];
  if (raw.type == EV_SYN && raw.code == SYN_DROPPED) throw std::runtime_error("the reader was too slow: SYN_DROPPED");
  return {raw.type, raw.code, raw.value};
}

std::string event_node::state() const {
  std::array<unsigned char, KEY_CNT / 8> keys{};
  std::array<unsigned char, 8> switches{};
  ::ioctl(fd_, EVIOCGKEY(keys.size()), keys.data());
  ::ioctl(fd_, EVIOCGSW(switches.size()), switches.data());
  std::string text = "keys";
  for (std::size_t code = 0; code < KEY_CNT; ++code)
    if (keys[code / 8] >> (code % 8) & 1) text += " " + std::to_string(code);
  text += " switches";
  for (std::size_t code = 0; code < SW_CNT; ++code)
    if (switches[code / 8] >> (code % 8) & 1) text += " " + std::to_string(code);
  text += " axes";
  for (unsigned axis = 0; axis < ABS_CNT; ++axis) {
    input_absinfo info{};
    if (::ioctl(fd_, EVIOCGABS(axis), &info) == 0) text += " " + std::to_string(info.value);
  }
  for (unsigned code = ABS_MT_SLOT + 1; code < ABS_CNT; ++code) {
    std::array<std::int32_t, 11> slots{static_cast<std::int32_t>(code)};
    if (::ioctl(fd_, EVIOCGMTSLOTS(sizeof slots), slots.data()) < 0) continue;
    for (const auto value : slots) text += " " + std::to_string(value);
  }
  return text;
}

void event_node::write(const event& e) const {
  input_event raw{};
  raw.type = e.type;
  raw.code = e.code;
  raw.value = e.value;
  if (::write(fd_, &raw, sizeof raw) != sizeof raw) throw std::runtime_error("writing to an event node");
}
