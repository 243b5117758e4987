// SPDX-License-Identifier: MIT
//
// The public face of adapter::run(): nothing here but a change of words.
#include <stdexcept>
#include <stop_token>
#include <utility>

#include "adapter/device_spec.hpp"
#include "adapter/public_options.hpp"
#include "adapter/run.hpp"
#include "vloop/vloop.hpp"

namespace vloop {

namespace {

using namespace std::chrono_literals;

exit_policy policy_of(on_exit choice) {
  switch (choice) {
    case on_exit::fail:
      return exit_policy::fail;
    case on_exit::queue:
      return exit_policy::queue;
    case on_exit::reissue:
      return exit_policy::reissue;
    case on_exit::fail_fast:
      return exit_policy::fail_fast;
  }
  throw std::invalid_argument("server_options: when_program_ends is none of fail, queue, reissue and fail_fast");
}

}  // namespace

struct server::state {
  adapter::run_options run;
  std::stop_source stopping;
  bool has_run = false;
};

server::server(server_options options) : state_(std::make_unique<state>()) {
  require(options.grace >= 1ms && options.grace <= 1h, "server_options: grace is not from 1 ms to 1 h");
  require(options.take_over_timeout >= 0ms && options.take_over_timeout <= take_over_wait_max,
          "server_options: take_over_timeout is not from 0 to 60 s");
  auto& run = state_->run;
  run.threads = options.threads;
  run.poll_max = options.poll_max;
  run.recovery = {policy_of(options.when_program_ends), options.grace};
  if (options.take_over_timeout > 0ms) run.from_living = take_over{options.take_over_timeout};
  run.handle_signals = options.handle_signals;
  run.on_stuck = std::move(options.on_stuck);
  run.stop = state_->stopping.get_token();
  if (options.on_ready) {
    run.on_device = [tell = std::move(options.on_ready)](const adapter::device_there& device) {
      tell({device.kind, device.label, device.node, device.id});
    };
  }
}

server::~server() = default;

void server::add(const disk& what) {
  state_->run.devices.push_back({checked(what)});
}

void server::add(const entropy& what) {
  state_->run.devices.push_back({checked(what)});
}

void server::recover(std::uint32_t id, const disk& what) {
  state_->run.devices.push_back({checked(what), id});
}

void server::recover(std::uint32_t id, const entropy& what) {
  state_->run.devices.push_back({checked(what), id});
}

void server::run() {
  if (std::exchange(state_->has_run, true)) throw std::logic_error("server::run() was called twice");
  if (state_->run.devices.empty()) throw std::invalid_argument("server::run() has no device to serve; add() one");
  if (adapter::run(state_->run) != 0) throw std::runtime_error("the stop was not clean; the log says why");
}

void server::stop() noexcept {
  state_->stopping.request_stop();
}

}  // namespace vloop
