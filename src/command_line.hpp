// SPDX-License-Identifier: MIT
//
// What the user typed, as values. Words that cannot be meant throw vloop::usage_error.
#pragma once

#include <optional>
#include <string>

#include "adapter/recover.hpp"
#include "adapter/run.hpp"
#include "adapter/stop.hpp"
#include "bench/options.hpp"

namespace vloop {

struct command_line {
  enum class command { run, list, recover, stop, bench, nothing };

  command what = command::nothing;  // nothing: --help or --version was answered already
  bool json = false;
  adapter::run_options run;  // run, recover
  bool threads_given = false;
  bool poll_given = false;
  adapter::recover_options recover;
  adapter::stop_options stop;
  bench::options bench;
};

command_line parse_command_line(int argc, char** argv, const std::string& version);

}  // namespace vloop
