// SPDX-License-Identifier: MIT
// A write that may take for ever, and that nobody waits for.
#pragma once

#include <string>
#include <string_view>

namespace vloop::adapter {

/// Writes `text` to the file `path` by a process of its own, with one write(). This process can then be killed at any
/// time: a thread that the kernel keeps waiting would keep it from ending. Whether it worked shows in the file, if
/// anywhere. Any thread; safe beside other threads, leaves no zombie.
void write_detached(const std::string& path, std::string_view text);

}  // namespace vloop::adapter
