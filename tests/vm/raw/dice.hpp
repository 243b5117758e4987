// SPDX-License-Identifier: MIT
// Random decisions of one thread: the same for the same seed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <span>

namespace vloop::raw {

class dice {
 public:
  explicit dice(std::uint64_t seed) : generator_(seed) {}

  std::uint64_t bits() { return generator_(); }
  std::uint64_t below(std::uint64_t end) { return end == 0 ? 0 : generator_() % end; }
  bool one_in(unsigned n) { return below(n) == 0; }
  template <class T>
  T pick(std::initializer_list<T> choices) {
    return choices.begin()[below(choices.size())];
  }
  template <class T>
  const T& pick(std::span<const T> choices) {
    return choices[below(choices.size())];
  }

  // Small, large, or next to where numbers end.
  std::uint64_t number() {
    switch (below(5)) {
      case 0:
        return below(4);
      case 1:
        return below(5000);
      case 2:
        return (1ULL << below(64)) + below(3) - 1;
      case 3:
        return 0 - below(4097);
      default:
        return bits();
    }
  }

  void fill(std::span<std::byte> bytes) {
    for (auto& b : bytes) b = static_cast<std::byte>(bits());
  }

 private:
  std::mt19937_64 generator_;
};

}  // namespace vloop::raw
