// SPDX-License-Identifier: MIT
// Memory of another process that it may take away under us: whoever has a file's descriptor can truncate the file, and
// what was mapped of it is then SIGBUS to touch. Here it is not: the page that is missed is replaced by one of zeros,
// of our own, and the owner is told that its memory is not what it was.
//
// The first one installs a handler of SIGBUS for the whole process; faults that are not of such memory go to the one
// that was there before. There are places for `most` of them at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace vloop::vhost_user {

class guarded_memory {
 public:
  static constexpr std::size_t most = 4096;

  // Maps the bytes [offset, offset + size) of `fd`, for reading and writing, if the file has them now. `told` is an
  // eventfd that becomes readable when a page was missed. Both stay the caller's, `told` as long as this lives.
  // Throws setup_error, whose text begins with `what`.
  guarded_memory(const char* what, int fd, std::uint64_t offset, std::uint64_t size, int told);
  ~guarded_memory();
  guarded_memory(const guarded_memory&) = delete;
  guarded_memory& operator=(const guarded_memory&) = delete;

  std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> mapping_;  // in whole pages of the file
  std::span<std::byte> bytes_;
  std::size_t place_ = 0;
};

}  // namespace vloop::vhost_user
