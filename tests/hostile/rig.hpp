// SPDX-License-Identifier: MIT
// A driver without manners: it writes its ring by hand, whatever the test says. Behind the ring is a real device on a
// worker of its own, over the shared-memory transport.
//
//   rig r(lane::blk);
//   auto c = r.valid();             // the chain that a driver with manners would offer
//   c[0].len = 0;
//   r.submit(c);
//   r.expect_rejected(ring_error::zero_length);
//   r.reset();
//   r.expect_a_valid_request_served();
//
// Cases use descriptors 0 to 7, the valid request those from 8 on. Every wait is bounded.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapter/memory_port.hpp"
#include "adapter/worker.hpp"
#include "devices/device.hpp"
#include "support/temporary_file.hpp"
#include "vring/memory_map.hpp"
#include "vring/split_ring.hpp"

namespace vloop::test {

// Which queue of which device is driven.
enum class lane { blk, rng, events, status };
constexpr lane all_lanes[] = {lane::blk, lane::rng, lane::events, lane::status};
const char* name_of(lane l);

// Memory between two pages that nobody may touch: what goes one byte too far crashes.
class guarded_memory {
 public:
  explicit guarded_memory(std::size_t bytes);
  ~guarded_memory();
  guarded_memory(const guarded_memory&) = delete;
  guarded_memory& operator=(const guarded_memory&) = delete;
  std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> all_;
  std::span<std::byte> bytes_;
};

struct hostile_options {
  bool indirect = true;
  bool event_index = false;
  bool read_only = false;  // blk
};

class hostile_rig {
 public:
  using chain = std::vector<vring_desc>;
  static constexpr std::uint16_t ring_size = 16;
  static constexpr std::uint16_t first_valid = 8;  // descriptors from here on are the valid request's
  static constexpr std::uint64_t disk_sectors = 2048;

  // Three regions: the second begins where the first ends, the third is far from both.
  static constexpr std::uint64_t near_at = 0x1'0000'0000, near_bytes = 1 << 20;
  static constexpr std::uint64_t next_at = near_at + near_bytes, next_bytes = 1 << 16;
  static constexpr std::uint64_t far_at = 0x8'0000'0000, far_bytes = 1 << 16;

  explicit hostile_rig(lane l, const hostile_options& options = {});
  ~hostile_rig();

  // ---- the driver's pen ----
  split_ring& ring() { return ring_; }
  // Writes a word that the device may be writing at the same time.
  static void scribble(__virtio16& word, std::uint16_t value) {
    std::atomic_ref(word).store(value, std::memory_order_relaxed);
  }
  vring_desc& desc(std::size_t i) { return ring_.descriptors[i]; }
  std::byte* at(std::uint64_t address);  // in this process
  // A page of the first region, for data; the ring lies elsewhere.
  static constexpr std::uint64_t page(std::size_t i) { return near_at + 0x20000 + i * 0x1000; }
  std::uint64_t address_of_ring() const { return ring_at_; }
  static constexpr std::uint64_t available_offset = 0x1000, used_offset = 0x2000;  // in the ring's pages

  static vring_desc r(std::uint64_t address, std::uint32_t length) { return {address, length, 0, 0}; }
  static vring_desc w(std::uint64_t address, std::uint32_t length) { return {address, length, VRING_DESC_F_WRITE, 0}; }

  // What the lane's driver would offer: a read of a disk's first sector, 64 random bytes, one event, one LED.
  chain valid() const;
  // Which of its descriptors holds the data, and whether the device writes to that.
  std::size_t data() const { return lane_ == lane::blk ? 1 : 0; }
  // An element that may follow the lane's chain: of the kind of its last one.
  vring_desc more(std::uint64_t address, std::uint32_t length) const;

  // Links the chain from descriptor `first` on.
  void write(const chain& c, std::uint16_t first = 0);
  // The same in a table, which descriptor `named_by` then names.
  void write_table(const chain& c, std::uint64_t table, std::uint16_t named_by = 0);
  // Puts a head into the available ring and moves the index; no kick.
  void offer(std::uint16_t head);
  void move_index(std::uint16_t by);
  void kick();
  // All of it for one chain.
  void submit(const chain& c);

  // ---- what came of it ----
  struct used_entry {
    std::uint32_t head;
    std::uint32_t written;
  };
  used_entry next_used();  // waits for it
  bool anything_used();    // beyond what next_used() gave
  ring_error error();
  adapter::memory_port_counters counters();
  void wait_for(std::uint64_t adapter::memory_port_counters::*counter);  // until it is not 0

  void expect_rejected(ring_error why);
  void expect_served(unsigned count = 1);  // as many chains of the valid shape
  void expect_a_valid_request_served();

  std::uint32_t valid_length() const;  // the used length of the valid chain
  std::uint8_t status_at(std::uint64_t address) { return static_cast<std::uint8_t>(*at(address)); }
  temporary_file& file() { return *file_; }
  lane kind() const { return lane_; }

  // ---- what the transport is told by the driver ----
  void reset();  // and made ready again, with a fresh ring
  void reset_only();
  void make_ready();
  bool move_ring(std::uint64_t to);
  void remove_region(std::uint64_t address);
  void add_region(std::uint64_t address);
  void on_worker(const std::function<void(adapter::memory_port&)>& work);

 private:
  struct region {
    std::uint64_t address;
    guarded_memory memory;
  };

  const region& region_at(std::uint64_t address) const;
  split_ring ring_at(std::uint64_t address);
  adapter::memory_port_options port_options(std::size_t queue, const hostile_options& options);
  task<void> serve(loop& io, std::promise<void>& serving, hostile_options options);
  task<void> serve_one(adapter::memory_port& port, loop& io);
  static task<void> reset_port(adapter::memory_port& port, std::promise<void>& done);
  void fresh_ring();

  const lane lane_;
  const std::size_t queue_;  // the one that is driven
  std::unique_ptr<temporary_file> file_;
  std::unique_ptr<device> device_;
  region regions_[3];
  memory_map map_;
  std::uint64_t ring_at_;
  split_ring ring_;
  std::uint16_t available_ = 0;  // what the index says
  std::uint16_t used_ = 0;       // entries before this one were looked at
  int kick_fd_ = -1;
  int interrupt_fd_ = -1;
  int idle_fd_ = -1;                                          // of the queue that is not driven
  std::vector<std::unique_ptr<adapter::memory_port>> ports_;  // made and destroyed on the worker
  adapter::worker worker_;                                    // last: ends before what it uses
};

}  // namespace vloop::test
