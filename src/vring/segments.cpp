// SPDX-License-Identifier: MIT
#include "vring/segments.hpp"

#include <cassert>
#include <cstring>

namespace vloop {

void copy_into(std::span<const segment> segments, std::uint32_t skip, std::span<const std::byte> from) {
  const std::byte* next = from.data();
  for_each_piece(segments, skip, static_cast<std::uint32_t>(from.size()), [&next](auto bytes) {
    std::memcpy(bytes.data(), next, bytes.size());
    next += bytes.size();
  });
}

void copy_out_of(std::span<const segment> segments, std::uint32_t skip, std::span<std::byte> to) {
  std::byte* next = to.data();
  for_each_piece(segments, skip, static_cast<std::uint32_t>(to.size()), [&next](auto bytes) {
    std::memcpy(next, bytes.data(), bytes.size());
    next += bytes.size();
  });
}

void fill_with_zeros(std::span<const segment> segments, std::uint32_t from, std::uint32_t to) {
  if (from < to)
    for_each_piece(segments, from, to - from, [](auto bytes) { std::memset(bytes.data(), 0, bytes.size()); });
}

std::span<segment> segment_cut::make(std::span<segment> from, std::uint32_t skip, std::uint32_t length) {
  assert(!first_ && length > 0);
  std::size_t i = 0;
  for (; skip >= from[i].length; ++i) skip -= static_cast<std::uint32_t>(from[i].length);
  first_ = &from[i];
  first_whole_ = *first_;
  first_->base = static_cast<std::byte*>(first_->base) + skip;
  first_->length -= skip;

  std::size_t end = i;
  std::size_t left = length;
  for (; left > from[end].length; ++end) left -= from[end].length;
  last_ = &from[end];
  last_whole_ = *last_;  // after the front was cut: one segment may be both
  last_->length = left;
  return from.subspan(i, end - i + 1);
}

void segment_cut::undo() {
  if (!first_) return;
  *last_ = last_whole_;
  *first_ = first_whole_;
  first_ = nullptr;
}

}  // namespace vloop
