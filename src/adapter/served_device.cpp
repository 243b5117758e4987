// SPDX-License-Identifier: MIT
#include "adapter/served_device.hpp"

#include "adapter/node.hpp"
#include "runtime/setup_error.hpp"

#include <linux/virtio_config.h>
#include <asio/post.hpp>

#include <utility>

namespace vloop::adapter {

namespace {

constexpr std::chrono::seconds driver_wait_max{4};  // then the user is told, within the 5 s that we promise
constexpr std::chrono::milliseconds node_look_interval{10};

}  // namespace

served_device::served_device(asio::io_context& main, spdlog::logger& log, std::unique_ptr<device> what,
                             std::unique_ptr<kernel_device> transport, listener tell)
    : main_(main),
      log_(log),
      what_(std::move(what)),
      transport_(std::move(transport)),
      tell_(std::move(tell)),
      name_("vloop" + std::to_string(transport_->id())),
      events_(main, transport_->fd()),
      node_timer_(main) {
  const auto& d = what_->describe();
  log_.info("{}: stage 1: {} {}: virtio id {}, features {:#x}, {} queue(s) of {}, {} bytes of config", name_, d.kind,
            d.label, d.id, d.features, d.queues.size(), d.queues.front().size, d.config.size());
  for (const auto& note : d.notes) log_.info("{}: {}", name_, note);
}

served_device::~served_device() {
  events_.release();  // the descriptor is the transport's
}

void served_device::start(std::vector<std::unique_ptr<worker>>& workers, std::size_t first) {
  queues_running_ = queue_count();
  for (std::size_t i = 0; i < queue_count(); ++i) {
    const auto index = static_cast<std::uint16_t>(i);
    workers[(first + i) % workers.size()]->spawn([this, index](loop& io) { return serve_queue(index, io); });
  }
  wait_for_events();
  transport_->start();
  node_deadline_ = std::chrono::steady_clock::now() + driver_wait_max;
  look_for_node();
}

void served_device::stop() {
  if (std::exchange(stopping_, true)) return;
  node_timer_.cancel();
  transport_->remove();
}

void served_device::force() {
  if (ended_) return;
  stopping_ = true;
  node_timer_.cancel();
  log_.warn("{}: given up; the kernel answers what is in flight with an error", name_);
  events_.release();
  transport_->close();
  asio::post(main_, [this] { end_if_over(); });  // its queues may have ended before
}

// On the queue's worker, from the first request to the last.
task<void> served_device::serve_queue(std::uint16_t index, loop& io) {
  queue_statistics statistics;
  std::exception_ptr failure;
  try {
    kernel_queue transport(*transport_, index, io);
    task_group group;
    bool serving = false;
    std::function<void(std::uint64_t)> on_ready = [&](std::uint64_t features) {
      what_->start(features);
      if (!std::exchange(serving, true)) group.spawn(serve_requests(transport, io));
    };
    group.spawn(transport.pump(on_ready));
    std::exception_ptr ended_by;
    try {
      co_await group.join();
    } catch (...) {
      ended_by = std::current_exception();
    }
    // What ended the last task may be the very completion that is being told, and answers may be on their way.
    do {
      co_await io.next_turn();
    } while (!transport.idle());
    statistics = transport.statistics();
    failure = ended_by;
  } catch (...) {
    failure = std::current_exception();
  }
  asio::post(main_, [this, index, statistics, failure] { queue_ended(index, statistics, failure); });
}

// A device that cannot go on must not leave its driver waiting for a queue that is still read.
task<void> served_device::serve_requests(kernel_queue& transport, loop& io) {
  try {
    co_await what_->serve(transport.requests(), io);
  } catch (...) {
    transport.cancel();
    throw;
  }
}

void served_device::queue_ended(std::uint16_t index, const queue_statistics& s, std::exception_ptr failure) {
  log_.info(
      "{}: queue {}: taken {}, completed {}, in flight {}, errors {}, moved {} B, copied {} B, syncs {}, kicks {}, "
      "interrupts {}, deferred {}",
      name_, index, s.taken, s.completed, s.in_flight, s.errors, s.bytes_moved, s.bytes_copied, s.syncs, s.kicks,
      s.interrupts, s.deferred);
  --queues_running_;
  if (failure && !failure_) failure_ = failure;
  if (failure) force();  // nobody serves that queue: its driver would wait for it
  end_if_over();
}

void served_device::wait_for_events() {
  events_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const std::error_code& error) {
    if (error) return;  // released
    take_events();
    if (!transport_->progress().gone) wait_for_events();
    end_if_over();
  });
}

void served_device::take_events() {
  while (transport_->take_event()) {}
  const driver_progress now = transport_->progress();
  const std::uint8_t added = now.status & static_cast<std::uint8_t>(~status_);
  if (added & VIRTIO_CONFIG_S_FEATURES_OK)
    log_.info("{}: stage 2: driver of virtio{} acknowledged features {:#x}", name_, now.virtio_index, now.features);
  if (added & VIRTIO_CONFIG_S_DRIVER_OK) log_.info("{}: stage 3: driver is ready, queues started", name_);
  if (added & VIRTIO_CONFIG_S_FAILED) log_.error("{}: the driver gave up on the device", name_);
  if (status_ != 0 && now.status == 0 && !now.gone) log_.info("{}: the driver reset the device", name_);
  status_ = now.status;
  if (!now.gone) return;
  log_.info("{}: removed", name_);
  if (now.error != 0 && !failure_)
    failure_ = std::make_exception_ptr(setup_error(now.error, "the kernel could not register " + name_));
}

// The node comes some time after DRIVER_OK; nobody tells us when.
void served_device::look_for_node() {
  const driver_progress now = transport_->progress();
  if (now.gone) return;
  const std::string node = now.virtio_index >= 0 ? find_node(what_->describe().id, now.virtio_index) : std::string{};
  const bool time_is_up = std::chrono::steady_clock::now() >= node_deadline_;
  if (!node.empty() || time_is_up) {
    report_node(node, now.virtio_index);
    return;
  }
  node_timer_.expires_after(node_look_interval);
  node_timer_.async_wait([this](const std::error_code& cancelled) {
    if (!cancelled && !stopping_) look_for_node();
  });
}

void served_device::report_node(const std::string& node, int virtio_index) {
  const auto& d = what_->describe();
  const std::string bus_name = virtio_index >= 0 ? virtio_name(virtio_index) : std::string{};
  if (node.empty()) {
    log_.warn("{}: no driver took {} within {} s: modprobe {}; it is served as soon as one does", name_,
              bus_name.empty() ? "the device" : bus_name, driver_wait_max.count(), driver_module(d.id));
  } else {
    drop_scheduler(virtio_index);
    log_.info("{}: {} is {}", name_, node, d.label);
  }
  if (tell_.there) tell_.there({d.kind, d.label, bus_name, node});
}

void served_device::end_if_over() {
  if (ended_ || queues_running_ > 0 || !transport_->progress().gone) return;
  ended_ = true;
  tell_.ended(failure_);
}

}  // namespace vloop::adapter
