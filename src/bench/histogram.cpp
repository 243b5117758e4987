// SPDX-License-Identifier: MIT
#include "bench/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace vloop::bench {

std::size_t histogram::bucket_of(std::uint64_t value) {
  const auto bits = static_cast<unsigned>(std::bit_width(value));
  const unsigned shift = bits > precision ? bits - precision : 0;
  return shift * half + static_cast<std::size_t>(value >> shift);
}

std::uint64_t histogram::most_in(std::size_t bucket) {
  const std::size_t shift = bucket < 2 * half ? 0 : bucket / half - 1;
  const std::uint64_t leading = bucket - shift * half;
  return ((leading + 1) << shift) - 1;  // of the last bucket this wraps to the largest number there is, as it should
}

void histogram::add(std::uint64_t value) {
  ++buckets_[bucket_of(value)];
  ++count_;
  max_ = std::max(max_, value);
}

void histogram::add(const histogram& other) {
  for (std::size_t i = 0; i < bucket_count; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

std::uint64_t histogram::percentile(double percent) const {
  const auto rank = static_cast<std::uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < bucket_count; ++i) {
    seen += buckets_[i];
    if (seen > 0 && seen >= rank) return std::min(most_in(i), max_);
  }
  return max_;
}

}  // namespace vloop::bench
