// SPDX-License-Identifier: MIT
// What a device has of a split ring, kept in memory that outlives the device: the region of one queue as vhost-user's
// "Inflight I/O tracking" lays it out. A device that died leaves in it which heads it had taken and not given back, in
// which order; the next one goes on with those.
//
//   take(head)                         before anything is done for the request
//   giving_back(head)                  before its used entry can be seen; several may go together
//   gave_back(used index)              after the used index says so
//   resume(used index)                 of a new device, once, before all of these
//   untake(head)                       nothing was done for the request, and it will be taken again
//
// The region is shared with the driver's side, which may write anything into it: every number is checked, and what
// cannot be costs at most a request that is done twice or not at all, which is the driver's own loss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vloop {

// One for each descriptor; only those of heads mean something.
struct inflight_descriptor {
  std::uint8_t in_flight = 0;
  std::uint8_t padding[5] = {};
  std::uint16_t next = 0;     // the head given back before this one, in the batch that is being given back
  std::uint64_t counter = 0;  // in the order in which they were taken
};
static_assert(sizeof(inflight_descriptor) == 16);

struct inflight_head {
  std::uint64_t features = 0;
  std::uint16_t version = 0;          // 0: nothing was written yet
  std::uint16_t descriptors = 0;      // the queue's size
  std::uint16_t last_batch_head = 0;  // the head given back last
  std::uint16_t used_index = 0;       // of the ring, when no batch was being given back
};
static_assert(sizeof(inflight_head) == 16);

class inflight_log {
 public:
  static constexpr std::uint16_t version = 1;

  // Of one queue's region. They lie one behind the other, each on a cache line of its own.
  static std::size_t bytes(std::uint16_t queue_size);

  // `region` has bytes(queue_size) and is aligned for a number of 64 bits; it outlives this.
  inflight_log(std::span<std::byte> region, std::uint16_t queue_size);

  std::uint16_t queue_size() const { return size_; }

  struct left {
    std::vector<std::uint16_t> heads;  // to be done again, in this order
    std::uint16_t next_available = 0;  // the index behind everything that was taken
  };
  // `used_index` is what the ring says. A region that was never written is made a fresh one.
  left resume(std::uint16_t used_index);

  // The device was reset: whoever resumes finds a fresh log.
  void clear();

  void take(std::uint16_t head);
  void untake(std::uint16_t head);
  void giving_back(std::uint16_t head);
  void gave_back(std::uint16_t used_index);

 private:
  inflight_head& head() const;
  inflight_descriptor& descriptor(std::uint16_t index) const;
  void finish_batch(std::uint16_t used_index);

  std::span<std::byte> region_;
  std::uint16_t size_;
  std::uint64_t counter_ = 0;
};

}  // namespace vloop
