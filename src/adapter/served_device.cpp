// SPDX-License-Identifier: MIT
#include "adapter/served_device.hpp"

#include "adapter/node.hpp"
#include "runtime/setup_error.hpp"

#include <linux/virtio_config.h>
#include <asio/post.hpp>

#include <utility>

namespace vloop::adapter {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds node_look_interval{10};

// How long, and how often, somebody looks for the first request that completes after ATTACH.
constexpr std::chrono::seconds completion_wait_max{2};
constexpr std::chrono::milliseconds completion_look_interval{1};

double milliseconds_since(steady_clock::time_point then) {
  return std::chrono::duration<double, std::milli>(steady_clock::now() - then).count();
}

}  // namespace

served_device::served_device(asio::io_context& main, spdlog::logger& log, driver_wait& drivers,
                             std::unique_ptr<device> what, std::unique_ptr<kernel_device> transport,
                             std::optional<clock::time_point> attached, listener tell)
    : main_(main),
      log_(log),
      drivers_(drivers),
      name_("vloop" + std::to_string(transport->id())),
      what_(std::move(what)),
      transport_(std::move(transport)),
      attached_(attached),
      tell_(std::move(tell)),
      places_(what_->describe().queues.size()),
      events_(main, transport_->fd()),
      node_timer_(main),
      scheduler_due_(!attached) {
  const auto& d = what_->describe();
  if (attached_) log_.info("{}: attached in {:.1f} ms", name_, milliseconds_since(*attached_));
  log_.info("{}: stage 1: {} {}: virtio id {}, features {:#x}, {} queue(s) of {}, {} bytes of config", name_, d.kind,
            d.label, d.id, d.features, d.queues.size(), d.queues.front().size, d.config.size());
  for (const auto& note : d.notes) log_.info("{}: {}", name_, note);
  what_->log_to([this](const std::string& line) { log_.info("{}: {}", name_, line); });
  what_->tell_config([this](std::vector<std::byte> bytes) {
    asio::post(main_, [this, bytes = std::move(bytes)] { change_config(bytes); });
  });
}

served_device::~served_device() {
  events_.release();  // the descriptor is the transport's
}

void served_device::start(std::vector<std::unique_ptr<worker>>& workers, std::size_t first) {
  queues_running_ = queue_count();
  for (std::size_t i = 0; i < queue_count(); ++i) {
    const auto index = static_cast<std::uint16_t>(i);
    places_[i].on = workers[(first + i) % workers.size()].get();
    places_[i].on->spawn([this, index](loop& io) { return serve_queue(index, io); });
  }
  wait_for_events();
  if (attached_) {
    look_at_driver();
  } else {
    transport_->start();
  }
  driver_ready();
}

void served_device::stop() {
  if (handing_over_ || std::exchange(stopping_, true)) return;
  node_timer_.cancel();
  transport_->remove();
}

