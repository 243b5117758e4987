// SPDX-License-Identifier: MIT
#include "bench/reference_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/setup_error.hpp"

namespace vloop::bench {

reference_file::reference_file(const std::string& path) : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (!fd_) throw setup_error(errno, "cannot open " + path + " to compare with");
}

bool reference_file::has(std::uint64_t offset, std::span<const std::byte> bytes) {
  there_.resize(bytes.size());
  const ssize_t got = ::pread(fd_.get(), there_.data(), there_.size(), static_cast<off_t>(offset));
  if (got < 0) throw setup_error(errno, "cannot read " + path_ + " to compare with");
  return static_cast<std::size_t>(got) == bytes.size() && std::equal(bytes.begin(), bytes.end(), there_.begin());
}

}  // namespace vloop::bench
