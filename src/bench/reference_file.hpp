// SPDX-License-Identifier: MIT
// The file whose contents are to be what a target reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "devices/owned_fd.hpp"

namespace vloop::bench {

class reference_file {
 public:
  // Throws setup_error.
  explicit reference_file(const std::string& path);

  // Whether the bytes at `offset` of the file are these. Throws setup_error where it can't be read.
  bool has(std::uint64_t offset, std::span<const std::byte> bytes);

 private:
  const std::string path_;
  const owned_fd fd_;
  std::vector<std::byte> there_;
};

}  // namespace vloop::bench
