// SPDX-License-Identifier: MIT
// The unix socket that front ends connect to: where it may be made, who may use it, and that it goes with us.
#pragma once

#include <sys/types.h>

#include <string>

#include "adapter/listen_options.hpp"
#include "devices/owned_fd.hpp"

namespace vloop::adapter {

class listening_socket {
 public:
  // A socket that nobody listens on any more is replaced; one that somebody listens on, and what is no socket, is left
  // alone. Throws setup_error.
  explicit listening_socket(const listen_options& where);
  ~listening_socket() { remove(); }
  listening_socket(const listening_socket&) = delete;
  listening_socket& operator=(const listening_socket&) = delete;

  int fd() const { return fd_.get(); }

  // Does not wait. Empty, and errno, if there is none, or none can be had.
  owned_fd accept() const;

  // Nobody can connect any more. The path goes, unless it is another's by now. Idempotent.
  void remove();

 private:
  void make(const listen_options& where);
  void inherit(int fd);

  owned_fd fd_;
  std::string path_;  // empty: not ours to remove
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace vloop::adapter
