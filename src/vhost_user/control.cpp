// SPDX-License-Identifier: MIT
#include "vhost_user/control.hpp"

#include <linux/virtio_config.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "runtime/setup_error.hpp"

namespace vloop::vhost_user {
namespace {

constexpr std::chrono::seconds relay_stop_max{5};
// A daemon that is not needed any more, and what it may take to be told so.
constexpr std::chrono::seconds leave_max{1};
constexpr std::chrono::milliseconds look_again_after{50};
// A daemon that changes its mind all the time gets no more than this of the driver's attention.
constexpr std::chrono::milliseconds config_rest{20};

void set_event(const owned_fd& event) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(event.get(), &one, sizeof one);
}

}  // namespace

// ---- from other threads ----

control::control(client daemon, const offer& terms, const shared_memory& memory,
                 const std::vector<queue_events>& events, way_back back,
                 std::function<std::vector<std::byte>(client&)> read_config)
    : daemon_(std::move(daemon)),
      terms_(terms),
      memory_(memory),
      events_(events),
      back_(std::move(back)),
      read_config_(std::move(read_config)),
      config_(terms.config),
      end_(make_event()),
      reset_(make_event()) {
  daemon_.link().end_waits_by(end_.get());
}

control::~control() {
  set_event(end_);
  if (thread_.joinable()) thread_.join();
}

void control::log_to(log_function log) {
  const std::lock_guard held(lock_);
  log_ = std::move(log);
}

void control::tell_config(config_function tell) {
  const std::lock_guard held(lock_);
  tell_config_ = std::move(tell);
}

void control::begin(std::uint64_t acknowledged) {
  const std::lock_guard held(lock_);
  acknowledged_ = acknowledged;
  if (state_ != state::waiting) return;
  state_ = state::starting;
  thread_ = std::thread([this] { run(); });
}

void control::driver_was_reset() {
  set_event(reset_);
}

control::seat::seat(control& of, loop& io, audience& who)
    : of_(of), place_(std::make_shared<place>(place{.io = &io, .who = &who})) {
  const std::lock_guard held(of_.lock_);
  place_->held = place_->paused = of_.stops_;  // its ring is new
  of_.places_.push_back(place_);
  of_.tell(place_);
}

control::seat::~seat() {
  place_->who = nullptr;
  const std::lock_guard held(of_.lock_);  // from here on nothing is posted to the loop
  std::erase(of_.places_, place_);
  of_.relays_told_.notify_all();
}

// With the lock held.
void control::tell(const std::shared_ptr<seat::place>& one) {
  const auto reached = [this, one, stop = stops_](std::uint64_t seat::place::*what) {
    const std::lock_guard held(lock_);
    (*one).*what = stop;
    relays_told_.notify_all();
  };
  if (state_ == state::running) {
    one->io->post([one] {
      if (one->who) one->who->started();
    });
  } else if (state_ == state::holding) {
    one->io->post([one, reached] {
      if (one->who) one->who->held([reached] { reached(&seat::place::held); });
    });
  } else if (state_ == state::paused) {
    one->io->post([one, reached, ring = rings_then_] {
      if (one->who) one->who->paused(ring);
      reached(&seat::place::paused);
    });
  } else if (state_ == state::failed) {
    one->io->post([one, failure = failure_] {
      if (one->who) one->who->failed(failure);
    });
  }
}

void control::become(state now, std::exception_ptr failure) {
  const std::lock_guard held(lock_);
  if (state_ == state::failed) return;
  state_ = now;
  failure_ = failure;
  if (now == state::holding || now == state::paused) ++stops_;
  for (const auto& one : places_) tell(one);
}

// ---- the thread ----

void control::run() {
  sigset_t all;  // signals are the main thread's
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  try {
    for (bool needed = true; needed;) {
      const outcome why = serve_once();
      if (why == outcome::reset) reset_device();
      if (why == outcome::lost) needed = come_again();
      if (why == outcome::not_needed) needed = false;
    }
    take_leave();
  } catch (const std::system_error& error) {
    if (error.code().value() != ECANCELED) become(state::failed, std::current_exception());
  } catch (...) {
    become(state::failed, std::current_exception());
  }
}

