// SPDX-License-Identifier: MIT
#include "bench/contents.hpp"

#include <cstring>

#include "bench/workload.hpp"

namespace vloop::bench {
namespace {

std::uint64_t word_at(std::uint64_t position, std::uint64_t salt) {
  return random_numbers::mixed(salt + position * 0x9e3779b97f4a7c15);
}

}  // namespace

void fill_block(std::span<std::byte> bytes, std::uint64_t offset, std::uint64_t salt) {
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(std::uint64_t)) {
    const std::uint64_t word = word_at(offset + i, salt);
    std::memcpy(&bytes[i], &word, sizeof word);
  }
}

bool is_block(std::span<const std::byte> bytes, std::uint64_t offset, std::uint64_t salt) {
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(std::uint64_t)) {
    const std::uint64_t word = word_at(offset + i, salt);
    if (std::memcmp(&bytes[i], &word, sizeof word) != 0) return false;
  }
  return true;
}

}  // namespace vloop::bench
