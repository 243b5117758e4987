// SPDX-License-Identifier: MIT
// Parts of a request's memory: ranges of its segments, in bytes.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "vring/chain.hpp"

namespace vloop {

// The kernel reads our segments as iovecs.
static_assert(sizeof(segment) == sizeof(iovec) && offsetof(segment, base) == offsetof(iovec, iov_base) &&
              offsetof(segment, length) == offsetof(iovec, iov_len));
inline const iovec* as_iovecs(std::span<const segment> pieces) {
  return reinterpret_cast<const iovec*>(pieces.data());
}

// Calls visit(bytes) for each piece of [skip, skip + length) of `segments`, in order.
template <class Visit>
void for_each_piece(std::span<const segment> segments, std::uint32_t skip, std::uint32_t length, Visit visit) {
  for (const segment& s : segments) {
    if (length == 0) return;
    if (skip >= s.length) {
      skip -= static_cast<std::uint32_t>(s.length);
      continue;
    }
    const auto bytes = std::min<std::size_t>(s.length - skip, length);
    visit(std::span(static_cast<std::byte*>(s.base) + skip, bytes));
    length -= static_cast<std::uint32_t>(bytes);
    skip = 0;
  }
}

// Copy between one piece of memory and a range of the segments.
void copy_into(std::span<const segment> segments, std::uint32_t skip, std::span<const std::byte> from);
void copy_out_of(std::span<const segment> segments, std::uint32_t skip, std::span<std::byte> to);

void fill_with_zeros(std::span<const segment> segments, std::uint32_t from, std::uint32_t to);

// A range of a request's segments, cut out in place for the kernel while a transfer is under way, then put back.
class segment_cut {
 public:
  // The range is inside the segments, and not empty.
  std::span<segment> make(std::span<segment> from, std::uint32_t skip, std::uint32_t length);
  void undo();

 private:
  segment* first_ = nullptr;  // null: nothing is cut
  segment* last_ = nullptr;
  segment first_whole_{};
  segment last_whole_{};
};

}  // namespace vloop
