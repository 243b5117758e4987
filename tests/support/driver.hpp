// SPDX-License-Identifier: MIT
// A driver for tests: the other end of one queue, driven from the test's own thread.
//
//   blk_driver disk(driver);
//   auto read = disk.read(0, 4096);        // offered and kicked
//   CHECK(disk.finish(read).status == VIRTIO_BLK_S_OK);
//
// Every wait is bounded: a request that is not answered in time fails the test by an exception.
#pragma once

#include <linux/virtio_blk.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "support/shared_memory.hpp"
#include "vring/split_ring_driver.hpp"

namespace vloop::test {

struct driver_options {
  std::uint16_t queue_size = 256;
  bool event_index = false;
  bool indirect = false;                      // offer every chain through an indirect table
  std::uint32_t request_bytes_max = 1 << 16;  // readable and writable part together
};

// Any virtio driver: chains of bytes in, chains of bytes out.
class driver {
 public:
  using ticket = std::uint64_t;
  struct answer {
    std::uint32_t written = 0;            // as the device says
    std::span<const std::byte> writable;  // the whole writable part; valid until the next submit()
  };

  driver(shared_memory& memory, const driver_options& options);
  ~driver();
  driver(const driver&) = delete;
  driver& operator=(const driver&) = delete;

  const split_ring& ring() const { return ring_; }
  int kick_fd() const { return kick_fd_; }
  int interrupt_fd() const { return interrupt_fd_; }
  const driver_options& options() const { return options_; }

  // How the two parts are cut into descriptors; in bytes, the last one takes what is left. Default: one each.
  struct cuts {
    std::vector<std::uint32_t> readable{};
    std::vector<std::uint32_t> writable{};
    std::uint32_t misalignment = 0;  // bytes by which the data's memory is off a page boundary
  };

  // Offers a request and kicks if the device wants that. Throws if there is no room for it.
  ticket submit(std::span<const std::byte> readable, std::uint32_t writable, const cuts& how);
  ticket submit(std::span<const std::byte> readable, std::uint32_t writable) { return submit(readable, writable, {}); }
  // The same for several at once: offer() each, then one publish().
  ticket offer(std::span<const std::byte> readable, std::uint32_t writable, const cuts& how);
  void publish();

  // Waits for one request's answer; throws std::runtime_error after `limit`.
  answer finish(ticket t, std::chrono::milliseconds limit = std::chrono::seconds(20));
  bool finished(ticket t);  // without waiting
  std::size_t in_flight() const { return in_flight_; }

  void kick();
  std::uint64_t kicks() const { return kicks_; }
  std::uint64_t interrupts() const { return interrupts_; }

  // The device forgot everything: so does the driver. All tickets are void.
  void reset();

 private:
  // Memory for one request, and what became of it.
  struct slot {
    std::span<std::byte> memory;
    std::span<std::byte> table;
    std::span<std::byte> writable;
    ticket owner = 0;
    bool in_use = false;
    bool done = false;
    std::uint32_t written = 0;
  };

  void collect();
  slot& slot_of(ticket t);

  shared_memory& memory_;
  const driver_options options_;
  split_ring ring_;
  std::optional<split_ring_driver> engine_;
  int kick_fd_ = -1;
  int interrupt_fd_ = -1;
  std::vector<slot> slots_;
  std::vector<std::uint16_t> free_slots_;
  std::vector<std::uint16_t> slot_by_head_;
  ticket generation_ = 0;  // counts submissions; a ticket is generation * slots + slot
  std::size_t in_flight_ = 0;
  std::uint64_t kicks_ = 0;
  std::uint64_t interrupts_ = 0;
};

// Block requests (virtio 1.3, 5.2.6).
class blk_driver {
 public:
  using ticket = driver::ticket;
  struct outcome {
    std::uint8_t status = 0xff;
    std::uint32_t written = 0;
    std::vector<std::byte> data;
    bool ok() const { return status == VIRTIO_BLK_S_OK; }
  };

  explicit blk_driver(driver& d) : driver_(d) {}

  ticket read(std::uint64_t sector, std::uint32_t bytes, const driver::cuts& how = {});
  ticket write(std::uint64_t sector, std::span<const std::byte> data, const driver::cuts& how = {});
  ticket flush();
  ticket get_id(std::uint32_t room = VIRTIO_BLK_ID_BYTES);
  ticket raw(std::uint32_t type, std::uint64_t sector, std::span<const std::byte> data, std::uint32_t writable,
             const driver::cuts& how = {});

  outcome finish(ticket t);
  driver& below() { return driver_; }

 private:
  driver& driver_;
};

}  // namespace vloop::test
