// SPDX-License-Identifier: MIT
#include "adapter/listening_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "runtime/setup_error.hpp"

namespace vloop::adapter {
namespace {

// One front end is served at a time; others are told so, or wait while one is taken leave of.
constexpr int backlog = 8;

// Between looks at a socket that may be a dead process's: about a second in all.
constexpr std::chrono::milliseconds first_pause{10};
constexpr std::chrono::milliseconds last_pause{640};

std::string tried(const std::string& path) {
  return "cannot listen on " + path;
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    throw setup_error(ENAMETOOLONG, tried(path), "a socket's path has at most 107 bytes");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

owned_fd new_socket(const std::string& path) {
  owned_fd made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made) throw setup_error(errno, tried(path));
  return made;
}

// EAGAIN: he listens, and has more to accept than he can.
bool can_connect(const std::string& path, const sockaddr_un& address) {
  const owned_fd probe = new_socket(path);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  if (errno == ECONNREFUSED || errno == ENOENT) return false;
  if (errno == EAGAIN) return true;
  throw setup_error(errno, tried(path), "what is there cannot be looked at");
}

// Somebody who listens there would be cut off from it. The kernel lets go of the socket of a process that was killed
// only some time after its end, when it has taken its io_uring apart: so look again.
bool somebody_listens(const std::string& path, const sockaddr_un& address) {
  for (auto pause = first_pause; pause <= last_pause; pause *= 2) {
    if (!can_connect(path, address)) return false;
    std::this_thread::sleep_for(pause);
  }
  return can_connect(path, address);
}

void clear_the_way(const std::string& path, const sockaddr_un& address) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0) {
    if (errno == ENOENT) return;
    throw setup_error(errno, tried(path));
  }
  if (!S_ISSOCK(there.st_mode))
    throw setup_error(EEXIST, tried(path), "what is there is no socket; give another path, or remove it");
  if (somebody_listens(path, address))
    throw setup_error(EADDRINUSE, tried(path), "another process listens there; stop it, or give another path");
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    throw setup_error(errno, tried(path), "the socket that a dead process left cannot be removed");
}

}  // namespace

listening_socket::listening_socket(const listen_options& where) {
  if (where.path.empty()) {
    inherit(where.inherited_fd);
  } else {
    make(where);
  }
}

// The mode is that of the socket before it has a name, so that there is no moment at which others could connect.
void listening_socket::make(const listen_options& where) {
  const sockaddr_un address = address_of(where.path);
  clear_the_way(where.path, address);
  fd_ = new_socket(where.path);
  if (::fchmod(fd_.get(), where.mode) != 0 ||
      ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw setup_error(errno, tried(where.path), errno == ENOENT ? "its folder has to be there" : "");
  path_ = where.path;
  struct stat made {};
  if (::lstat(path_.c_str(), &made) == 0) {
    device_ = made.st_dev;
    inode_ = made.st_ino;
  }
  // What the umask took from the mode was asked for.
  if (::chmod(path_.c_str(), where.mode) != 0 || ::listen(fd_.get(), backlog) != 0) {
    const int error = errno;
    remove();
    throw setup_error(error, tried(where.path));
  }
}

void listening_socket::inherit(int fd) {
  const std::string name = "descriptor " + std::to_string(fd);
  int listens = 0, domain = 0, type = 0;
  socklen_t size = sizeof(int);
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0)
    throw setup_error(errno, tried(name), "it has to be a unix socket that somebody opened for vloop");
  ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
  ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
  if (!listens || domain != AF_UNIX || type != SOCK_STREAM)
    throw setup_error(EINVAL, tried(name), "it is no unix stream socket that listens");
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || ::fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
    throw setup_error(errno, tried(name));
  fd_ = owned_fd(fd);
}

owned_fd listening_socket::accept() const {
  return owned_fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

void listening_socket::remove() {
  fd_ = owned_fd();
  struct stat there {};
  if (!path_.empty() && ::lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ && there.st_ino == inode_)
    ::unlink(path_.c_str());
  path_.clear();
}

}  // namespace vloop::adapter
