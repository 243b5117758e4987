// SPDX-License-Identifier: MIT
#include "adapter/detached_write.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace vloop::adapter {

namespace {

// Other threads may hold any lock: from here on nothing is called but the kernel. What this process has open it must
// not keep open, above all no device.
[[noreturn]] void write_and_exit(const char* path, std::string_view text) {
  ::close_range(0, ~0U, 0);
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::_exit(written ? 0 : 1);
}

}  // namespace

// A child that ends at once, whose child is nobody's: so there is nothing to wait for later.
void write_detached(const std::string& path, std::string_view text) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::fork() == 0) write_and_exit(path.c_str(), text);
    ::_exit(0);
  }
  while (child > 0 && ::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {}
}

}  // namespace vloop::adapter
