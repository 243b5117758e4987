// SPDX-License-Identifier: MIT
// The driver's side of a virtio disk (virtio 1.3, 5.2) in memory that is shared with the device: rings, kicks and
// interrupts by io_uring, so that one call hands over a batch, kicks, and sleeps for the interrupt.
//
// What the device says is not trusted: an answer that nobody waits for is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bench/io_ring.hpp"
#include "bench/target.hpp"
#include "vhost_user/shared_memory.hpp"
#include "vring/split_ring_driver.hpp"

namespace vloop::bench {

class virtio_disk {
 public:
  struct queue_end {
    split_ring_driver* ring;
    int kick_fd;
  };
  struct options {
    std::string name;  // for errors
    load_shape load;
    std::uint32_t piece_bytes_max = block_unlimited;  // of one descriptor
    std::vector<queue_end> queues;
    std::vector<int> interrupt_fds;  // eventfds without O_NONBLOCK
    std::vector<int> trouble_fds{};  // become readable, or hang up, when the device is of no use any more
  };
  static constexpr std::uint32_t block_unlimited = UINT32_MAX;

  // Entries that a ring must have for a load: each request takes a header, a status and its pieces.
  static std::uint32_t ring_entries(const load_shape& load, std::uint32_t pieces);
  // Of each queue.
  static std::uint32_t buffer_bytes(const load_shape& load);

  // The memory, the rings and the descriptors outlive it. Throws setup_error.
  virtio_disk(const vhost_user::shared_memory& memory, options what);

  std::span<std::byte> buffer(std::uint32_t slot) const;
  void prepare(std::uint32_t slot, const access& what);
  // As target::turn().
  std::span<const ended_access> turn();

  bool troubled() const { return troubled_; }
  std::uint64_t enters() const { return ring_.enters(); }

 private:
  struct slot_state {
    bool write = false;
  };

  struct interrupt {
    bool listening = false;      // a read is under way
    bool does_not_wait = false;  // its eventfd is O_NONBLOCK
    std::uint64_t count = 0;     // what the read gives
  };

  void kick();
  void listen();
  bool ask_for_interrupts();
  void note(std::uint64_t tag, std::int32_t result);
  void collect(std::size_t queue);
  std::int32_t outcome(std::uint32_t slot, std::uint32_t written) const;
  void add_pieces(std::vector<split_ring_driver::buffer>& to, std::uint32_t slot) const;
  std::uint64_t head_at(std::uint32_t slot) const;
  std::uint64_t data_at(std::uint32_t slot) const;

  const vhost_user::shared_memory& memory_;
  const options options_;
  std::vector<slot_state> slots_;
  std::vector<std::vector<std::uint32_t>> slot_of_head_;  // by queue
  std::vector<split_ring_driver::buffer> readable_;       // of the chain that is being written
  std::vector<split_ring_driver::buffer> writable_;
  std::vector<ended_access> ended_;
  std::vector<interrupt> interrupts_;
  bool troubled_ = false;
  io_ring ring_;  // last: it ends before what it writes to
};

}  // namespace vloop::bench
