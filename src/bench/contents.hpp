// SPDX-License-Identifier: MIT
// What writes with --verify put into a block: it depends on where the block lies and on who wrote it when, so that a
// block at a wrong place, or one of an earlier round, is told from the right one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace vloop::bench {

// `bytes` is a multiple of 8.
void fill_block(std::span<std::byte> bytes, std::uint64_t offset, std::uint64_t salt);
bool is_block(std::span<const std::byte> bytes, std::uint64_t offset, std::uint64_t salt);

}  // namespace vloop::bench
