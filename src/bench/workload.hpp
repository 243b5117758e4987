// SPDX-License-Identifier: MIT
// What is asked of a target: which blocks, in which order, to read or to write. The same seed gives the same sequence.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace vloop::bench {

enum class pattern : std::uint8_t { read, write, randread, randwrite, mixed };

// Of 100 requests of `mixed`, at random positions, so many are reads.
constexpr std::uint32_t mixed_reads_percent = 70;

std::string_view to_string(pattern what);
std::optional<pattern> pattern_named(std::string_view name);
constexpr bool writes(pattern what) {
  return what == pattern::write || what == pattern::randwrite || what == pattern::mixed;
}

struct access {
  std::uint64_t offset = 0;
  bool write = false;
};

// Numbers that are spread evenly, from any seed (splitmix64, by Sebastiano Vigna, in the public domain).
class random_numbers {
 public:
  explicit random_numbers(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    return mixed(state_);
  }
  // Below `bound`, which is not 0.
  std::uint64_t below(std::uint64_t bound) {
    __extension__ using wide = unsigned __int128;
    return static_cast<std::uint64_t>((wide{next()} * bound) >> 64);
  }
  static constexpr std::uint64_t mixed(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

// In order, from the first block to the last and again; or anywhere, each block as likely as any other.
class access_sequence {
 public:
  // At least one block.
  access_sequence(pattern what, std::uint64_t blocks, std::uint32_t block_bytes, std::uint64_t seed)
      : what_(what), blocks_(blocks), block_bytes_(block_bytes), random_(seed) {}

  access next();

 private:
  pattern what_;
  std::uint64_t blocks_;
  std::uint32_t block_bytes_;
  std::uint64_t position_ = 0;
  random_numbers random_;
};

}  // namespace vloop::bench
