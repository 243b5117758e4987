// SPDX-License-Identifier: MIT
// Stage 3 and what follows it: a thread that has the socket to itself. It sets the daemon's rings up once a driver is
// there, then sleeps until the daemon says or does something: what it does without being asked is its death or a fault.
//
//   waiting --begin()--> starting --rings set up--> running --the daemon is faulty, or gone for good--> failed
//                           ^                          \--the daemon is gone, and waited for--> lost
//                           \--it came back, and the relays have taken their rings back-----------/
//
// Relays attend, each on its own loop, and are told of `running`, `lost` and `failed` there, also if it was before they
// came.
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
#include "vhost_user/offer.hpp"
#include "vhost_user/shared_memory.hpp"

namespace vloop::vhost_user {

// What a relay is told, on its loop's thread.
class audience {
 public:
  virtual void started() = 0;
  // The daemon is gone. When this returns the ring is as new, and what the daemon had is to be given again.
  virtual void paused() = 0;
  virtual void failed(std::exception_ptr why) = 0;

 protected:
  ~audience() = default;
};

// The eventfds of one queue. Not O_NONBLOCK: io_uring waits for them.
struct queue_events {
  queue_events();
  owned_fd kick;
  owned_fd call;
  owned_fd error;
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

  // Any thread. A driver acknowledged these features. The first time begins stage 3; later ones must be the same.
  void begin(std::uint64_t acknowledged);

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
      std::uint64_t paused = 0;  // the loss for which it has taken its ring back
    };
    control& of_;
    std::shared_ptr<place> place_;
  };

 private:
  enum class state : std::uint8_t { waiting, starting, running, lost, failed };

  void run();
  void set_up_device();
  void set_up_queue(std::uint32_t index);
  void add_status(std::uint8_t bits);
  void watch();
  void look_at_socket() const;
  void open_back_channel();
  void look_at_back_channel();
  void look_at_config();
  void say(const std::string& line);
  void become(state now, std::exception_ptr failure = nullptr);
  void tell(const std::shared_ptr<seat::place>& one);
  bool serve_once();
  bool come_again();
  void wait_for_relays();
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
  owned_fd end_;                        // an eventfd: readable when the thread has to end
  std::uint8_t status_ = 0;

  std::mutex lock_;  // of all below
  log_function log_;
  config_function tell_config_;
  state state_ = state::waiting;
  std::uint64_t acknowledged_ = 0;
  std::exception_ptr failure_;
  std::uint64_t losses_ = 0;
  std::condition_variable relays_paused_;
  std::vector<std::shared_ptr<seat::place>> places_;

  std::thread thread_;  // last: everything above exists before it runs
};

}  // namespace vloop::vhost_user
