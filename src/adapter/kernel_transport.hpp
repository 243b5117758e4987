// SPDX-License-Identifier: MIT
// The transport to this kernel's own virtio drivers, through the module vloop.ko.
//
//   kernel_transport --create(), attach()--> kernel_device --(index, loop)--> kernel_queue
//
// kernel_transport and kernel_device are the control plane's (the main thread); a kernel_queue is made, used and
// destroyed on the thread of the worker that serves it. docs/abi.md describes the module's side.
#pragma once

#include "adapter/recovery_terms.hpp"
#include "devices/device.hpp"
#include "devices/owned_fd.hpp"
#include "runtime/loop.hpp"
#include "vring/queue.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vloop {

// Where the driver is with a device (virtio 1.3, 2.1).
struct driver_progress {
  bool registered = false;  // on the virtio bus
  bool gone = false;        // for us: unregistered, never registered because of `error`, or another's now
  int error = 0;            // errno of the registration
  int virtio_index = -1;    // N of /sys/bus/virtio/devices/virtioN
  std::uint8_t status = 0;
  std::uint64_t features = 0;  // acknowledged by the driver
};

// What the module counted for one queue since it was made.
struct queue_statistics {
  std::uint64_t taken = 0;
  std::uint64_t completed = 0;
  std::uint64_t kicks = 0;
  std::uint64_t interrupts = 0;
  std::uint64_t deferred = 0;  // operations that a kernel worker had to finish
  std::uint64_t syncs = 0;     // flushes that reached the backing file
  std::uint64_t bytes_moved = 0;
  std::uint64_t bytes_copied = 0;
  std::uint64_t errors = 0;
  std::uint64_t in_flight = 0;
};

enum class device_event : std::uint8_t {
  progress,    // look at progress()
  hand_over,   // another process wants to serve the device: stop the queues, then detach()
  stop,        // somebody who may wants it removed: remove()
  taken_away,  // by `vloop stop --force`: the kernel answers what is left
};

// What a process holds that serves a device. It ends with progress().gone: the device is unregistered, or another's.
class kernel_device {
 public:
  kernel_device(owned_fd device, std::vector<owned_fd> queues, std::uint32_t id, std::vector<std::uint16_t> queue_sizes,
                const device_description& served);

  std::uint32_t id() const { return id_; }
  int fd() const { return device_.get(); }  // readable when next_event() has something
  const std::vector<std::uint16_t>& queue_sizes() const { return queue_sizes_; }
  int queue_fd(std::uint16_t index) const { return queues_.at(index).get(); }
  bool in_place() const { return in_place_; }
  // Of the device that is served, whose descriptors they are.
  const std::vector<file_description>& files() const { return files_; }

  void start();   // stage 2: the driver may probe from now on. Not for a device that was attached to
  void remove();  // asks for the orderly removal; serve until progress() says gone
  void detach();  // leaves the device to its next server, once no queue is served here. Throws setup_error
  void close();   // gives the device up: the kernel answers what is left, and removes it if it is not recoverable

  // Replaces the configuration space; the driver is told if something differs. Throws setup_error if the module refuses
  // the contents. A device that is on its way out takes none, which is no error.
  void set_config(const std::vector<std::byte>& bytes);

  // What happened since the last call; nothing when there was nothing (or nothing will come any more).
  std::optional<device_event> next_event();
  driver_progress progress() const;

 private:
  owned_fd device_;
  std::vector<owned_fd> queues_;  // until the end: workers use them
  std::uint32_t id_;
  std::vector<std::uint16_t> queue_sizes_;
  bool in_place_;
  std::vector<file_description> files_;
  bool gone_ = false;
  bool taken_away_ = false;
  int error_ = 0;
};

struct take_over {
  std::chrono::milliseconds timeout;  // for the living server to hand the device over; at most take_over_wait_max
};
inline constexpr std::chrono::milliseconds take_over_wait_max{60'000};

class kernel_transport {
 public:
  // Throws setup_error when there is no module, or no right to use it, or its ABI is another.
  kernel_transport();

  // For the log: the kernel and the door of the data path.
  static std::string description();

  // Makes the device with its files; it is not visible to any driver yet. `stored` is kept for its next servers.
  std::unique_ptr<kernel_device> create(const device_description& description, const recovery_terms& terms,
                                        const std::string& stored) const;

  // Becomes the server of a device that exists. What its last server left comes again. Throws setup_error if it may
  // not be, if it is served (and no take-over is asked for, or its server does not hand over in time), or if the
  // description does not fit it, which leaves the device deserted.
  std::unique_ptr<kernel_device> attach(std::uint32_t id, const device_description& description,
                                        const std::optional<take_over>& wanted) const;

  // Asks for the device's removal, or removes it whatever its server does, and does not wait for it. Throws
  // setup_error.
  void stop(std::uint32_t id, bool force) const;

 private:
  owned_fd control_;
};

// One queue's data path. Operations gather and leave as one write a turn. Requests are looked for in the mapped
// available ring; the kernel is asked for records when there are some, and before the loop sleeps.
class kernel_queue {
 public:
  kernel_queue(const kernel_device& device, std::uint16_t index, loop& io);
  ~kernel_queue();

  queue& requests();

  // Reads records and delivers requests until the device is gone or cancel() was called; then stops the queue, lets the
  // answers that were given leave, and forgets the rest: whoever waits for a transfer gets -ECANCELED. Throws
  // setup_error if the kernel refuses what should always work.
  // `on_ready` is called on this thread, before the first request, each time that the driver set the queue up, and once
  // for a queue that was set up already.
  task<void> pump(std::function<void(std::uint64_t acked_features)> on_ready);

  // Ends pump() though the device is not gone. What the device has not answered by then is the next server's.
  void cancel();

  // Nothing is under way in the ring any more: only then may it be destroyed.
  bool idle() const;

  queue_statistics statistics() const;

 private:
  class port;
  std::unique_ptr<port> port_;
};

}  // namespace vloop
