// SPDX-License-Identifier: MIT
// What a device is to the adapter. The three stages of the control plane, in this order:
//   1  describe()   the device tells the adapter what it is
//   2               the adapter creates it through the transport; the driver acknowledges features
//   3  start()      the device is told them; then serve() runs once per queue, each on its queue's worker
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/loop.hpp"
#include "runtime/task.hpp"
#include "vring/queue.hpp"

namespace vloop {

struct queue_description {
  // What becomes of a request that is in flight when the process that serves the device dies.
  enum class on_death : std::uint8_t {
    reply,  // it is answered with death_status: a driver never sees a zero-length answer with a stale status byte
    leave,  // nothing is pushed; the driver takes its buffers back when it removes the device
  };

  std::uint16_t size = 256;  // entries, a power of two
  on_death when_process_dies = on_death::leave;
  std::uint8_t death_status = 0;  // for reply
};

// A file that transfers name by its index. The device owns the descriptors and keeps them open while it lives.
struct file_description {
  int fd = -1;  // -1: there is no file; transfers with it move nothing, as if they had (drivers that share memory only)
  bool direct = false;   // fd is O_DIRECT: memory and position of a transfer must be aligned as said below
  int buffered_fd = -1;  // the same file without O_DIRECT, for transports whose driver may send unaligned memory; or -1
  std::uint32_t memory_alignment = 1;  // bytes, powers of two
  std::uint32_t offset_alignment = 1;
};

// One of several contents of the configuration space, of which the driver selects one (virtio 1.3, 5.8.4): it writes
// the selectors into bytes 0 and 1, and reads the length in byte 2 and the contents from byte 8 on.
struct config_page {
  std::uint8_t select = 0;
  std::uint8_t subsel = 0;
  std::vector<std::byte> bytes;  // 1 to 128
};

struct device_description {
  std::uint32_t id = 0;            // virtio device id: 2 blk, 4 entropy, 18 input
  std::uint64_t features = 0;      // device type features only; transports add and clear their own
  std::vector<std::byte> config;   // device configuration space, little endian, as the driver reads it
  std::size_t config_changes = 0;  // so many bytes at its front may differ from one server of a device to the next
  std::vector<config_page> pages;  // if there are any, they are the configuration space, and config is empty
  std::vector<queue_description> queues;
  std::vector<file_description> files;
  bool in_place = false;           // data is touched in the driver's own memory (access=window)
  std::string kind;                // "blk": as on the command line
  std::string label;               // what it serves, for logs: "disk.img"
  std::vector<std::string> notes;  // one line each, for the log: decisions that a user may want to know
};

class device {
 public:
  virtual ~device() = default;

  // Stage 1. The same for the whole life of the device.
  virtual const device_description& describe() const = 0;

  // Stage 3, before any serve(), and again after each reset of the device by its driver, when no request is in flight.
  virtual void start(std::uint64_t acked_features) = 0;

  // Serves one queue until next() gives nullopt; by then every request taken from it has been answered.
  virtual task<void> serve(queue& requests, loop& io) = 0;

  // Where lines go that a user may want to see while it runs; from any thread. Called once, before start().
  virtual void log_to(std::function<void(const std::string&)>) {}

  // Where a new configuration space goes when the device's own has changed: all of it, from any thread. Called once,
  // before start().
  virtual void tell_config(std::function<void(std::vector<std::byte>)>) {}

  // Something outside may have changed that it follows, such as the size of a file: looks, and tells the log and
  // tell_config() what is new. Main thread.
  virtual void look_again() {}

  // What it counted, one line each, for the log. After all serve() have ended.
  virtual std::vector<std::string> summary() const { return {}; }
};

}  // namespace vloop
