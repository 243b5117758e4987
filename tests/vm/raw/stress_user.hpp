// SPDX-License-Identifier: MIT
// Those who use the devices of the hostile process in good faith: they may get errors, but they must get an answer once
// the device has ended.
#pragma once

#include "stress_hostile.hpp"

namespace vloop::raw {

// Reads and writes disks, and takes random numbers, until `stop`; returns when its last transfer has ended.
void be_user(std::uint64_t seed, tally& count, const std::atomic<bool>& stop);

// Takes drivers away from devices and gives them back, and reads what sysfs says.
void be_administrator(std::uint64_t seed, const std::atomic<bool>& stop);

}  // namespace vloop::raw
