// SPDX-License-Identifier: MIT
// The public headers' words for devices, checked and put into ours.
#pragma once

#include "devices/blk.hpp"
#include "devices/rng.hpp"
#include "vloop/vloop.hpp"

namespace vloop {

// Throws std::invalid_argument, with a line for the user.
void require(bool holds, const char* otherwise);

// The same where a value is out of its range.
blk_options checked(const disk& what);
rng_options checked(const entropy& what);

}  // namespace vloop
