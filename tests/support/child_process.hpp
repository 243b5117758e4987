// SPDX-License-Identifier: MIT
// A program that runs beside the test, quiet, and does not outlive it.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

extern char** environ;

namespace vloop::test {

class child_process {
 public:
  // words: the program's path and its arguments.
  explicit child_process(const std::vector<std::string>& words) {
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    const int error = ::posix_spawn(&pid_, arguments.front(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("cannot start " + words.front());
  }
  ~child_process() { end(SIGKILL); }
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  void tell(int signal) const { ::kill(pid_, signal); }

  // Its wait status. Idempotent.
  int end(int signal) {
    if (pid_ > 0) {
      ::kill(pid_, signal);
      ::waitpid(std::exchange(pid_, 0), &status_, 0);
    }
    return status_;
  }

 private:
  pid_t pid_ = 0;
  int status_ = 0;
};

}  // namespace vloop::test
