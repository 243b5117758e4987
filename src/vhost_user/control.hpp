// SPDX-License-Identifier: MIT
// Stage 3 and what follows it: a thread that has the socket to itself. It sets the daemon's rings up once a driver is
// there, then sleeps until the daemon says or does something: what it does without being asked is its death or a fault.
//
//   waiting --begin()--> starting --rings set up--> running --the daemon is faulty, or gone for good--> failed
//                           ^                         | | |--nobody needs it any more--> rings stopped, device reset
//                           |                         | |--the driver reset it--> holding --rings stopped--|
//                           |                         |--the daemon is gone, and waited for---------> paused
//                           |--it is there again, and the relays have taken their rings back-------------|
//
// Relays attend, each on its own loop, and are told of `running`, `holding`, `paused` and `failed` there, also if it
// was before they came.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "devices/owned_fd.hpp"
#include "runtime/loop.hpp"
#include "vhost_user/back_channel.hpp"
#include "vhost_user/client.hpp"
#include "vhost_user/hand_over.hpp"
#include "vhost_user/offer.hpp"
#include "vhost_user/shared_memory.hpp"

namespace vloop::vhost_user {

// What becomes of a ring while no daemon runs it.
enum class ring_then : std::uint8_t {
  as_new,
  as_it_was,  // the next daemon knows from the in-flight log what the last one had of it
};

// What a relay is told, on its loop's thread.
class audience {
 public:
  virtual void started() = 0;
  // Gives the daemon nothing from now on; `quiet` is called as soon as that has nothing any more that it will give
  // back.
  virtual void held(std::function<void()> quiet) = 0;
  // The daemon touches the ring no more. What it gave back is taken. A ring that is as_new is so when this returns, and
  // what the daemon had is to be given again, if its driver still waits for it.
  virtual void paused(ring_then ring) = 0;
  virtual void failed(std::exception_ptr why) = 0;

 protected:
  ~audience() = default;
};

// How a daemon that is gone is found again.
struct way_back {
  std::chrono::seconds wait_max{0};  // 0: it is not waited for
  std::function<client()> connect{};
  std::function<offer(client&)> ask{};
};

class control {
 public:
  using log_function = std::function<void(const std::string&)>;
  using config_function = std::function<void(std::vector<std::byte>)>;

  // `terms`, `memory` and `events` outlive it. `read_config` asks the daemon for its configuration of now, checked.
  control(client daemon, const offer& terms, const shared_memory& memory, const std::vector<queue_events>& events,
          way_back back, std::function<std::vector<std::byte>(client&)> read_config);
  ~control();
  control(const control&) = delete;
  control& operator=(const control&) = delete;

  void log_to(log_function log);
  void tell_config(config_function tell);

  // Any thread. A driver acknowledged these features. The first time begins stage 3; what comes later is for the next
  // time that the daemon is set up.
  void begin(std::uint64_t acknowledged);

  // Any thread. The driver has reset the device and set it up again: so is the daemon's side.
  void driver_was_reset();

  // Attends from its making to its end, on the thread of `io`.
  class seat {
   public:
    seat(control& of, loop& io, audience& who);
    ~seat();
    seat(const seat&) = delete;
    seat& operator=(const seat&) = delete;

   private:
    friend class control;
    struct place {
      loop* io;
      audience* who;             // of the loop's thread; null once it left, and news for it is on its way
      std::uint64_t held = 0;    // the last stop for which it has become quiet,
      std::uint64_t paused = 0;  // and for which it has taken its ring back
    };
    control& of_;
    std::shared_ptr<place> place_;
  };

 private:
  enum class state : std::uint8_t { waiting, starting, running, holding, paused, failed };
  // What ended the service of a daemon.
  enum class outcome : std::uint8_t { not_needed, reset, lost };

  void run();
  void set_up_device();
  void set_up_queue(std::uint32_t index);
  std::uint16_t base_of(const split_ring& ring) const;
  void give_inflight_log();
  void give_memory();
  void take_memory_back();
  void add_status(std::uint8_t bits);
  outcome watch();
  void look_at_socket() const;
  void open_back_channel();
  void look_at_back_channel();
  void look_at_config();
  void say(const std::string& line);
  void become(state now, std::exception_ptr failure = nullptr);
  void tell(const std::shared_ptr<seat::place>& one);
  outcome serve_once();
  bool come_again();
  void reset_device();
  void stop_rings();
  void check_base(std::uint32_t index, std::uint32_t base);
  void clear_device();
  void take_leave();
  void rings_become(ring_then what);
  void hold_relays();
  void stop_relays(state now, std::uint64_t seat::place::*reached, const std::string& otherwise);
  std::optional<client> find_daemon(std::chrono::steady_clock::time_point deadline);
  void refuse_another(const offer& now) const;
  bool told_to_end(std::chrono::milliseconds wait) const;

  client daemon_;
  const offer& terms_;
  const shared_memory& memory_;
  const std::vector<queue_events>& events_;
  const way_back back_;
  const std::function<std::vector<std::byte>(client&)> read_config_;
  std::vector<std::byte> config_;       // as the driver was told last
  std::optional<back_channel> asking_;  // the daemon's way to ask us
  owned_fd end_;                        // eventfds: readable when the thread has to end,
  owned_fd reset_;                      // and when the driver reset the device
  std::uint8_t status_ = 0;
  std::uint32_t rings_ = 0;    // so many are set up, from the first on
  bool memory_given_ = false;  // by ADD_MEM_REG
  bool came_back_ = false;     // after a daemon was lost
  ring_then rings_then_ = ring_then::as_new;
  std::optional<inflight_region> inflight_;

  std::mutex lock_;  // of all below
  log_function log_;
  config_function tell_config_;
  state state_ = state::waiting;
  std::uint64_t acknowledged_ = 0;
  std::exception_ptr failure_;
  std::uint64_t stops_ = 0;  // of the relays
  std::condition_variable relays_told_;
  std::vector<std::shared_ptr<seat::place>> places_;

  std::thread thread_;  // last: everything above exists before it runs
};

}  // namespace vloop::vhost_user
