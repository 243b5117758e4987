// SPDX-License-Identifier: MIT
// What an operation works on: a file descriptor, or a file that is registered with the ring.
#pragma once

#include <utility>

namespace vloop {

class loop;

/// A file registered with one loop (no reference counting per operation). Unregisters itself; dies before its loop,
/// on its thread. The loop holds a reference of its own: the descriptor may be closed.
class fixed_file {
 public:
  fixed_file() noexcept = default;
  fixed_file(fixed_file&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)), index_(std::exchange(other.index_, -1)) {}
  fixed_file& operator=(fixed_file&& other) noexcept {
    std::swap(owner_, other.owner_);
    std::swap(index_, other.index_);
    return *this;
  }
  ~fixed_file();

  [[nodiscard]] int index() const noexcept { return index_; }
  explicit operator bool() const noexcept { return owner_ != nullptr; }

 private:
  friend class loop;
  fixed_file(loop& owner, int index) noexcept : owner_(&owner), index_(index) {}
  loop* owner_ = nullptr;
  int index_ = -1;
};

class file_ref {
 public:
  file_ref(int fd) noexcept : number_(fd), fixed_(false) {}                           // NOLINT: implicit
  file_ref(const fixed_file& file) noexcept : number_(file.index()), fixed_(true) {}  // NOLINT: implicit

  [[nodiscard]] int number() const noexcept { return number_; }
  [[nodiscard]] bool fixed() const noexcept { return fixed_; }

 private:
  int number_;
  bool fixed_;
};

}  // namespace vloop
