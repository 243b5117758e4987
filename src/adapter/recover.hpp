// SPDX-License-Identifier: MIT
//
// `vloop recover`: which devices, served with what. The serving itself is run()'s.
#pragma once

#include <cstdint>
#include <vector>

#include "adapter/device_table.hpp"
#include "adapter/run.hpp"

namespace vloop::adapter {

struct recover_options {
  std::vector<std::uint32_t> ids;    ///< empty: every deserted device that this user may serve
  std::vector<device_spec> devices;  ///< one for each of the ids, or none: what the devices' descriptions say
};

/// Fills in what run() is to serve, and how many threads and what polling the descriptions ask for, where `run` does
/// not say so itself. Looks at sysfs only.
///
/// Throws setup_error with one line for the user.
void plan_recovery(const recover_options& wanted, run_options& run, bool threads_given, bool poll_given,
                   const system_folders& where = {});

}  // namespace vloop::adapter
