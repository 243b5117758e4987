// SPDX-License-Identifier: MIT
// The rigs, one for each transport.
#pragma once

#include <memory>

#include "support/rig.hpp"

namespace vloop::test {

std::unique_ptr<rig> make_memory_rig(device& d, const rig_options& options);
std::unique_ptr<rig> make_vhost_user_rig(device& d, const rig_options& options);

}  // namespace vloop::test
