// SPDX-License-Identifier: MIT
// Real files, pipes and eventfds for the tests, closed at the end of the scope.
#pragma once

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/loop.hpp"

namespace vloop::test {

class descriptor {
 public:
  explicit descriptor(int fd) : fd_(fd) {
    if (fd < 0) throw std::runtime_error("the test could not open what it needs");
  }
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&&) = delete;
  ~descriptor() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

/// Two ends with a direction.
class channel {
 public:
  descriptor read_end;
  descriptor write_end;

  void put(std::string_view text) const {
    if (::write(write_end.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
  }

 protected:
  explicit channel(std::array<int, 2> fds) : read_end(fds[0]), write_end(fds[1]) {}
};

/// Operations on it may pass through a kernel thread before they complete (until Linux 6.4).
class pipe_ends : public channel {
 public:
  pipe_ends() : channel(make()) {}

 private:
  static std::array<int, 2> make() {
    std::array<int, 2> fds{-1, -1};
    if (::pipe2(fds.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    return fds;
  }
};

/// Operations that need not wait complete within their submission.
class socket_ends : public channel {
 public:
  socket_ends() : channel(make()) {}

 private:
  static std::array<int, 2> make() {
    std::array<int, 2> fds{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) throw std::runtime_error("no sockets");
    return fds;
  }
};

/// A file on disk that has no name any more.
inline descriptor temporary_file() {
  std::string name = "/tmp/vloop-test-XXXXXX";
  descriptor file(::mkostemp(name.data(), O_CLOEXEC));
  ::unlink(name.c_str());
  return file;
}

inline descriptor memory_file() {
  return descriptor(::memfd_create("vloop-test", MFD_CLOEXEC));
}

inline std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A small ring in the given mode, with limits fit for a test.
inline loop_options ring_in(ring_mode mode) {
  loop_options options;
  options.entries = 64;
  options.best_mode = mode;
  return options;
}

}  // namespace vloop::test
