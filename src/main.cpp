// SPDX-License-Identifier: MIT
// vloop's command line.
#include <CLI/CLI.hpp>

#include "vloop/version.hpp"

int main(int argc, char** argv) {
  CLI::App app{"virtio devices in user space, as coroutines on io_uring", "vloop"};
  app.set_version_flag("--version", std::string{"vloop "} + vloop::version);
  CLI11_PARSE(app, argc, argv);
  return 0;
}
