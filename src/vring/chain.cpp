// SPDX-License-Identifier: MIT
#include "vring/chain.hpp"

#include <atomic>
#include <cstring>
#include <limits>

namespace vloop {
namespace {

// Copied once: the driver can change its table at any time, and an indirect table need not be aligned.
vring_desc copy_of(const std::byte* descriptor) {
  vring_desc copy;
  std::memcpy(&copy, descriptor, sizeof(copy));
  std::atomic_signal_fence(std::memory_order_seq_cst);  // keeps the compiler from loading a field a second time
  return copy;
}

// Adds one buffer, in as many segments as regions it lies in.
ring_error add_buffer(const vring_desc& d, const memory_map& memory, std::span<segment> segments, chain& result) {
  const bool writable = (d.flags & VRING_DESC_F_WRITE) != 0;
  if (!writable && result.writable_segments > 0) return ring_error::write_before_read;  // virtio 1.2, 2.7.4.2
  if (d.len == 0) return ring_error::zero_length;  // 2.7.5: no memory is described; no chain needs that
  constexpr std::uint64_t chain_bytes_max = std::numeric_limits<std::uint32_t>::max();  // 2.7.5.2
  if (std::uint64_t{result.readable} + result.writable + d.len > chain_bytes_max) return ring_error::too_large;
  if (d.addr + (d.len - 1) < d.addr) return ring_error::bad_address;  // 2.7.5: wraps around the address space

  std::uint64_t address = d.addr;
  for (std::uint32_t left = d.len; left > 0;) {
    const auto piece = memory.find(address, left);
    if (piece.empty()) return ring_error::bad_address;  // 2.7.5: no memory of the driver's
    const std::uint32_t used = result.readable_segments + result.writable_segments;
    if (used == segments.size()) return ring_error::too_long;  // the device's own bound, told by seg_max
    segments[used] = {.base = piece.data(), .length = piece.size()};
    ++(writable ? result.writable_segments : result.readable_segments);
    address += piece.size();
    left -= static_cast<std::uint32_t>(piece.size());
  }
  (writable ? result.writable : result.readable) += d.len;
  return ring_error::none;
}

// Walks one table, the ring's own or an indirect one. Stops with `indirect_table` set where a descriptor names a table.
struct table {
  const std::byte* base;
  std::uint64_t entries;  // successors must be below this
  std::uint64_t bound;    // most descriptors to visit: what makes a loop end
  bool may_name_tables;
};

ring_error walk_table(const table& t, std::uint64_t index, const memory_map& memory, std::span<segment> segments,
                      chain& result, vring_desc* indirect_table) {
  for (std::uint64_t visited = 0; visited < t.bound; ++visited) {
    const vring_desc d = copy_of(t.base + index * sizeof(vring_desc));
    if ((d.flags & VRING_DESC_F_INDIRECT) != 0) {
      if (!t.may_name_tables) return ring_error::indirect_chained;                  // 2.7.5.3.1: no table in a table
      if ((d.flags & VRING_DESC_F_NEXT) != 0) return ring_error::indirect_chained;  // 2.7.5.3.1: not both flags
      *indirect_table = d;
      return ring_error::none;
    }
    const ring_error error = add_buffer(d, memory, segments, result);
    if (error != ring_error::none) return error;
    if ((d.flags & VRING_DESC_F_NEXT) == 0) return ring_error::none;
    if (d.next >= t.entries) return ring_error::bad_next;  // 2.7.5 and 2.7.5.3: an index into the table it is in
    index = d.next;
  }
  return ring_error::too_long;  // 2.7.5.2: loops are forbidden; 2.7.5.3.1: no chain longer than the queue
}

}  // namespace

ring_error walk_chain(const split_ring& ring, std::uint16_t head, const memory_map& memory, bool indirect,
                      std::span<segment> segments, chain& result) {
  result = {};
  if (head >= ring.size) return ring_error::bad_head;  // 2.7.6
  vring_desc named{};
  const table own{.base = reinterpret_cast<const std::byte*>(ring.descriptors),
                  .entries = ring.size,
                  .bound = ring.size,
                  .may_name_tables = true};
  const ring_error error = walk_table(own, head, memory, segments, result, &named);
  if (error != ring_error::none || (named.flags & VRING_DESC_F_INDIRECT) == 0) return error;

  // The rest of the chain is a table elsewhere. Its WRITE flag means nothing (2.7.5.3.2). Linux makes tables longer
  // than the queue, so the bound is the device's own: a chain never has more segments than there is room for.
  if (!indirect) return ring_error::indirect_not_negotiated;                                    // 2.7.5.3.1
  if (named.len == 0 || named.len % sizeof(vring_desc) != 0) return ring_error::indirect_size;  // 2.7.5.3
  const auto there = memory.find_whole(named.addr, named.len);
  if (there.empty()) return ring_error::bad_address;  // also a table that lies in two regions: nobody makes those
  const table other{.base = there.data(),
                    .entries = named.len / sizeof(vring_desc),
                    .bound = named.len / sizeof(vring_desc),
                    .may_name_tables = false};
  return walk_table(other, 0, memory, segments, result, nullptr);
}

}  // namespace vloop
