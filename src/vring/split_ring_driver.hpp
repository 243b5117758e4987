// SPDX-License-Identifier: MIT
// The driver's end of a split ring, for transports and tests where the driver is part of this program. It trusts the
// device no more than a kernel driver would: a used entry that names nothing in flight is reported, not followed.
#pragma once

#include "vring/split_ring.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace vloop {

class split_ring_driver {
 public:
  struct buffer {
    std::uint64_t address;  // as the device's memory map knows it
    std::uint32_t length;
  };
  struct used_entry {
    std::uint16_t head;
    std::uint32_t written;
    bool valid;  // false: the device named a head that is not in flight, or gave back more than it has; the rest means
                 // nothing then
  };

  // Zeroes the ring. The ring's memory outlives this.
  split_ring_driver(const split_ring& ring, bool event_index);

  // Writes a chain and puts its head into the available ring; the device does not see it yet. nullopt: too few free
  // descriptors. At least one buffer.
  std::optional<std::uint16_t> add(std::span<const buffer> readable, std::span<const buffer> writable);

  // The same with one descriptor that names a table at `table_address`, written to `table` (room for all buffers).
  std::optional<std::uint16_t> add_indirect(std::span<const buffer> readable, std::span<const buffer> writable,
                                            std::span<vring_desc> table, std::uint64_t table_address);

  // Shows the device what was added since the last time; true: it wants a kick for that.
  bool publish();

  // The next head that the device has given back; its descriptors are free again.
  std::optional<used_entry> collect();

  // Interrupts: off is a hint. After on, entries that came meanwhile have no interrupt: true means collect() again.
  void interrupts_off();
  bool interrupts_on();

  std::uint16_t free_descriptors() const { return static_cast<std::uint16_t>(free_.size()); }

 private:
  void make_available(std::uint16_t head);

  split_ring ring_;
  bool event_index_;
  std::vector<std::uint16_t> free_;                         // descriptors in no chain
  std::vector<std::vector<std::uint16_t>> descriptors_of_;  // by head: its chain while in flight, else empty
  std::uint16_t added_ = 0;                                 // index behind the last head written to the available ring
  std::uint16_t published_ = 0;                             // what avail->idx says
  std::uint16_t in_flight_ = 0;                             // heads that the device has
  std::uint16_t collected_ = 0;                             // used entries before this one are taken
};

}  // namespace vloop
