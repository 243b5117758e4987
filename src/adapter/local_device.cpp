// SPDX-License-Identifier: MIT
#include "adapter/local_device.hpp"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <exception>
#include <utility>

#include "runtime/setup_error.hpp"
#include "runtime/task_group.hpp"
#include "vhost_user/page_pool.hpp"

namespace vloop::adapter {
namespace {

owned_fd new_eventfd(int flags) {
  owned_fd fd(::eventfd(0, EFD_CLOEXEC | flags));
  if (!fd) throw setup_error(errno, "cannot make an eventfd", "too many open files: ulimit -n");
  return fd;
}

std::uint32_t bytes_of(const device_description& of, std::uint32_t asked) {
  return asked != local_device::page_for_each_entry ? asked
                                                    : of.queues.front().size * vhost_user::page_pool::page_bytes;
}

// Adding to a counter that nobody reads could block only beyond 2^64 - 2.
void signal(int fd) noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
  assert(written == sizeof one);
}

}  // namespace

local_device::end::end(const split_ring& ring, owned_fd its_kick) : driver(ring, true), kick(std::move(its_kick)) {}

local_device::local_device(std::unique_ptr<device> served, std::uint32_t buffer_bytes)
    : device_(std::move(served)),
      memory_(static_cast<std::uint16_t>(description().queues.size()), description().queues.front().size,
              bytes_of(description(), buffer_bytes)),
      interrupt_(new_eventfd(EFD_NONBLOCK)),
      worker_(0, loop_options{}) {
  const auto all = memory_.region().size;
  map_.add({.address = memory_.address_of(0), .memory = memory_.at(0, all)});
  for (std::size_t i = 0; i < description().queues.size(); ++i)
    ends_.push_back(std::make_unique<end>(memory_.queue(i).ring, new_eventfd(0)));
  device_->start(description().features);
  std::promise<void> serving;
  auto is_serving = serving.get_future();
  worker_.spawn([this, &serving](loop& io) { return serve(io, serving); });
  is_serving.get();
}

local_device::~local_device() {
  stop();
}

void local_device::stop() noexcept {
  if (std::exchange(stopped_, true)) return;
  worker_.post([this] {
    for (const auto& port : ports_) port->stop();
  });
  worker_.stop();
}

void local_device::kick(std::size_t queue) {
  signal(ends_[queue]->kick.get());
}

memory_port_options local_device::port_options(std::size_t queue) const {
  return {.index = static_cast<std::uint16_t>(queue),
          .memory = &map_,
          .ring = memory_.queue(queue).ring,
          .event_index = true,
          .kick_fd = ends_[queue]->kick.get(),
          .interrupt_fd = interrupt_.get(),
          .files = description().files};
}

// ---- the worker's ----

void local_device::make_ports(loop& io) {
  for (std::size_t i = 0; i < queues(); ++i) ports_.push_back(std::make_unique<memory_port>(io, port_options(i)));
}

task<void> local_device::serve(loop& io, std::promise<void>& serving) {
  try {
    make_ports(io);
  } catch (...) {
    ports_.clear();
    serving.set_exception(std::current_exception());
    co_return;
  }
  task_group queues_served;
  for (const auto& port : ports_) {
    port->start();
    queues_served.spawn(serve_one(*port, io));
  }
  serving.set_value();
  co_await queues_served.join();
  ports_.clear();
}

task<void> local_device::serve_one(memory_port& port, loop& io) {
  try {
    co_await device_->serve(port.requests(), io);
  } catch (const std::exception& error) {
    spdlog::error("{} {}: {}", description().kind, description().label, error.what());
    fail();
    port.stop();  // nobody takes from it any more
  }
  co_await port.drained();
}

void local_device::fail() noexcept {
  failed_.store(true, std::memory_order_release);
  signal(interrupt_.get());
}

}  // namespace vloop::adapter
