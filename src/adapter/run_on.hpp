// SPDX-License-Identifier: MIT
// A piece of a coroutine's work on another worker's loop.
#pragma once

#include <functional>

#include "adapter/worker.hpp"
#include "runtime/loop.hpp"
#include "runtime/task.hpp"

namespace vloop::adapter {

// Runs the task that `make` gives on `there`, after whatever was posted there before; goes on here, on the loop `here`,
// when it has ended. What it throws is thrown here. What it refers to stays the caller's, who waits.
task<void> run_on(worker& there, loop& here, std::function<task<void>(loop&)> make);

}  // namespace vloop::adapter
