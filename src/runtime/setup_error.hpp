// SPDX-License-Identifier: MIT
// The error of set-up: one line that says what was tried on what, why it failed, and what to do about it.
#pragma once

#include <string>
#include <system_error>
#include <utility>

namespace vloop {

class setup_error : public std::system_error {
 public:
  /// `error` is a positive errno. `hint` may be empty.
  setup_error(int error, const std::string& tried, const std::string& hint = {})
      : std::system_error(error, std::generic_category(), tried),
        line_(tried + ": " + code().message() + (hint.empty() ? "" : " (" + hint + ")")) {}

  const char* what() const noexcept override { return line_.c_str(); }

 private:
  std::string line_;
};

}  // namespace vloop
