// SPDX-License-Identifier: MIT
// A process of its own for a part of a case: a server that dies, a child that inherits. A failure in it is the case's.
#pragma once

#include "check.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <new>
#include <utility>

namespace vloop::raw {

class process {
 public:
  template <class Run>
  static process run(Run&& body) {
    const pid_t pid = ::fork();
    expect(pid >= 0, "fork");
    if (pid == 0) {
      int status = 0;
      try {
        body();
      } catch (const std::exception& e) {
        std::printf("FAILED: %s\n    in a process of the case\n", e.what());
        std::fflush(stdout);
        status = 1;
      }
      ::_exit(status);
    }
    return process(pid);
  }

  process(process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  process& operator=(process&&) = delete;
  // What a failed case left behind must not outlive it.
  ~process() {
    if (pid_ > 0) kill(SIGKILL);
  }

  pid_t pid() const { return pid_; }
  void kill(int signal) const { ::kill(pid_, signal); }

  // Waits for the end; false if it did not come within the time.
  bool ended(milliseconds limit = patience) {
    const auto start = clock::now();
    while (::waitpid(pid_, &status_, WNOHANG) == 0) {
      if (clock::now() - start > limit) return false;
      std::this_thread::sleep_for(milliseconds(2));
    }
    pid_ = -1;
    return true;
  }
  // After ended().
  int status() const { return status_; }
  // It must end, and well.
  void join() {
    expect(ended(), "the end of a process");
    expect(status_ == 0, "a process that ends well");
  }
  void kill_and_wait() {
    kill(SIGKILL);
    expect(ended(), "the end of a killed process");
  }

 private:
  explicit process(pid_t pid) : pid_(pid) {}

  pid_t pid_;
  int status_ = 0;
};

// An object that parent and children share.
template <class T>
class shared {
 public:
  shared() {
    void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect(memory != MAP_FAILED, "shared memory");
    value_ = new (memory) T();
  }
  shared(const shared&) = delete;
  shared& operator=(const shared&) = delete;

  T* operator->() const { return value_; }
  T* get() const { return value_; }

 private:
  T* value_;
};

}  // namespace vloop::raw
