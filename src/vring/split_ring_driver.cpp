// SPDX-License-Identifier: MIT
#include "vring/split_ring_driver.hpp"

#include <atomic>
#include <cassert>
#include <cstring>

namespace vloop {
namespace {

std::uint16_t load(__virtio16& word, std::memory_order order) {
  return std::atomic_ref(word).load(order);
}
void store(__virtio16& word, std::uint16_t value, std::memory_order order) {
  std::atomic_ref(word).store(value, order);
}

// The chain's descriptors in order; `next_of` says where the one after the i-th is.
template <class Next>
void write_chain(std::span<const split_ring_driver::buffer> readable,
                 std::span<const split_ring_driver::buffer> writable, auto&& descriptor_at, Next next_of) {
  const std::size_t count = readable.size() + writable.size();
  for (std::size_t i = 0; i < count; ++i) {
    const bool is_writable = i >= readable.size();
    const auto& b = is_writable ? writable[i - readable.size()] : readable[i];
    vring_desc& d = descriptor_at(i);
    d.addr = b.address;
    d.len = b.length;
    d.flags = static_cast<__virtio16>((is_writable ? VRING_DESC_F_WRITE : 0) | (i + 1 < count ? VRING_DESC_F_NEXT : 0));
    d.next = i + 1 < count ? next_of(i) : std::uint16_t{0};
  }
}

}  // namespace

split_ring_driver::split_ring_driver(const split_ring& ring, bool event_index)
    : ring_(ring), event_index_(event_index), descriptors_of_(ring.size) {
  std::memset(ring.descriptors, 0, split_ring::descriptors_bytes(ring.size));
  std::memset(ring.available, 0, split_ring::available_bytes(ring.size));
  std::memset(ring.used, 0, split_ring::used_bytes(ring.size));
  free_.reserve(ring.size);
  for (std::uint16_t i = ring.size; i > 0; --i) free_.push_back(static_cast<std::uint16_t>(i - 1));
}

std::optional<std::uint16_t> split_ring_driver::add(std::span<const buffer> readable,
                                                    std::span<const buffer> writable) {
  const std::size_t count = readable.size() + writable.size();
  assert(count > 0);
  if (count > free_.size()) return std::nullopt;
  // The chain takes descriptors from the back of the free list; its head is the last one there.
  const std::span<const std::uint16_t> taken = std::span(free_).last(count);
  const auto nth = [&](std::size_t i) { return taken[count - 1 - i]; };
  write_chain(
      readable, writable, [&](std::size_t i) -> vring_desc& { return ring_.descriptors[nth(i)]; },
      [&](std::size_t i) { return nth(i + 1); });
  const std::uint16_t head = nth(0);
  descriptors_of_[head].assign(taken.begin(), taken.end());
  free_.resize(free_.size() - count);
  make_available(head);
  return head;
}

std::optional<std::uint16_t> split_ring_driver::add_indirect(std::span<const buffer> readable,
                                                             std::span<const buffer> writable,
                                                             std::span<vring_desc> table, std::uint64_t table_address) {
  const std::size_t count = readable.size() + writable.size();
  assert(count > 0 && count <= table.size());
  if (free_.empty()) return std::nullopt;
  write_chain(
      readable, writable, [&](std::size_t i) -> vring_desc& { return table[i]; },
      [](std::size_t i) { return static_cast<std::uint16_t>(i + 1); });
  const std::uint16_t head = free_.back();
  vring_desc& d = ring_.descriptors[head];
  d.addr = table_address;
  d.len = static_cast<__virtio32>(count * sizeof(vring_desc));
  d.flags = VRING_DESC_F_INDIRECT;
  d.next = 0;
  descriptors_of_[head].assign(1, head);
  free_.pop_back();
  make_available(head);
  return head;
}

void split_ring_driver::make_available(std::uint16_t head) {
  store(ring_.available->ring[added_ % ring_.size], head, std::memory_order_relaxed);
  ++added_;
  ++in_flight_;
}

bool split_ring_driver::publish() {
  const std::uint16_t before = published_;
  if (before == added_) return false;
  published_ = added_;
  // Orders our stores to buffers, descriptors and ring entries before the store of avail->idx; pairs with the device's
  // acquiring load of it (virtio 1.2, 2.7.13.3.1).
  store(ring_.available->idx, published_, std::memory_order_release);
  // Orders our store of avail->idx before our load of avail_event or flags; pairs with the device's barrier between
  // its store of those and its load of avail->idx (2.7.13.4.1).
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!event_index_) return (load(ring_.used->flags, std::memory_order_relaxed) & VRING_USED_F_NO_NOTIFY) == 0;
  return passed_event(load(ring_.available_event(), std::memory_order_relaxed), published_, before);
}

std::optional<split_ring_driver::used_entry> split_ring_driver::collect() {
  // Orders this load of used->idx before our loads of the entry and of the buffers; pairs with the device's releasing
  // store of it (2.7.14).
  const std::uint16_t news = static_cast<std::uint16_t>(load(ring_.used->idx, std::memory_order_acquire) - collected_);
  if (news == 0) return std::nullopt;
  // What lies in the ring beyond what the device can have used is of an earlier round.
  constexpr used_entry wrong{.head = 0, .written = 0, .valid = false};
  if (news > in_flight_) return wrong;
  vring_used_elem& entry = ring_.used->ring[collected_ % ring_.size];
  const std::uint32_t id = std::atomic_ref(entry.id).load(std::memory_order_relaxed);
  const std::uint32_t written = std::atomic_ref(entry.len).load(std::memory_order_relaxed);
  ++collected_;
  if (id >= ring_.size || descriptors_of_[id].empty()) return wrong;
  --in_flight_;
  free_.insert(free_.end(), descriptors_of_[id].begin(), descriptors_of_[id].end());
  descriptors_of_[id].clear();
  return used_entry{.head = static_cast<std::uint16_t>(id), .written = written, .valid = true};
}

void split_ring_driver::interrupts_off() {
  // With EVENT_IDX an event that is left behind does the same, and flags must stay 0 (2.7.7.2).
  if (!event_index_) store(ring_.available->flags, VRING_AVAIL_F_NO_INTERRUPT, std::memory_order_relaxed);
}

bool split_ring_driver::interrupts_on() {
  if (event_index_) {
    store(ring_.used_event(), collected_, std::memory_order_relaxed);
  } else {
    store(ring_.available->flags, 0, std::memory_order_relaxed);
  }
  // Orders our store of used_event or flags before the load of used->idx; pairs with the device's barrier between its
  // store of used->idx and its load of those (2.7.7).
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return load(ring_.used->idx, std::memory_order_relaxed) != collected_;
}

}  // namespace vloop
