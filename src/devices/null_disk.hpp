// SPDX-License-Identifier: MIT
// "null:4096": a disk with a size and no file. Nothing is read or written; to measure what lies between a driver and a
// file, and for drivers that share memory with the device only.
#pragma once

#include <string_view>

namespace vloop {

inline constexpr std::string_view null_disk_prefix = "null:";  // what follows is its size in bytes

constexpr bool is_null_disk(std::string_view path) {
  return path.substr(0, null_disk_prefix.size()) == null_disk_prefix;
}

}  // namespace vloop
