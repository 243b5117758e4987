// SPDX-License-Identifier: MIT
// vloop-raw CASE...: each in a process of its own; says "FAILED: why" for the first that goes wrong.
#include "cases.hpp"
#include "check.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

using namespace vloop::raw;

namespace {

constexpr unsigned seconds_max = 60;  // for one case

const named_case* find(std::string_view name) {
  for (const auto& group :
       {allocation_cases(), backing_cases(), changing_cases(), config_cases(),   credential_cases(),  death_cases(),
        end_cases(),        file_cases(),    input_cases(),    length_cases(),   limit_cases(),       mapping_cases(),
        race_cases(),       range_cases(),   read_cases(),     recovery_cases(), replacement_cases(), request_cases(),
        sysfs_cases(),      unload_cases(),  value_cases(),    window_cases()}) {
    for (const auto& one : group) {
      if (name == one.name) return &one;
    }
  }
  return nullptr;
}

[[noreturn]] void finish(int status) {
  std::fflush(stdout);
  // Threads may wait for a disk that only this process serves: nothing is joined.
  ::_exit(status);
}

[[noreturn]] void run(const named_case& one) {
  ::alarm(seconds_max * static_cast<unsigned>(time_factor()));
  try {
    one.run();
  } catch (const std::exception& e) {
    std::printf("FAILED: %s\n    in %s\n", e.what(), one.name);
    finish(1);
  }
  finish(0);
}

bool passes(const named_case& one) {
  const auto start = clock::now();
  const pid_t child = ::fork();
  if (child == 0) run(one);
  int status = 0;
  ::waitpid(child, &status, 0);
  std::printf("%s: %lld ms\n", one.name, static_cast<long long>(milliseconds_since(start)));
  if (WIFSIGNALED(status)) {
    const bool late = WTERMSIG(status) == SIGALRM;
    std::printf("FAILED: %s (%s)\n", late ? "not done in time" : ::strsignal(WTERMSIG(status)), one.name);
  }
  std::fflush(stdout);
  return status == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: vloop-raw CASE...\n");
    return 2;
  }
  for (int i = 1; i < argc; ++i) {
    const auto* one = find(argv[i]);
    if (one == nullptr) {
      std::printf("FAILED: there is no case %s\n", argv[i]);
      return 2;
    }
    if (!passes(*one)) return 1;
  }
  return 0;
}
