// SPDX-License-Identifier: MIT
// A disk that this process serves from a file in memory, and somebody who uses it.
#pragma once

#include "raw.hpp"

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace vloop::raw {

inline constexpr std::uint64_t disk_sectors = 8192;
inline constexpr std::uint32_t sector_bytes = 512;

// What a good server answers to the request, in one operation: the disk's bytes are those of entry 0 of the file table.
vloop_op good_answer(const vloop_record& request);

// Serves queues as a good server does, in a thread, until it is destroyed. An operation that is refused though its
// request waits ends the case there and then: its user would wait for ever.
class serving {
 public:
  explicit serving(std::vector<int> queues);
  serving(const serving&) = delete;
  serving& operator=(const serving&) = delete;
  ~serving();

 private:
  void serve();

  std::vector<int> queues_;
  owned_fd stop_;
  std::thread thread_;
};

// Started and probed. From then on nobody uses it but the case, which serves what it caused.
class disk {
 public:
  explicit disk(device_shape shape = blk_shape(disk_sectors));

  device& dev() { return device_; }
  queue& q(std::size_t index = 0) { return queues_[index]; }
  // Such as /dev/vda.
  const std::string& node() const { return node_; }
  int file() const { return file_.get(); }

  std::unique_ptr<serving> serve() const;
  // Another descriptor for a queue, with those flags.
  void reopen(std::size_t index, std::uint32_t flags);
  // Serves the orderly removal.
  void remove();
  // Removal by the end of the descriptors.
  void close();

 private:
  std::vector<int> queue_fds() const;

  device device_;
  std::vector<queue> queues_;
  owned_fd file_;
  std::string node_;
};

// The node that the driver made for a disk, or "" while there is none.
std::string disk_node(std::uint32_t id);

// Requests that the disk's driver waits for.
long requests_in_flight(const std::string& node);

// What memory of ours holds before somebody else writes to it.
inline constexpr std::byte stale{0xa5};

// One transfer of the disk, past the page cache, by a thread of its own: it waits until somebody serves it.
class transfer {
 public:
  static transfer read(const std::string& node, std::uint64_t offset, std::size_t bytes);
  static transfer write(const std::string& node, std::uint64_t offset, std::size_t bytes, std::byte value);

  bool ended() const;
  // The count, or -errno; it must end.
  long result() const;
  // After result(). Memory that was not read into is `stale`.
  std::span<const std::byte> data() const;
  bool data_is(std::byte value, std::size_t from, std::size_t to) const;

 private:
  struct state;
  static transfer begin(bool write, const std::string& node, std::uint64_t offset, std::size_t bytes, std::byte value);

  std::shared_ptr<state> state_;
};

// Threads that read and write the disk, one transfer after the other, until they are told to stop or one fails.
class traffic {
 public:
  traffic(std::string node, unsigned threads);
  traffic(const traffic&) = delete;
  traffic& operator=(const traffic&) = delete;
  ~traffic();

  long ended() const { return state_->ended; }
  long failed() const { return state_->failed; }
  // Stops; who serves the disk meanwhile is the caller's business.
  void finish();

 private:
  struct state {
    std::string node;
    std::atomic<long> ended = 0;
    std::atomic<long> failed = 0;
    std::atomic<bool> stop = false;
    std::atomic<unsigned> running = 0;

    void run(unsigned seed);
  };

  // The threads have it too: when a case fails, nobody may serve their disk any more, and nobody waits for them.
  std::shared_ptr<state> state_;
};

}  // namespace vloop::raw
