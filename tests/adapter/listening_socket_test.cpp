// SPDX-License-Identifier: MIT
#include "adapter/listening_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "runtime/setup_error.hpp"

namespace vloop::adapter {
namespace {

using Catch::Matchers::ContainsSubstring;

std::string path_of(const char* name) {
  return "vloop-socket-" + std::to_string(::getpid()) + "-" + name;
}

owned_fd connected(const std::string& path) {
  owned_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return owned_fd();
  return fd;
}

unsigned mode_of(const std::string& path) {
  struct stat there {};
  REQUIRE(::stat(path.c_str(), &there) == 0);
  return there.st_mode & 07777;
}

TEST_CASE("a socket is there with its mode, whatever the umask, and goes with its owner") {
  const std::string path = path_of("mode");
  const mode_t before = ::umask(077);
  {
    const listening_socket socket({.path = path});
    CHECK(mode_of(path) == 0660);
    CHECK(connected(path));
    CHECK(socket.accept());
    CHECK_FALSE(socket.accept());
  }
  CHECK_FALSE(std::filesystem::exists(path));
  {
    const listening_socket socket({.path = path, .mode = 0600});
    CHECK(mode_of(path) == 0600);
  }
  ::umask(before);
}

TEST_CASE("a socket that a dead process left is replaced") {
  const std::string path = path_of("stale");
  {
    const owned_fd left(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    REQUIRE(::bind(left.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  const listening_socket socket({.path = path});
  CHECK(connected(path));
}

TEST_CASE("a socket that somebody listens on is left to him") {
  const std::string path = path_of("live");
  const listening_socket first({.path = path});
  CHECK_THROWS_WITH(listening_socket({.path = path}), ContainsSubstring("another process listens there"));
  CHECK(connected(path));
}

TEST_CASE("what is no socket is left alone") {
  const std::string path = path_of("file");
  std::ofstream(path) << "precious";
  CHECK_THROWS_WITH(listening_socket({.path = path}), ContainsSubstring("is no socket"));
  CHECK(std::filesystem::file_size(path) == 8);
  std::filesystem::remove(path);
}

TEST_CASE("a path that a socket cannot have is refused") {
  CHECK_THROWS_WITH(listening_socket({.path = std::string(108, 'x')}), ContainsSubstring("107 bytes"));
  CHECK_THROWS_WITH(listening_socket({.path = "no-such-folder/socket"}),
                    ContainsSubstring("its folder has to be there"));
}

TEST_CASE("a socket that is another's by now stays when its first owner ends") {
  const std::string path = path_of("moved");
  std::optional<listening_socket> first;
  first.emplace(listen_options{.path = path});
  std::filesystem::remove(path);
  const listening_socket second({.path = path});
  first.reset();
  CHECK(connected(path));
}

TEST_CASE("an inherited socket is listened on, and stays where it is") {
  const std::string path = path_of("inherited");
  {
    const listening_socket opened({.path = path});
    {
      const listening_socket inherited({.inherited_fd = ::dup(opened.fd())});
      CHECK(connected(path));
      CHECK(inherited.accept());
    }
    CHECK(std::filesystem::exists(path));
  }
  CHECK_THROWS_WITH(listening_socket({.inherited_fd = 999}), ContainsSubstring("descriptor 999"));
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  CHECK_THROWS_WITH(listening_socket({.inherited_fd = pair[0]}),
                    ContainsSubstring("no unix stream socket that listens"));
  ::close(pair[0]);
  ::close(pair[1]);
}

}  // namespace
}  // namespace vloop::adapter
