// SPDX-License-Identifier: MIT
// What is measured. Each kind of target has its own way to the data; all are driven alike, by one thread:
//
//   prepare(slot, access)... --> turn(): handed over, slept for --> which slots have ended --> prepare() ...
//
// A slot is one request under way with its buffer; there are queues * depth of them, those of one queue side by side.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "bench/workload.hpp"

namespace vloop::bench {

// How many requests are under way at a time, and how large each is.
struct load_shape {
  std::uint16_t queues = 1;
  std::uint16_t depth = 1;  // of each queue
  std::uint32_t block_bytes = 4096;

  std::uint32_t slots() const { return std::uint32_t{queues} * depth; }
};

struct ended_access {
  std::uint32_t slot = 0;
  std::int32_t result = 0;  // bytes moved, or -errno
};

// What it has cost so far, beside this process's time: figures that only grow.
struct target_cost {
  std::uint64_t enters = 0;                               // io_uring_enter calls of this process, for this target
  std::optional<std::chrono::nanoseconds> daemon_time{};  // user and system, of the process that serves it
};

// A turn lasts no longer than this, whatever happens: time to look at the clock and at signals.
constexpr std::chrono::milliseconds turn_max{100};

class target {
 public:
  virtual ~target() = default;

  virtual std::uint64_t bytes() const = 0;
  virtual std::uint32_t block_bytes() const = 0;  // accesses are multiples of it
  virtual bool read_only() const = 0;

  // Where the slot's data is: to be filled before a write is prepared, and read after a read has ended.
  virtual std::span<std::byte> buffer(std::uint32_t slot) = 0;

  // The slot is free, the access inside the target. Its length is the block of the load.
  virtual void prepare(std::uint32_t slot, const access& what) = 0;

  // Hands over what was prepared, and waits until something has ended or turn_max is over. What it gives is valid until
  // the next call. Throws std::system_error when nothing will ever end any more: a daemon has died, say.
  virtual std::span<const ended_access> turn() = 0;

  virtual target_cost cost() = 0;
};

}  // namespace vloop::bench
