// SPDX-License-Identifier: MIT
// Counts the calls of operator new in the whole test program.
#pragma once

#include <cstdint>

namespace vloop::test {

[[nodiscard]] std::uint64_t allocations() noexcept;

}  // namespace vloop::test
