// SPDX-License-Identifier: MIT
// Where coroutine frames live: per-thread free lists by size class, so that a request costs no malloc once warm.
//
// Blocks belong to no one: each is a heap block of its class's size. A frame freed on another thread joins that
// thread's lists, which is safe, and bounded by `kept_per_class` for a thread that only frees.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vloop::frame_pool {

inline constexpr std::size_t granularity = 64;         // a class holds frames up to a multiple of this
inline constexpr std::size_t pooled_max = 4096;        // larger frames go to the heap each time
inline constexpr std::uint32_t kept_per_class = 4096;  // blocks a thread keeps; the rest goes back to the heap

[[nodiscard]] void* allocate(std::size_t size);
void release(void* block, std::size_t size) noexcept;

/// How often this thread went to the heap for a frame since it began.
[[nodiscard]] std::uint64_t heap_allocations() noexcept;

}  // namespace vloop::frame_pool
