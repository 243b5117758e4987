// SPDX-License-Identifier: MIT
// What an input device behind a daemon says of itself. Its configuration space is a window with a selector (virtio 1.3,
// 5.8.4): all of its pages are asked for once, and the kernel answers the driver's selections from then on.
#pragma once

#include <vector>

#include "devices/device.hpp"
#include "vhost_user/client.hpp"

namespace vloop::vhost_user {

// Every page that a driver may ask for and the daemon has. Throws setup_error for pages that contradict themselves, and
// for a daemon that has none.
std::vector<config_page> ask_for_input_pages(client& daemon);

}  // namespace vloop::vhost_user
