// SPDX-License-Identifier: MIT
// One virtqueue of a device that is served over a socket: the ring, where a front end has set one up, and the memory
// that it and its requests lie in.
//
//   idle --start()--> running --pause()--> idle       (the device waits for requests all the while)
//     \--forget(): as new, for the next front end
//
// Everything happens on the thread of the queue's worker.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "adapter/memory_port.hpp"
#include "devices/device.hpp"
#include "devices/owned_fd.hpp"
#include "runtime/event.hpp"
#include "runtime/loop.hpp"
#include "runtime/task.hpp"
#include "runtime/task_group.hpp"
#include "vhost_user/guest_memory.hpp"
#include "vring/inflight_log.hpp"
#include "vring/memory_map.hpp"

namespace vloop::adapter {

// The largest that a front end may set up, whatever the device would like.
constexpr std::uint16_t vhost_user_ring_size_max = 1024;

// Work for a ring passes from thread to thread by value.
using shared_fd = std::shared_ptr<const owned_fd>;

struct vhost_user_ring_start {
  split_ring ring;  // in memory that this ring has
  bool event_index = false;
  bool indirect = false;
  std::uint16_t base = 0;                           // where to go on, if there is no log
  shared_fd kick;                                   // empty: the ring is looked at every so often
  std::shared_ptr<vhost_user::guarded_memory> log;  // all of it; empty: none is kept
  std::size_t log_offset = 0;                       // where this queue's part is
  std::uint16_t log_size = 0;                       // the queue size for which that was made
};

class vhost_user_ring {
 public:
  // `broken` is told what a driver did wrong, once for each front end, on the worker's thread.
  vhost_user_ring(loop& io, const device_description& of, std::uint16_t index, std::function<void(ring_error)> broken);
  vhost_user_ring(const vhost_user_ring&) = delete;
  vhost_user_ring& operator=(const vhost_user_ring&) = delete;

  queue& requests() { return port_.requests(); }
  const memory_port_counters& counters() const { return port_.counters(); }

  // While it is idle; adding alone also while it runs.
  void set_memory(const std::vector<vhost_user::guest_region>& regions);
  void add_memory(const vhost_user::guest_region& one);

  void start(const vhost_user_ring_start& how);

  // Finishes what was taken. Gives the index that comes next; what was given before, if it was idle.
  task<std::uint16_t> pause();

  // The driver begins anew: what is in flight is of no interest to it any more.
  task<void> forget();

  // The front end goes: what was taken is finished, and nothing of its own is left here.
  task<void> leave();

  // Null: nobody is told. Whoever is new is told at once, since it may have missed something.
  task<void> set_call(shared_fd call);
  void set_error(shared_fd error) { error_ = std::move(error); }

  // There is no front end any more, and there will be none: ends the queue.
  void stop();
  // Until that was said, and nothing is under way.
  task<void> stopped();

 private:
  task<void> signal(shared_fd fd);
  void driver_broke_it(ring_error how);

  loop& io_;
  const std::function<void(ring_error)> broken_;
  bool broke_it_ = false;  // the front end that is there, and it was told
  memory_map map_;
  std::vector<vhost_user::guest_region> regions_;  // keeps mapped what is in map_
  shared_fd kick_;
  shared_fd call_;
  shared_fd error_;
  std::shared_ptr<vhost_user::guarded_memory> log_memory_;
  std::optional<inflight_log> log_;
  event stopped_;
  task_group signals_;
  memory_port port_;  // last: it uses all of the above
};

}  // namespace vloop::adapter
