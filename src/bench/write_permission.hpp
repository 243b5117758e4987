// SPDX-License-Identifier: MIT
// Before a benchmark writes: nobody else uses what it writes to, and what is there may be lost.
#pragma once

#include <string>
#include <vector>

#include "devices/owned_fd.hpp"

namespace vloop::bench {

// For a regular file or a block device. A block device that is mounted, swapped to, or part of another device is
// refused, and can't be mounted for as long as the descriptor lives that this gives; so is a file that a loop device is
// on. A block device, and a file that is not just a hole, is refused unless `may_destroy`. Throws setup_error. A path
// that is not there or is neither of the two is left to whoever opens it.
owned_fd claim_for_writing(const std::string& path, bool may_destroy);

// For each path, the same one once.
std::vector<owned_fd> claim_for_writing(std::vector<std::string> paths, bool may_destroy);

}  // namespace vloop::bench