void served_device::look_again() {
  try {
    what_->look_again();
  } catch (const std::exception& error) {
    log_.warn("{}: {}", name_, error.what());
  }
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
    places_[index].transport = &transport;
    task_group group;
    bool serving = false;
    std::function<void(std::uint64_t)> on_ready = [&](std::uint64_t features) {
      what_->start(features);
      if (index == 0) asio::post(main_, [this] { queue_set_up(); });
      if (!std::exchange(serving, true)) group.spawn(serve_requests(transport, io));
    };
    if (attached_) group.spawn(watch_first_completion(transport, io));
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
    places_[index].transport = nullptr;
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

// Nobody is told when the kernel completes a request, so look: how long did those wait that the last server left?
task<void> served_device::watch_first_completion(kernel_queue& transport, loop& io) {
  const auto before = transport.statistics().completed;
  const auto deadline = steady_clock::now() + completion_wait_max;
  while (!transport.requests().stopped() && steady_clock::now() < deadline) {
    if (transport.statistics().completed != before) {
      const double ms = milliseconds_since(*attached_);
      asio::post(main_, [this, ms] {
        if (!std::exchange(first_completion_told_, true))
          log_.info("{}: first request completed {:.1f} ms after ATTACH", name_, ms);
      });
      break;
    }
    co_await io.sleep(completion_look_interval);
  }
}

void served_device::queue_ended(std::uint16_t index, const queue_statistics& s, std::exception_ptr failure) {
  log_.info(
      "{}: queue {}: taken {}, completed {}, in flight {}, errors {}, moved {} B, copied {} B, syncs {}, kicks {}, "
      "interrupts {}, deferred {}",
      name_, index, s.taken, s.completed, s.in_flight, s.errors, s.bytes_moved, s.bytes_copied, s.syncs, s.kicks,
      s.interrupts, s.deferred);
  --queues_running_;
  if (queues_running_ == 0)
    for (const auto& line : what_->summary()) log_.info("{}: {}", name_, line);
  if (failure && !failure_) failure_ = failure;
  if (failure) force();  // nobody serves that queue: its driver would wait for it
  if (handing_over_ && queues_running_ == 0) detach();
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
  while (const auto event = transport_->next_event()) {
    if (*event == device_event::hand_over) hand_over();
    if (*event == device_event::stop) {
      log_.info("{}: another process asks for its removal", name_);
      stop();
    }
    if (*event == device_event::taken_away) {
      taken_away_ = true;
      stopping_ = true;
      node_timer_.cancel();
      log_.error("{}: another process took it away; the kernel answers what is in flight", name_);
    }
  }
  look_at_driver();
}

void served_device::look_at_driver() {
  const driver_progress now = transport_->progress();
  const std::uint8_t added = now.status & static_cast<std::uint8_t>(~status_);
  if (added & VIRTIO_CONFIG_S_FEATURES_OK)
    log_.info("{}: stage 2: driver of virtio{} acknowledged features {:#x}", name_, now.virtio_index, now.features);
  if (added & VIRTIO_CONFIG_S_DRIVER_OK) log_.info("{}: stage 3: driver is ready, queues started", name_);
  if (added & VIRTIO_CONFIG_S_FAILED) log_.error("{}: the driver gave up on the device", name_);
  if (status_ != 0 && now.status == 0 && !now.gone) log_.info("{}: the driver reset the device", name_);
  status_ = now.status;
  if (!now.gone || taken_away_) return;
  log_.info("{}: removed", name_);
  if (now.error != 0 && !failure_)
    failure_ = std::make_exception_ptr(setup_error(now.error, "the kernel could not register " + name_));
}

// A device whose new configuration its driver must not see cannot be served any more.
void served_device::change_config(const std::vector<std::byte>& bytes) {
  if (ended_ || handing_over_) return;
  try {
    transport_->set_config(bytes);
  } catch (const std::exception& error) {
    log_.error("{}: {}", name_, error.what());
    if (!failure_) failure_ = std::current_exception();
    force();
  }
}

// Another process wants to serve the device. Its queues end here first: what is under way in the kernel ends there, and
// what is left goes to the other process.
void served_device::hand_over() {
  if (stopping_ || std::exchange(handing_over_, true)) return;
  log_.info("{}: another process takes over", name_);
  node_timer_.cancel();
  for (auto& place : places_) {
    place.on->post([&place] {
      if (place.transport) place.transport->cancel();
    });
  }
}

void served_device::detach() {
  if (ended_ || transport_->progress().gone) return;
  try {
    events_.release();
    transport_->detach();
    log_.info("{}: handed over", name_);
  } catch (const std::exception& error) {  // it is being removed already
    log_.warn("{}: {}", name_, error.what());
    force();
  }
}

// A driver set the queues up; the first time that we see it may be long after.
void served_device::queue_set_up() {
  if (++set_ups_ > 1) scheduler_due_ = true;
  driver_ready();
}

// The node comes some time after DRIVER_OK; nobody tells us when.
void served_device::driver_ready() {
  waiting_since_ = clock::now();
  look_for_node();
}

void served_device::look_for_node() {
  const driver_progress now = transport_->progress();
  if (now.gone || stopping_ || handing_over_) return;
  // Sysfs is not searched before: with many devices that would be most of what this thread does.
  const bool bound = now.virtio_index >= 0 && (now.status & VIRTIO_CONFIG_S_DRIVER_OK);
  const std::string node = bound ? find_node(what_->describe().id, now.virtio_index) : std::string{};
  const bool time_is_up = clock::now() >= drivers_.deadline(waiting_since_);
  if (!node.empty() || time_is_up) {
    report_node(node, now.virtio_index);
    return;
  }
  node_timer_.expires_after(node_look_interval);
  node_timer_.async_wait([this](const std::error_code& cancelled) {
    if (!cancelled) look_for_node();
  });
}

// Told once in any case, and again when there is another node to tell of.
void served_device::report_node(const std::string& node, int virtio_index) {
  const auto& d = what_->describe();
  const std::string bus_name = virtio_index >= 0 ? virtio_name(virtio_index) : std::string{};
  if (!node.empty() && std::exchange(scheduler_due_, false)) drop_scheduler(virtio_index);
  if (!node.empty()) drivers_.driver_came(clock::now());
  const bool late = told_node_.has_value();
  if (late && (node.empty() || node == *told_node_)) return;
  told_node_ = node;
  if (node.empty()) {
    const auto waited = std::chrono::round<std::chrono::seconds>(clock::now() - waiting_since_).count();
    log_.warn("{}: no driver took {} within {} s: modprobe {}; it is served as soon as one does", name_,
              bus_name.empty() ? "the device" : bus_name, waited, driver_module(d.id));
  } else {
    log_.info("{}: {} is {}", name_, node, d.label);
  }
  if (tell_.there)
    tell_.there({.kind = d.kind, .label = d.label, .id = name_, .virtio = bus_name, .node = node, .late = late});
}

void served_device::end_if_over() {
  if (ended_ || queues_running_ > 0 || !transport_->progress().gone) return;
  ended_ = true;
  tell_.ended(failure_);
}

}  // namespace vloop::adapter
