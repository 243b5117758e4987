// SPDX-License-Identifier: MIT
// SIGINT and SIGTERM, as long as this lives: the first is noted, and ends what is under way; a second one ends the
// process.
#pragma once

#include <csignal>

namespace vloop::bench {

class interruption {
 public:
  interruption();
  ~interruption();
  interruption(const interruption&) = delete;
  interruption& operator=(const interruption&) = delete;

  // 0: none came.
  int signal() const;
  bool came() const { return signal() != 0; }

 private:
  struct sigaction before_int_ {};
  struct sigaction before_term_ {};
};

}  // namespace vloop::bench
