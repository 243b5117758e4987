// SPDX-License-Identifier: MIT
// A device that is served to drivers, over whichever transport: what `vloop run` does with each. Used on the main
// thread.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapter/worker.hpp"

namespace vloop::adapter {

struct device_there;

class service {
 public:
  struct listener {
    std::function<void(const device_there&)> there;  // a driver took it, or none did in time, or another one later
    std::function<void(std::exception_ptr)> ended;   // once, at the end; an exception if it could not be served
  };

  virtual ~service() = default;

  // Each queue goes to one of the workers, beginning with number `first`.
  virtual void start(std::vector<std::unique_ptr<worker>>& workers, std::size_t first) = 0;
  virtual void stop() = 0;
  virtual void force() = 0;
  virtual void look_again() = 0;  // at what the device follows, such as the size of a file

  virtual bool ended() const = 0;
  virtual bool taken_away() const { return false; }  // by `vloop stop --force`
  virtual std::size_t queue_count() const = 0;
  virtual const std::string& name() const = 0;
};

}  // namespace vloop::adapter