control::outcome control::serve_once() {
  try {
    set_up_device();
    become(state::running);
    say("vhost-user: stage 3: the daemon has the features, the memory and the rings");
    const outcome why = watch();
    return why;
  } catch (const std::system_error& error) {
    if (error.code().value() != ECONNRESET || back_.wait_max.count() == 0) throw;
    say(std::string(error.what()) + ": waiting " + std::to_string(back_.wait_max.count()) + " s for it to come back");
    return outcome::lost;
  }
}

// False: nobody needs it any more.
bool control::come_again() {
  const auto began = std::chrono::steady_clock::now();
  rings_ = 0;
  memory_given_ = false;
  status_ = 0;
  asking_.reset();
  rings_become(inflight_ ? ring_then::as_it_was : ring_then::as_new);
  stop_relays(state::paused, &seat::place::paused, "a worker does not take its ring back");
  auto found = find_daemon(began + back_.wait_max);
  if (!found) return false;
  const auto took = std::chrono::steady_clock::now() - began;
  {
    const std::lock_guard held(lock_);
    daemon_ = *std::move(found);
  }
  came_back_ = true;
  say("vhost-user: the daemon is back after " +
      std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()) + " ms");
  return true;
}

// Relays that come meanwhile ask too.
void control::rings_become(ring_then what) {
  const std::lock_guard held(lock_);
  rings_then_ = what;
}

// Until each relay has said that it has, or left.
void control::stop_relays(state now, std::uint64_t seat::place::*reached, const std::string& otherwise) {
  become(now);
  std::unique_lock held(lock_);
  const auto all_did = [this, reached] {
    return std::all_of(places_.begin(), places_.end(), [&](const auto& one) { return (*one).*reached == stops_; });
  };
  if (!relays_told_.wait_for(held, relay_stop_max, all_did))
    throw setup_error(ETIMEDOUT, daemon_.link().name(), otherwise);
}

// A daemon may still work on what it had when its ring is stopped. So it finishes that first, but for what waits for
// something to happen; then nothing of it is left in the memory that the requests of the next driver use.
void control::reset_device() {
  say("vhost-user: the driver reset the device, and so is the daemon's side");
  try {
    hold_relays();
    stop_rings();
    clear_device();
  } catch (const std::system_error& error) {
    // What it had is with nobody then; that it is gone is noticed, and dealt with, when it is set up.
    if (error.code().value() != ECONNRESET || back_.wait_max.count() == 0) throw;
    rings_ = 0;
  }
  inflight_.reset();
  rings_become(ring_then::as_new);
  stop_relays(state::paused, &seat::place::paused, "a worker does not take its ring back");
}

// A daemon that died meanwhile gives nothing back either.
void control::hold_relays() {
  try {
    stop_relays(state::holding, &seat::place::held, "the driver reset it, and it does not give back what it had");
  } catch (const std::system_error& error) {
    if (error.code().value() == ETIMEDOUT) look_at_socket();
    throw;
  }
}

// From the reply on the daemon does not touch the ring.
void control::stop_rings() {
  for (; rings_ > 0; --rings_) {
    const std::uint32_t index = rings_ - 1;
    check_base(index, daemon_.get_vring_base(index));
    if (terms_.virtio_features & has_protocol_features) daemon_.set_vring(request_code::set_vring_enable, index, 0);
  }
}

// It can have taken no more than was there, nor be further behind than a ring is long.
void control::check_base(std::uint32_t index, std::uint32_t base) {
  const split_ring& ring = memory_.queue(index).ring;
  std::uint16_t published;
  {
    const std::lock_guard after_it_was_made(lock_);  // which its relay's seat was after
    published = std::atomic_ref(ring.available->idx).load(std::memory_order_relaxed);
  }
  if (base > UINT16_MAX || static_cast<std::uint16_t>(published - base) > ring.size)
    daemon_.link().refuse("GET_VRING_BASE", EPROTO,
                          "its index " + std::to_string(base) + " is not in the ring of queue " +
                              std::to_string(index) + ", which is at " + std::to_string(published));
}

