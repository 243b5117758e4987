// SPDX-License-Identifier: MIT
// One front end, from its connection to its end: the back end's part of the vhost-user protocol.
//
//   run(): message after message ─ the front end goes, hang_up(), or it broke the protocol ─> rings paused, all of its
//          memory and descriptors given back ─> run() returns
//
// A ring runs while it is set up (a kick was given), enabled, and the features are known. Its part of the work is on
// the thread of its queue's worker; everything else is on the thread of `home`, one message at a time.
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapter/config_space.hpp"
#include "adapter/vhost_user_ring.hpp"
#include "adapter/worker.hpp"
#include "devices/device.hpp"
#include "runtime/event.hpp"
#include "runtime/loop.hpp"
#include "runtime/task.hpp"
#include "runtime/task_group.hpp"
#include "vhost_user/front_end.hpp"
#include "vhost_user/guest_memory.hpp"
#include "vhost_user/message.hpp"

namespace vloop::adapter {

// A queue of the device that is served, as its session knows it.
struct vhost_user_place {
  worker* on = nullptr;
  vhost_user_ring* ring = nullptr;  // of that worker's thread
};

class vhost_user_session {
 public:
  // All but the socket outlive it. `shown` is the device with its configuration of now.
  vhost_user_session(owned_fd socket, const std::string& name, spdlog::logger& log, device& served,
                     const device_description& shown, std::vector<vhost_user_place>& places, loop& home);
  vhost_user_session(const vhost_user_session&) = delete;
  vhost_user_session& operator=(const vhost_user_session&) = delete;

  // Until the front end has gone. What it did wrong is said in one line of the log; nothing is thrown.
  task<void> run();

  // Ends it; what was taken is still finished.
  void hang_up();

  // Whether a second front end would come beside this one. One that has gone may not have been noticed yet.
  bool live() const { return !ending_ && !front_end_.gone(); }

  // Tells the front end that `shown` has another configuration, if it wants to know.
  void config_changed();

 private:
  using message = vhost_user::message;
  using request_code = vhost_user::request_code;
  using ring_work = std::function<task<void>(vhost_user_ring&)>;  // no coroutine itself, but what gives one

  struct ring_state {
    std::uint16_t size = 0;
    std::optional<vhost_user::vring_address> where{};
    std::uint16_t base = 0;
    bool set_up = false;  // a kick was given, or it was said that there is none
    bool enabled = false;
    bool running = false;
    shared_fd kick{};
  };

  task<void> serve();
  task<void> handle(message& m);
  task<void> answer(const message& m);
  task<void> close();

  task<void> set_features(const message& m);
  task<void> set_memory_table(const message& m);
  task<void> add_memory(const message& m);
  task<void> remove_memory(const message& m);
  task<void> set_ring(const message& m);
  task<void> set_ring_fd(message& m);
  task<void> get_ring_base(const message& m);
  task<void> enable_ring(const message& m);
  task<void> get_config(const message& m);
  void set_config(const message& m);
  task<void> get_inflight(const message& m);
  void set_inflight(const message& m);
  task<void> set_back_channel(message& m);
  task<void> set_status(const message& m);
  task<void> disable_all();
  task<void> reset_device();

  task<void> update(std::size_t index);
  task<void> start(std::size_t index);
  task<void> pause(std::size_t index);
  task<std::vector<std::size_t>> pause_all();
  task<void> go_on(const std::vector<std::size_t>& paused);
  task<void> give_memory();
  task<void> at_ring(std::size_t index, const ring_work& work);
  std::size_t ring_index(const message& m, std::uint32_t index) const;
  void start_device();

  task<void> reply(const message& m, std::vector<std::byte> payload, int fd);
  task<void> reply_number(const message& m, std::uint64_t value);
  task<void> watch_memory();
  task<void> tell_config();

  [[noreturn]] static void refuse(const message& m, const std::string& why);
  bool has(vhost_user::protocol_feature feature) const { return (protocol_features_ & bit(feature)) != 0; }
  std::uint64_t offered() const;
  std::uint64_t offered_protocol_features() const;

  const std::string& name_;
  spdlog::logger& log_;
  device& device_;
  const device_description& shown_;
  std::vector<vhost_user_place>& places_;
  loop& home_;

  vhost_user::front_end front_end_;
  owned_fd memory_lost_;  // an eventfd
  vhost_user::guest_memory memory_;
  config_space config_;
  std::optional<std::uint64_t> features_;
  std::uint64_t protocol_features_ = 0;
  std::uint8_t status_ = 0;
  bool device_started_ = false;
  std::vector<ring_state> rings_;
  std::shared_ptr<vhost_user::guarded_memory> inflight_;
  vhost_user::inflight_description inflight_where_;
  std::optional<vhost_user::front_end> back_channel_;
  task_group telling_;
  bool change_to_tell_ = false;
  std::string why_;  // it ends, if somebody else than the front end's messages found out
  bool ending_ = false;
};

}  // namespace vloop::adapter
