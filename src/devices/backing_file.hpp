// SPDX-License-Identifier: MIT
// The file behind a disk: a regular file or a block device, opened, measured and asked how it wants to be accessed.
#pragma once

#include <cstdint>
#include <string>

#include "devices/device.hpp"
#include "devices/owned_fd.hpp"

namespace vloop {

enum class direct_mode : std::uint8_t {
  automatic,  // O_DIRECT where every request of a block driver can meet its rules, else buffered, with a note
  on,         // O_DIRECT or an error that says why not
  off,        // through the page cache
};

class backing_file {
 public:
  // Throws setup_error: the file is missing, may not be opened, is no file or block device, is empty, or (on) cannot
  // do direct I/O.
  backing_file(const std::string& path, bool read_only, direct_mode mode);

  std::uint64_t bytes() const { return bytes_; }            // its size when it was opened
  std::uint64_t bytes_now() const;                          // its size now; throws setup_error
  std::uint32_t block_size() const { return block_size_; }  // smallest unit of access: 512, 1024, 2048 or 4096 bytes
  std::uint64_t identity() const { return identity_; }      // the same file gives the same number, as long as it exists
  const std::string& access() const { return access_; }     // one line: "direct I/O, ..." or "buffered I/O: why"

  // For device_description; the descriptors stay this object's.
  file_description describe() const;

 private:
  std::string path_;
  owned_fd buffered_;
  owned_fd direct_;  // empty: buffered only
  std::uint64_t bytes_ = 0;
  std::uint32_t block_size_ = 512;
  std::uint32_t memory_alignment_ = 1;
  std::uint32_t offset_alignment_ = 1;
  std::uint64_t identity_ = 0;
  std::string access_;
};

}  // namespace vloop
