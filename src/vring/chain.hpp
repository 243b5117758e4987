// SPDX-License-Identifier: MIT
// From a head to the memory behind it: walks a descriptor chain, copies every descriptor once and checks the copy.
// Whatever the driver wrote, this ends after a bounded number of steps and gives memory of the driver's regions only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "vring/memory_map.hpp"
#include "vring/split_ring.hpp"

namespace vloop {

// A piece of a request's memory in this process. Laid out as struct iovec, which this folder does not know.
struct segment {
  void* base;
  std::size_t length;
};

// What a chain came to: the first readable_segments of the caller's segments can be read, the writable ones follow.
struct chain {
  std::uint32_t readable = 0;  // bytes
  std::uint32_t writable = 0;
  std::uint32_t readable_segments = 0;
  std::uint32_t writable_segments = 0;
};

// Fills `segments` and `result`. The number of segments is the device's own bound for one chain: one beyond it is
// too_long. indirect: VIRTIO_F_INDIRECT_DESC was negotiated.
ring_error walk_chain(const split_ring& ring, std::uint16_t head, const memory_map& memory, bool indirect,
                      std::span<segment> segments, chain& result);

}  // namespace vloop