void control::clear_device() {
  if (terms_.has(protocol_feature::reset_device)) {
    daemon_.say(request_code::reset_device);
  } else if (terms_.has(protocol_feature::status)) {
    daemon_.set(request_code::set_status, 0);
  }
  status_ = 0;
}

// The daemon goes on living, with another front end perhaps: it is left as it was found.
void control::take_leave() {
  if (rings_ == 0) return;  // it is gone, or was never set up
  daemon_.link().end_waits_by(-1);
  daemon_.link().end_all_by(std::chrono::steady_clock::now() + leave_max);
  try {
    stop_rings();
    take_memory_back();
    clear_device();
    say("vhost-user: the daemon's rings are stopped");
  } catch (const std::system_error& error) {
    say(error.what());
  }
}

// nullopt: nobody needs it any more. One that goes away while it is asked is looked for again.
std::optional<client> control::find_daemon(std::chrono::steady_clock::time_point deadline) {
  while (!told_to_end(look_again_after)) {
    if (std::chrono::steady_clock::now() >= deadline)
      throw setup_error(ETIMEDOUT, daemon_.link().name(),
                        "it did not come back within " + std::to_string(back_.wait_max.count()) + " s");
    try {
      client found = back_.connect();
      found.link().end_waits_by(end_.get());
      refuse_another(back_.ask(found));
      return found;
    } catch (const std::system_error& error) {
      if (error.code().value() == EPROTO || error.code().value() == EINVAL) throw;
    }
  }
  return std::nullopt;
}

void control::refuse_another(const offer& now) const {
  if (!terms_.goes_on_with(now))
    daemon_.link().refuse("its return", EPROTO, "it has come back with other features, queues or configuration");
}

bool control::told_to_end(std::chrono::milliseconds wait) const {
  pollfd end{.fd = end_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&end, 1, static_cast<int>(wait.count())) > 0;
}

void control::set_up_device() {
  std::uint64_t features;
  {
    const std::lock_guard held(lock_);
    features = features_for_daemon(terms_, acknowledged_);
  }
  if (terms_.has(protocol_feature::status)) {
    daemon_.set(request_code::set_status, 0);
    add_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
  }
  daemon_.set(request_code::set_features, features);
  char text[32];
  std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(features));
  say("vhost-user: stage 3: SET_FEATURES " + std::string(text));
  if (terms_.has(protocol_feature::status)) {
    add_status(VIRTIO_CONFIG_S_FEATURES_OK);
    if ((daemon_.get(request_code::get_status) & VIRTIO_CONFIG_S_FEATURES_OK) == 0)
      daemon_.link().refuse("GET_STATUS", EPROTO, "it does not accept the features " + std::string(text));
  }
  open_back_channel();
  if (asking_ || came_back_) look_at_config();  // what changed while there was no way to say so
  give_inflight_log();
  give_memory();
  for (std::uint32_t i = 0; i < events_.size(); ++i) set_up_queue(i);
  if (terms_.has(protocol_feature::status)) add_status(VIRTIO_CONFIG_S_DRIVER_OK);
}

// Features come first: the log's layout depends on them. The first time it is new; the next daemon gets it as it is.
void control::give_inflight_log() {
  if (!terms_.has(protocol_feature::inflight_shmfd)) return;
  if (!inflight_)
    inflight_ = daemon_.get_inflight(static_cast<std::uint16_t>(events_.size()), memory_.queue(0).ring.size);
  daemon_.set_inflight(*inflight_);
}

