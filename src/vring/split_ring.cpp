// SPDX-License-Identifier: MIT
#include "vring/split_ring.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>

namespace vloop {
namespace {

// One word of memory that the other side writes too: read or written exactly once, with the order that is asked for.
std::uint16_t load(const __virtio16& word, std::memory_order order) {
  return std::atomic_ref(const_cast<__virtio16&>(word)).load(order);  // only loads: fine on a read-only mapping
}

void store(__virtio16& word, std::uint16_t value, std::memory_order order) {
  std::atomic_ref(word).store(value, order);
}

constexpr std::size_t round_up(std::size_t value, std::size_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

bool overlap(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.data() < b.data() + b.size() && b.data() < a.data() + a.size();
}

[[noreturn]] void refuse(const char* why) {
  throw std::system_error(EINVAL, std::generic_category(), std::string("split ring: ") + why);
}

}  // namespace

const char* to_string(ring_error error) {
  switch (error) {
    case ring_error::none:
      return "no error";
    case ring_error::avail_jump:
      return "the available index moved by more than the queue size";
    case ring_error::bad_head:
      return "a head is not below the queue size";
    case ring_error::head_in_use:
      return "a head was offered again before it was used";
    case ring_error::bad_next:
      return "a descriptor's successor is outside its table";
    case ring_error::too_long:
      return "a chain has too many descriptors, or is a loop";
    case ring_error::too_large:
      return "a chain has more than 2^32 - 1 bytes";
    case ring_error::zero_length:
      return "a buffer has no bytes";
    case ring_error::bad_address:
      return "a buffer is outside the driver's memory";
    case ring_error::write_before_read:
      return "a readable buffer follows a writable one";
    case ring_error::indirect_not_negotiated:
      return "an indirect table was used without VIRTIO_F_INDIRECT_DESC";
    case ring_error::indirect_size:
      return "an indirect table's size is zero or not a multiple of 16";
    case ring_error::indirect_chained:
      return "an indirect table is not the last descriptor of its chain";
  }
  return "unknown error";
}

std::size_t split_ring::bytes(std::uint16_t size) {
  const std::size_t used_at = round_up(descriptors_bytes(size) + available_bytes(size), VRING_USED_ALIGN_SIZE);
  return used_at + used_bytes(size);
}

split_ring split_ring::at(std::byte* base, std::uint16_t size) {
  const std::size_t available_at = descriptors_bytes(size);
  const std::size_t used_at = round_up(available_at + available_bytes(size), VRING_USED_ALIGN_SIZE);
  return {.descriptors = reinterpret_cast<vring_desc*>(base),
          .available = reinterpret_cast<vring_avail*>(base + available_at),
          .used = reinterpret_cast<vring_used*>(base + used_at),
          .size = size};
}

split_ring split_ring::find(const memory_map& memory, std::uint64_t descriptors, std::uint64_t available,
                            std::uint64_t used, std::uint16_t size) {
  if (!std::has_single_bit(size) || size > ring_size_max) refuse("the size is not a power of two up to 32768");
  const auto d = memory.find_whole(descriptors, descriptors_bytes(size));
  const auto a = memory.find_whole(available, available_bytes(size));
  const auto u = memory.find_whole(used, used_bytes(size));
  if (d.empty() || a.empty() || u.empty()) refuse("a part is outside the driver's memory");
  // Alignment (virtio 1.2, 2.7) matters where we touch the memory, so it is checked on our side of the map too.
  const auto aligned = [](std::uint64_t address, const std::byte* here, std::uint64_t to) {
    return address % to == 0 && reinterpret_cast<std::uintptr_t>(here) % to == 0;
  };
  if (!aligned(descriptors, d.data(), VRING_DESC_ALIGN_SIZE) || !aligned(available, a.data(), VRING_AVAIL_ALIGN_SIZE) ||
      !aligned(used, u.data(), VRING_USED_ALIGN_SIZE))
    refuse("a part is not aligned (descriptors 16, available ring 2, used ring 4)");
  if (overlap(d, a) || overlap(d, u) || overlap(a, u)) refuse("two parts overlap");
  return {.descriptors = reinterpret_cast<vring_desc*>(d.data()),
          .available = reinterpret_cast<vring_avail*>(a.data()),
          .used = reinterpret_cast<vring_used*>(u.data()),
          .size = size};
}

bool available_reader::has_new(std::uint16_t seen) const {
  // Only a hint that take() confirms; it orders nothing.
  return load(ring_->idx, std::memory_order_relaxed) != seen;
}

available_reader::head available_reader::take() {
  if (next_ == published_) {
    // Orders this load of avail->idx against our loads of ring entries, descriptors and buffers after it; pairs with
    // the barrier between the driver's stores to those and its store to avail->idx (virtio 1.2, 2.7.13.3.1).
    const std::uint16_t index = load(ring_->idx, std::memory_order_acquire);
    // The driver may not move the index backwards (2.7.6.1), nor offer more heads than there are (2.7.13).
    if (static_cast<std::uint16_t>(index - next_) > size_) return {.error = ring_error::avail_jump};
    if (index == next_) return {};
    published_ = index;
  }
  // Relaxed: a driver that behaves stored the entry before the index that was acquired above.
  const std::uint16_t value = load(ring_->ring[next_ % size_], std::memory_order_relaxed);
  if (value >= size_) return {.error = ring_error::bad_head};  // 2.7.6: an index into the descriptor table
  ++next_;
  return {.some = true, .value = value};
}

void used_writer::add(std::uint16_t head, std::uint32_t written) {
  vring_used_elem& entry = ring_.used->ring[next_ % ring_.size];
  std::atomic_ref(entry.id).store(head, std::memory_order_relaxed);
  std::atomic_ref(entry.len).store(written, std::memory_order_relaxed);  // before idx: virtio 1.2, 2.7.8.2
  ++next_;
}

void used_writer::publish() {
  published_ = next_;
  // Orders our stores to the requests' buffers and to the entries before the store of used->idx; pairs with the
  // driver's barrier between its load of used->idx and its loads of entries and buffers (2.7.14).
  store(ring_.used->idx, published_, std::memory_order_release);
}

bool used_writer::notification_wanted() {
  const std::uint16_t before = told_;
  told_ = published_;
  if (before == published_) return false;
  // Orders our store of used->idx before our load of used_event or flags; pairs with the driver's barrier between its
  // store of those and its load of used->idx. Without it both sides could miss the other's news (2.7.7).
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!event_index_) {
    const std::uint16_t flags = load(ring_.available->flags, std::memory_order_relaxed);
    return (flags & VRING_AVAIL_F_NO_INTERRUPT) == 0;  // 2.7.7.1
  }
  // avail->flags is ignored with EVENT_IDX (2.7.7.2).
  const std::uint16_t event = load(ring_.used_event(), std::memory_order_relaxed);
  return passed_event(event, published_, before);
}

void used_writer::refuse_kicks() {
  // With EVENT_IDX an event that is left behind does the same (2.7.10.2), and flags must stay 0.
  if (!event_index_) store(ring_.used->flags, VRING_USED_F_NO_NOTIFY, std::memory_order_relaxed);
}

void used_writer::ask_for_kick(std::uint16_t next) {
  if (event_index_) {
    store(ring_.available_event(), next, std::memory_order_relaxed);
  } else {
    store(ring_.used->flags, 0, std::memory_order_relaxed);
  }
  // Orders our store of avail_event or flags before the caller's next load of avail->idx; pairs with the driver's
  // barrier between its store of avail->idx and its load of those (2.7.13.4.1).
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

}  // namespace vloop
