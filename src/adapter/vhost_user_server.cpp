// SPDX-License-Identifier: MIT
#include "adapter/vhost_user_server.hpp"

#include <poll.h>
#include <asio/post.hpp>

#include <cerrno>
#include <chrono>
#include <utility>

#include "runtime/setup_error.hpp"

namespace vloop::adapter {
namespace {

using namespace std::chrono_literals;

// After a connection that could not be had: descriptors may be short for a while.
constexpr auto accept_pause = 100ms;

task<void> cancel_wait(loop& io, const operation& waiting) {
  co_await io.cancel(waiting);
}

}  // namespace

vhost_user_server::vhost_user_server(asio::io_context& main, spdlog::logger& log, std::unique_ptr<device> what,
                                     const listen_options& where, listener tell)
    : main_(main),
      log_(log),
      name_(where.text()),
      what_(std::move(what)),
      tell_(std::move(tell)),
      shown_(what_->describe()),
      socket_(where),
      places_(shown_.queues.size()) {
  const auto& d = shown_;
  log_.info("{}: stage 1: {} {}: virtio id {}, features {:#x}, {} queue(s), {} bytes of config", name_, d.kind, d.label,
            d.id, d.features, d.queues.size(), config_space(d).size());
  for (const auto& note : d.notes) log_.info("{}: {}", name_, note);
  what_->log_to([this](const std::string& line) { log_.info("{}: {}", name_, line); });
  what_->tell_config([this](std::vector<std::byte> bytes) {
    asio::post(main_, [this, bytes = std::move(bytes)]() mutable {
      if (running_ == 0) return;
      home_worker_->post([this, bytes = std::move(bytes)]() mutable { change_config(std::move(bytes)); });
    });
  });
}

// ---- the main thread's ----

void vhost_user_server::start(std::vector<std::unique_ptr<worker>>& workers, std::size_t first) {
  for (std::size_t i = 0; i < places_.size(); ++i) {
    places_[i].on = workers[(first + i) % workers.size()].get();
    ++running_;
    places_[i].on->spawn([this, i](loop& io) { return serve_queue(i, io); });
  }
  home_worker_ = places_.front().on;
  ++running_;
  home_worker_->spawn([this](loop& io) { return listen(io); });
  if (tell_.there)
    tell_.there({.kind = shown_.kind, .label = shown_.label, .id = "", .virtio = "", .node = name_, .late = false});
}

void vhost_user_server::stop() {
  if (std::exchange(stop_asked_, true) || running_ == 0) return;
  home_worker_->post([this] { end_listening(); });
}

void vhost_user_server::look_again() {
  try {
    what_->look_again();
  } catch (const std::exception& error) {
    log_.warn("{}: {}", name_, error.what());
  }
}

// There is nobody else to whom what is in flight could be given: it ends when its backing answers.
void vhost_user_server::force() {
  if (ended_) return;
  log_.warn("{}: given up; what is in flight waits for its backing", name_);
  stop();
  asio::post(main_, [this] { end_if_over(); });
}

void vhost_user_server::failed(std::exception_ptr why) {
  if (!failure_) failure_ = why;
  stop();
}

void vhost_user_server::queue_ended(std::size_t index, const memory_port_counters& c) {
  log_.info("{}: queue {}: taken {}, completed {}, kicks {}, interrupts {}", name_, index, c.requests, c.answers,
            c.kicks, c.interrupts);
  --running_;
  if (running_ == 0)
    for (const auto& line : what_->summary()) log_.info("{}: {}", name_, line);
  end_if_over();
}

void vhost_user_server::end_if_over() {
  if (ended_ || running_ > 0) return;
  ended_ = true;
  tell_.ended(failure_);
}

// ---- a queue's ----

// There from before the first front end until after the last, whatever becomes of the device.
task<void> vhost_user_server::serve_queue(std::size_t index, loop& io) {
  memory_port_counters counted;
  std::exception_ptr failure;
  try {
    vhost_user_ring ring(io, what_->describe(), static_cast<std::uint16_t>(index), [this, index](ring_error how) {
      log_.warn("{}: queue {}: the driver broke its ring: {}; served again when it is set up anew", name_, index,
                to_string(how));
    });
    places_[index].ring = &ring;
    std::exception_ptr ended_by;
    try {
      co_await what_->serve(ring.requests(), io);
    } catch (...) {
      ended_by = std::current_exception();
    }
    if (ended_by) asio::post(main_, [this, ended_by] { failed(ended_by); });
    co_await ring.stopped();
    places_[index].ring = nullptr;
    counted = ring.counters();
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) asio::post(main_, [this, failure] { failed(failure); });
  asio::post(main_, [this, index, counted] { queue_ended(index, counted); });
}

// ---- the home's ----

task<void> vhost_user_server::listen(loop& io) {
  home_ = &io;
  std::exception_ptr failure;
  try {
    co_await take_front_ends(io);
  } catch (...) {
    failure = std::current_exception();
  }
  socket_.remove();
  if (session_) session_->hang_up();
  co_await sessions_.join();
  home_ = nullptr;
  for (const auto& place : places_) {
    place.on->post([&place] {
      if (place.ring) place.ring->stop();
    });
  }
  asio::post(main_, [this, failure] {
    if (failure) failed(failure);
    --running_;
    end_if_over();
  });
}

task<void> vhost_user_server::take_front_ends(loop& io) {
  while (!stopping_) {
    operation one_comes = io.poll_add(socket_.fd(), POLLIN);
    waiting_ = &one_comes;
    co_await one_comes;
    waiting_ = nullptr;
    if (stopping_) break;
    owned_fd socket = socket_.accept();
    const int error = errno;
    if (!socket) {
      if (error != EAGAIN) {
        log_.warn("{}: a front end is not let in: {}", name_, std::generic_category().message(error));
        co_await io.sleep(accept_pause);
      }
      continue;
    }
    if (session_ && session_->live()) {
      log_.warn("{}: a second front end is refused: one is served already", name_);
      continue;
    }
    co_await until_free();
    if (!stopping_) sessions_.spawn(serve(std::move(socket), io));
  }
}

// Who comes after one that has gone waits until what that left is finished.
task<void> vhost_user_server::until_free() {
  while (session_) {
    event over;
    free_ = &over;
    co_await over.wait();
  }
}

task<void> vhost_user_server::serve(owned_fd socket, loop& io) {
  try {
    vhost_user_session session(std::move(socket), name_, log_, *what_, shown_, places_, io);
    session_ = &session;
    co_await session.run();
    session_ = nullptr;
  } catch (const std::exception& error) {  // there was no descriptor left for it
    log_.warn("{}: a front end is not let in: {}", name_, error.what());
  }
  if (event* const waits = std::exchange(free_, nullptr)) waits->set();
}

void vhost_user_server::end_listening() {
  if (std::exchange(stopping_, true)) return;
  if (session_) session_->hang_up();
  if (waiting_) sessions_.spawn(cancel_wait(*home_, *waiting_));
}

void vhost_user_server::change_config(std::vector<std::byte> bytes) {
  shown_.config = std::move(bytes);
  if (session_) session_->config_changed();
}

}  // namespace vloop::adapter
