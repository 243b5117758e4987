// SPDX-License-Identifier: MIT
// A file for one test, gone with it. On a disk where the test run's directory is on one: direct I/O is tested there.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace vloop::test {

class temporary_file {
 public:
  explicit temporary_file(std::uint64_t bytes, const std::string& directory = ".") {
    path_ = directory + "/vloop-test-XXXXXX";
    fd_ = ::mkostemp(path_.data(), O_CLOEXEC);
    if (fd_ < 0 || ::ftruncate(fd_, static_cast<off_t>(bytes)) != 0)
      throw std::runtime_error("temporary file in " + directory);
  }
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;
  ~temporary_file() {
    ::unlink(path_.c_str());
    ::close(fd_);
  }

  const std::string& path() const { return path_; }
  int fd() const { return fd_; }

  void write(std::uint64_t offset, std::span<const std::byte> bytes) const {
    if (::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset)) != static_cast<ssize_t>(bytes.size()))
      throw std::runtime_error("write to " + path_);
  }
  std::vector<std::byte> read(std::uint64_t offset, std::size_t count) const {
    std::vector<std::byte> bytes(count);
    if (::pread(fd_, bytes.data(), count, static_cast<off_t>(offset)) != static_cast<ssize_t>(count))
      throw std::runtime_error("read of " + path_);
    return bytes;
  }

 private:
  std::string path_;
  int fd_ = -1;
};

// Bytes that are the same for the same seed.
inline std::vector<std::byte> pattern(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<std::byte> bytes(count);
  for (auto& b : bytes) b = static_cast<std::byte>(generator());
  return bytes;
}

}  // namespace vloop::test
