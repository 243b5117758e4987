// SPDX-License-Identifier: MIT
#include "adapter/vhost_user_ring.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <utility>

namespace vloop::adapter {
namespace {

// An eventfd that is full makes a write wait; who reads it has news enough.
constexpr std::chrono::milliseconds signal_max{200};

int number_of(const shared_fd& fd) {
  return fd ? fd->get() : -1;
}

// A ring that is in no memory, until there is one.
split_ring no_ring() {
  split_ring ring;
  ring.size = vhost_user_ring_size_max;
  return ring;
}

}  // namespace

vhost_user_ring::vhost_user_ring(loop& io, const device_description& of, std::uint16_t index,
                                 std::function<void(ring_error)> broken)
    : io_(io),
      broken_(std::move(broken)),
      port_(io, memory_port_options{.index = index, .memory = &map_, .ring = no_ring(), .files = of.files}) {
  port_.on_error([this](ring_error how) { driver_broke_it(how); });
}

// A driver that does so again and again shall not fill the log.
void vhost_user_ring::driver_broke_it(ring_error how) {
  if (!std::exchange(broke_it_, true)) broken_(how);
  signals_.spawn(signal(error_));
}

void vhost_user_ring::set_memory(const std::vector<vhost_user::guest_region>& regions) {
  map_ = vhost_user::guest_memory::by_guest_address(regions);
  regions_ = regions;
}

void vhost_user_ring::add_memory(const vhost_user::guest_region& one) {
  map_.add({.address = one.where.guest_address, .memory = one.memory->bytes()});
  regions_.push_back(one);
}

// The used index is where the last back end left it, whoever that was. What a log says counts more than a base: a front
// end that lost its back end does not know how far that had come.
void vhost_user_ring::start(const vhost_user_ring_start& how) {
  const std::uint16_t used = std::atomic_ref(how.ring.used->idx).load(std::memory_order_acquire);
  kick_ = how.kick;
  log_memory_ = how.log;
  log_.reset();
  ring_set_up to{.ring = how.ring,
                 .event_index = how.event_index,
                 .indirect = how.indirect,
                 .kick_fd = number_of(kick_),
                 .interrupt_fd = number_of(call_),
                 .next_available = how.base,
                 .next_used = used};
  if (log_memory_) {
    log_.emplace(log_memory_->bytes().subspan(how.log_offset), how.log_size);
    inflight_log::left left = log_->resume(used);
    to.log = &*log_;
    to.next_available = left.next_available;
    to.again = std::move(left.heads);
  }
  if (port_.set_up(to)) port_.start();
}

task<std::uint16_t> vhost_user_ring::pause() {
  return port_.pause();
}

task<void> vhost_user_ring::forget() {
  co_await port_.reset();
  if (log_) log_->clear();
  log_.reset();
  log_memory_.reset();
  kick_.reset();
}

task<void> vhost_user_ring::leave() {
  co_await port_.pause();
  log_.reset();  // it stays as it is
  co_await forget();
  co_await signals_.join();
  error_.reset();
  broke_it_ = false;
  co_await set_call(nullptr);
  set_memory({});
}

// The descriptor of before stays open until what was begun with it has reached the kernel.
task<void> vhost_user_ring::set_call(shared_fd call) {
  const shared_fd before = std::exchange(call_, std::move(call));
  port_.tell(number_of(call_));
  if (port_.serving()) co_await signal(call_);
  co_await io_.next_turn();
  co_await io_.next_turn();
}

task<void> vhost_user_ring::signal(shared_fd fd) {
  if (!fd) co_return;
  const std::uint64_t one = 1;
  operation writing = io_.write(fd->get(), std::as_bytes(std::span(&one, 1)));
  bounded_operation in_time = with_timeout(writing, signal_max);
  co_await in_time;
}

void vhost_user_ring::stop() {
  stopped_.set();
  port_.stop();
}

task<void> vhost_user_ring::stopped() {
  co_await stopped_.wait();
  co_await port_.drained();
  co_await signals_.join();
}

}  // namespace vloop::adapter
