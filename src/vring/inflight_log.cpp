// SPDX-License-Identifier: MIT
#include "vring/inflight_log.hpp"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <utility>

namespace vloop {
namespace {

constexpr std::size_t alignment = 64;

// A successor may look at any moment: what is written before is there before. Nothing is ordered between threads.
void in_this_order() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

template <class T>
T load(T& word) {
  return std::atomic_ref(word).load(std::memory_order_relaxed);
}
template <class T>
void store(T& word, T value) {
  std::atomic_ref(word).store(value, std::memory_order_relaxed);
}

}  // namespace

std::size_t inflight_log::bytes(std::uint16_t queue_size) {
  const std::size_t needed = sizeof(inflight_head) + sizeof(inflight_descriptor) * queue_size;
  return (needed + alignment - 1) / alignment * alignment;
}

inflight_log::inflight_log(std::span<std::byte> region, std::uint16_t queue_size) : region_(region), size_(queue_size) {
  assert(region.size() >= bytes(queue_size));
}

inflight_head& inflight_log::head() const {
  return *reinterpret_cast<inflight_head*>(region_.data());
}
inflight_descriptor& inflight_log::descriptor(std::uint16_t index) const {
  assert(index < size_);
  return reinterpret_cast<inflight_descriptor*>(region_.data() + sizeof(inflight_head))[index];
}

inflight_log::left inflight_log::resume(std::uint16_t used_index) {
  if (load(head().version) != version) {
    std::fill(region_.begin(), region_.begin() + static_cast<std::ptrdiff_t>(bytes(size_)), std::byte{0});
    store(head().descriptors, size_);
    store(head().used_index, used_index);
    in_this_order();
    store(head().version, version);
    return {.heads = {}, .next_available = used_index};
  }
  finish_batch(used_index);
  std::vector<std::pair<std::uint64_t, std::uint16_t>> taken;
  for (std::uint16_t i = 0; i < size_; ++i)
    if (load(descriptor(i).in_flight) == 1) taken.emplace_back(load(descriptor(i).counter), i);
  std::sort(taken.begin(), taken.end());
  left found;
  for (const auto& [counter, index] : taken) found.heads.push_back(index);
  found.next_available = static_cast<std::uint16_t>(used_index + found.heads.size());
  if (!taken.empty()) counter_ = taken.back().first + 1;
  return found;
}

// The device died between moving the used index and writing that down: the last heads of the list were given back.
void inflight_log::finish_batch(std::uint16_t used_index) {
  auto missing = static_cast<std::uint16_t>(used_index - load(head().used_index));
  std::uint16_t index = load(head().last_batch_head);
  for (missing = std::min(missing, size_); missing > 0 && index < size_; --missing) {
    store(descriptor(index).in_flight, std::uint8_t{0});
    index = load(descriptor(index).next);
  }
  in_this_order();
  store(head().used_index, used_index);
}

void inflight_log::take(std::uint16_t index) {
  store(descriptor(index).counter, counter_++);
  in_this_order();
  store(descriptor(index).in_flight, std::uint8_t{1});
}

void inflight_log::untake(std::uint16_t index) {
  store(descriptor(index).in_flight, std::uint8_t{0});
}

void inflight_log::clear() {
  store(head().version, std::uint16_t{0});
}

void inflight_log::giving_back(std::uint16_t index) {
  store(descriptor(index).next, load(head().last_batch_head));
  in_this_order();
  store(head().last_batch_head, index);
  in_this_order();
}

void inflight_log::gave_back(std::uint16_t used_index) {
  in_this_order();
  finish_batch(used_index);
}

}  // namespace vloop