// SET_MEM_TABLE replaces what was there. Memory that was added stays over a reset, and is not added again: a daemon
// whose rings have an address maps those again with each addition, and some (qemu-storage-daemon 7.2) fail at that.
void control::give_memory() {
  if (!terms_.has(protocol_feature::configure_mem_slots)) {
    daemon_.set_memory(memory_.region(), memory_.fd());
  } else if (!std::exchange(memory_given_, true)) {
    daemon_.add_memory(memory_.region(), memory_.fd());
  }
}

void control::take_memory_back() {
  if (std::exchange(memory_given_, false)) daemon_.remove_memory(memory_.region());
}

void control::add_status(std::uint8_t bits) {
  status_ |= bits;
  daemon_.set(request_code::set_status, status_);
}

// A ring that was kept goes on behind what was given back: to that the daemon adds what its log says was not.
std::uint16_t control::base_of(const split_ring& ring) const {
  if (rings_then_ == ring_then::as_new) return 0;
  return std::atomic_ref(ring.used->idx).load(std::memory_order_relaxed);
}

void control::set_up_queue(std::uint32_t index) {
  hand_over_ring(daemon_, terms_, memory_, index, events_[index], base_of(memory_.queue(index).ring));
  ++rings_;
}

// Until nobody needs the daemon any more. It is asked nothing here, so whatever comes on its socket ends its service.
control::outcome control::watch() {
  std::vector<pollfd> waits{{.fd = end_.get(), .events = POLLIN, .revents = 0},
                            {.fd = reset_.get(), .events = POLLIN, .revents = 0},
                            {.fd = daemon_.link().fd(), .events = POLLIN | POLLRDHUP, .revents = 0},
                            {.fd = -1, .events = POLLIN, .revents = 0}};
  for (const auto& one : events_) waits.push_back({.fd = one.error.get(), .events = POLLIN, .revents = 0});
  for (;;) {
    waits[3].fd = asking_ ? asking_->fd() : -1;
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR)
      throw setup_error(errno, "cannot watch " + daemon_.link().name());
    if (waits[0].revents != 0) return outcome::not_needed;
    if (waits[2].revents != 0) look_at_socket();
    for (std::size_t i = 4; i < waits.size(); ++i)
      if (waits[i].revents != 0)
        daemon_.link().refuse("its rings", EPROTO, "it reports an error of queue " + std::to_string(i - 4));
    if (waits[1].revents != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t got = ::read(reset_.get(), &count, sizeof count);
      return outcome::reset;
    }
    if (waits[3].revents != 0) look_at_back_channel();
  }
}

// ---- what the daemon asks for ----

void control::open_back_channel() {
  if (asking_ || !terms_.has(protocol_feature::backend_req)) return;
  asking_.emplace(daemon_.link().name(), daemon_.link().limit());
  asking_->end_waits_by(end_.get());
  asking_->give_to(daemon_);
}

// It is acknowledged before the configuration is read: a daemon with one thread would answer neither while it waits.
void control::look_at_back_channel() {
  if (asking_->take(terms_.has(protocol_feature::reply_ack)) == back_channel::news::closed) {
    asking_.reset();
    say("vhost-user: the daemon has closed its back channel");
    return;
  }
  look_at_config();
  told_to_end(config_rest);
}

void control::look_at_config() {
  if (!terms_.has(protocol_feature::config) || config_.empty()) return;
  auto now = read_config_(daemon_);
  if (now == config_) return;
  config_ = now;
  say("vhost-user: the daemon's configuration has changed");
  config_function tell;
  {
    const std::lock_guard held(lock_);
    tell = tell_config_;
  }
  if (tell) tell(std::move(now));
}

void control::look_at_socket() const {
  char byte;
  const ssize_t got = ::recv(daemon_.link().fd(), &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) daemon_.link().refuse("its socket", EPROTO, "it sent a message that nobody asked for");
  if (got == 0 || (errno != EAGAIN && errno != EINTR))
    daemon_.link().refuse("its socket", ECONNRESET, "it closed the connection, or died");
}

void control::say(const std::string& line) {
  log_function log;
  {
    const std::lock_guard held(lock_);
    log = log_;
  }
  if (log) log(line);
}

}  // namespace vloop::vhost_user
