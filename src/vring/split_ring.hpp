// SPDX-License-Identifier: MIT
// The split virtqueue (virtio 1.2, 2.7) as a memory format, and the device's two ends of it: available_reader takes
// heads that the driver offers, used_writer gives them back. Neither knows a file descriptor, a loop or who notifies.
//
//   driver writes   descriptors, available ring     read here: every value is copied once, then checked, then used
//   device writes   used ring
//
// The available_reader works as well on a read-only mapping of the available ring alone.
#pragma once

#ifndef VIRTIO_RING_NO_LEGACY
#define VIRTIO_RING_NO_LEGACY
#endif
#include <linux/virtio_ring.h>

#include <bit>
#include <cstddef>
#include <cstdint>

#include "vring/memory_map.hpp"

namespace vloop {

// Rings are little endian (virtio 1.2, 1.4); this project runs on little-endian machines only.
static_assert(std::endian::native == std::endian::little);

// What a driver can do wrong; the section beside each is the rule of virtio 1.2 that it breaks (1.3 has the same
// numbers). Any of these stops the queue until the driver resets it; none of them reaches memory.
enum class ring_error : std::uint8_t {
  none,
  avail_jump,         // 2.7.6.1: the available index moved by more than the queue size, or backwards
  bad_head,           // 2.7.6: a head that is not below the queue size
  head_in_use,        // 2.7.13.1: a head that was offered again before it was used
  bad_next,           // 2.7.5: a descriptor whose successor is outside its table
  too_long,           // 2.7.5.2, 2.7.5.3.1: more descriptors than the queue (or the device's bound for one chain) has:
                      // loops end here
  too_large,          // 2.7.5.2: more than 2^32 - 1 bytes in one chain
  zero_length,        // 2.7.5: a buffer of no bytes describes no memory; no driver may need one
  bad_address,        // 2.7.5: a buffer or table that is not in the driver's memory, all of it
  write_before_read,  // 2.7.4.2: a readable buffer after a writable one
  indirect_not_negotiated,  // 2.7.5.3.1
  indirect_size,            // 2.7.5.3: a table whose size is zero or not a multiple of a descriptor
  indirect_chained,         // 2.7.5.3.1: a table in a table, or a descriptor after one that names a table
};
const char* to_string(ring_error error);

constexpr std::uint16_t ring_size_max =
    32768;  // virtio 1.2, 2.7: "Queue Size ... maximum 32768", always a power of two

// The three parts of one ring, in this process's memory.
struct split_ring {
  vring_desc* descriptors = nullptr;
  vring_avail* available = nullptr;
  vring_used* used = nullptr;
  std::uint16_t size = 0;

  // Bytes of each part, with the event index at the end of the two rings (virtio 1.2, 2.7).
  static std::size_t descriptors_bytes(std::uint16_t size) { return sizeof(vring_desc) * size; }
  static std::size_t available_bytes(std::uint16_t size) { return 6 + 2 * std::size_t{size}; }
  static std::size_t used_bytes(std::uint16_t size) { return 6 + sizeof(vring_used_elem) * size; }

  // The three parts one after the other, for rings that we lay out ourselves. `base` is aligned to 16.
  static std::size_t bytes(std::uint16_t size);
  static split_ring at(std::byte* base, std::uint16_t size);

  // Where each side says what it wants to be told of, with EVENT_IDX: behind the entries of its own ring.
  __virtio16& used_event() const { return available->ring[size]; }                            // written by the driver
  __virtio16& available_event() const { return *reinterpret_cast<__virtio16*>(used_end()); }  // by the device

  // The ring that a driver describes by its addresses. Throws std::system_error (EINVAL) where the size is no power of
  // two, an address is not aligned, is not in the driver's memory, or two parts overlap.
  static split_ring find(const memory_map& memory, std::uint64_t descriptors, std::uint64_t available,
                         std::uint64_t used, std::uint16_t size);

 private:
  std::byte* used_end() const { return reinterpret_cast<std::byte*>(used) + used_bytes(size) - sizeof(__virtio16); }
};

// Whether moving an index from `before` to `after` passed the entry that the other side asked to be told of
// (virtio 1.2, 2.7.7.2 and 2.7.10.2: all arithmetic is modulo 2^16).
constexpr bool passed_event(std::uint16_t event, std::uint16_t after, std::uint16_t before) {
  return static_cast<std::uint16_t>(after - event - 1) < static_cast<std::uint16_t>(after - before);
}

class available_reader {
 public:
  // next: the index of the entry to read first; 0 for a fresh ring.
  available_reader(const vring_avail* ring, std::uint16_t size, std::uint16_t next = 0)
      : ring_(ring), size_(size), next_(next), published_(next) {}

  // Whether the driver has published anything beyond `seen`: what a poll looks at, for readers that count elsewhere.
  bool has_new(std::uint16_t seen) const;
  bool has_new() const { return has_new(next_); }

  struct head {
    bool some = false;  // false and no error: nothing is available
    std::uint16_t value = 0;
    ring_error error = ring_error::none;
  };
  head take();

  std::uint16_t next() const { return next_; }  // where the device is: the ring's position when a queue is handed over

 private:
  const vring_avail* ring_;
  std::uint16_t size_;
  std::uint16_t next_;       // entries before this one are taken
  std::uint16_t published_;  // entries before this one were seen published, and acquired
};

class used_writer {
 public:
  used_writer(const split_ring& ring, bool event_index, std::uint16_t next = 0)
      : ring_(ring), event_index_(event_index), next_(next), published_(next), told_(next) {}

  // Gives a head back, when publish() is called next. `written` counts from the chain's first writable byte. No more
  // heads are added than the queue has.
  void add(std::uint16_t head, std::uint32_t written);

  // Shows the driver all that was added: one store for a batch, so that it finds the whole of it or nothing.
  void publish();

  // Both, for one head.
  void push(std::uint16_t head, std::uint32_t written) {
    add(head, written);
    publish();
  }

  // Whether the driver wants to be told of what was published since this was last asked. Ask once per batch.
  bool notification_wanted();

  // A hint to the driver that its kicks are not needed now.
  void refuse_kicks();
  // From here on a kick is wanted for the entry at `next` of the available ring. The caller must look at the available
  // ring again after this: what was published before it was seen comes without a kick.
  void ask_for_kick(std::uint16_t next);

  std::uint16_t next() const { return next_; }

 private:
  split_ring ring_;
  bool event_index_;
  std::uint16_t next_;       // index of the entry to write
  std::uint16_t published_;  // what used->idx says; kept here, for a driver could scribble over that
  std::uint16_t told_;       // entries before this one are no news any more
};

}  // namespace vloop
