// SPDX-License-Identifier: MIT
// The named cases, by subject. Each runs in a process of its own, as root, and returns if the module did what
// docs/abi.md says.
#pragma once

#include <span>

namespace vloop::raw {

struct named_case {
  const char* name;
  void (*run)();
};

std::span<const named_case> allocation_cases();
std::span<const named_case> backing_cases();
std::span<const named_case> changing_cases();
std::span<const named_case> config_cases();
std::span<const named_case> credential_cases();
std::span<const named_case> death_cases();
std::span<const named_case> end_cases();
std::span<const named_case> file_cases();
std::span<const named_case> input_cases();
std::span<const named_case> length_cases();
std::span<const named_case> limit_cases();
std::span<const named_case> mapping_cases();
std::span<const named_case> race_cases();
std::span<const named_case> range_cases();
std::span<const named_case> read_cases();
std::span<const named_case> recovery_cases();
std::span<const named_case> replacement_cases();
std::span<const named_case> request_cases();
std::span<const named_case> sysfs_cases();
std::span<const named_case> unload_cases();
std::span<const named_case> value_cases();
std::span<const named_case> window_cases();

}  // namespace vloop::raw
