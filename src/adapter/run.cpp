// SPDX-License-Identifier: MIT
#include "adapter/run.hpp"

#include <stdexcept>

namespace vloop::adapter {

int run(const run_options&) {
  throw std::runtime_error("this build has no transport yet");
}

}  // namespace vloop::adapter
