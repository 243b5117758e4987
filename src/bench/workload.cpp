// SPDX-License-Identifier: MIT
#include "bench/workload.hpp"

#include <array>
#include <utility>

namespace vloop::bench {
namespace {

constexpr std::array<std::pair<pattern, std::string_view>, 5> names{{{pattern::read, "read"},
                                                                     {pattern::write, "write"},
                                                                     {pattern::randread, "randread"},
                                                                     {pattern::randwrite, "randwrite"},
                                                                     {pattern::mixed, "mixed"}}};

}  // namespace

std::string_view to_string(pattern what) {
  for (const auto& [one, name] : names)
    if (one == what) return name;
  return "?";
}

std::optional<pattern> pattern_named(std::string_view name) {
  for (const auto& [one, its_name] : names)
    if (its_name == name) return one;
  return std::nullopt;
}

access access_sequence::next() {
  const bool in_order = what_ == pattern::read || what_ == pattern::write;
  const std::uint64_t block = in_order ? position_ : random_.below(blocks_);
  if (in_order) position_ = position_ + 1 < blocks_ ? position_ + 1 : 0;
  const bool write = what_ == pattern::mixed ? random_.below(100) >= mixed_reads_percent : writes(what_);
  return {.offset = block * block_bytes_, .write = write};
}

}  // namespace vloop::bench
