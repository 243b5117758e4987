// SPDX-License-Identifier: MIT
// The words of `vloop bench`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "command_line.hpp"

namespace CLI {
class App;
}

namespace vloop {

class bench_command_line {
 public:
  // Declares the options; they are filled in when `app` is parsed, which both outlive.
  bench_command_line(CLI::App& app, command_line& line);

  // Makes values of the words. Throws usage_error.
  void look_at(command_line& line) const;

 private:
  std::vector<std::string> targets_;
  std::string pattern_ = "randread";
  std::string block_ = "4k";
  std::string duration_ = "1s";
  std::string warm_up_ = "200ms";
  std::optional<std::uint64_t> count_;
  std::optional<std::string> backing_;
};

}  // namespace vloop
