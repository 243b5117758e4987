// SPDX-License-Identifier: MIT
// How a case fails: it throws, naming what was looked at, and the process ends. Calls to the kernel give what the
// kernel gave: a number, or -errno.
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace vloop::raw {

struct failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void expect(bool ok, std::string_view what) {
  if (!ok) throw failure(std::string(what));
}

// -22 as "-EINVAL".
inline std::string result_text(long result) {
  const char* name = result < 0 ? ::strerrorname_np(static_cast<int>(-result)) : nullptr;
  return name != nullptr ? std::string("-") + name : std::to_string(result);
}

inline void equal(std::string_view what, long actual, long expected) {
  if (actual != expected)
    throw failure(std::string(what) + ": " + result_text(actual) + " instead of " + result_text(expected));
}

inline void one_of(std::string_view what, long actual, std::initializer_list<long> allowed) {
  std::string names;
  for (const long one : allowed) {
    if (actual == one) return;
    names += ' ' + result_text(one);
  }
  throw failure(std::string(what) + ": " + result_text(actual) + " is none of" + names);
}

// What a system call returned, with errno folded in.
inline long result_of(long returned) {
  return returned < 0 ? -errno : returned;
}

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

inline std::int64_t milliseconds_since(clock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(clock::now() - start).count();
}

// A number of the environment.
inline int setting(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::max(1, std::atoi(value));
}

// How much longer all may take: on a kernel that checks everything, the machine says so.
inline int time_factor() {
  return setting("time_factor", 1);
}

// Everything that must come about does so within this: under emulation, beside other machines, a second may take many.
// Whoever breaks the module on purpose has less (in seconds).
inline const milliseconds patience{1000 * setting("patience", 20) * time_factor()};

template <class Condition>
void within(milliseconds limit, std::string_view what, Condition&& condition) {
  const auto start = clock::now();
  while (!condition()) {
    if (clock::now() - start > limit)
      throw failure("not within " + std::to_string(limit.count()) + " ms: " + std::string(what));
    std::this_thread::sleep_for(milliseconds(2));
  }
}

}  // namespace vloop::raw
