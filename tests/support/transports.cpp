// SPDX-License-Identifier: MIT
#include "support/transports.hpp"

namespace vloop::test {

const std::vector<transport>& transports() {
  static const std::vector<transport> all{{"in-process", make_memory_rig}, {"vhost-user", make_vhost_user_rig}};
  return all;
}

}  // namespace vloop::test
