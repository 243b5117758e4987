// SPDX-License-Identifier: MIT
#include "adapter/detached_write.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <string>

namespace {

using vloop::adapter::write_detached;

constexpr int patience_ms = 20'000;

// A pipe with a name: to open it for writing waits for a reader, for ever if none comes.
class named_pipe {
 public:
  named_pipe() {
    ::unlink(path_.c_str());
    REQUIRE(::mkfifo(path_.c_str(), 0600) == 0);
  }
  named_pipe(const named_pipe&) = delete;
  named_pipe& operator=(const named_pipe&) = delete;
  ~named_pipe() { ::unlink(path_.c_str()); }

  const std::string& path() const { return path_; }

  // All that comes until the writers are gone.
  std::string read_to_the_end() const {
    const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    std::string text;
    std::array<char, 64> some;
    for (;;) {
      pollfd wanted{fd, POLLIN, 0};
      REQUIRE(::poll(&wanted, 1, patience_ms) == 1);
      const ssize_t count = ::read(fd, some.data(), some.size());
      if (count <= 0) break;
      text.append(some.data(), static_cast<std::size_t>(count));
    }
    ::close(fd);
    return text;
  }

 private:
  std::string path_ = "vloop-test-pipe-" + std::to_string(::getpid());
};

}  // namespace

TEST_CASE("a detached write returns though the file makes its writer wait, and is done when it can be") {
  const named_pipe pipe;
  write_detached(pipe.path(), "none");
  CHECK(pipe.read_to_the_end() == "none");
}

TEST_CASE("a detached write leaves no child to wait for") {
  write_detached("/dev/null", "none");
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}

TEST_CASE("a detached write keeps nothing open that its caller had open") {
  const named_pipe pipe;
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), 0) == 0);
  write_detached(pipe.path(), "none");  // waits for a reader
  ::close(ends[1]);
  pollfd hung_up{ends[0], POLLIN, 0};
  CHECK(::poll(&hung_up, 1, patience_ms) == 1);
  CHECK((hung_up.revents & POLLHUP) != 0);
  ::close(ends[0]);
  CHECK(pipe.read_to_the_end() == "none");
}
