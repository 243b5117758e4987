// SPDX-License-Identifier: MIT
// Build the devices, create them through the transport or attach to them, serve until told to stop, stop cleanly.
#include "adapter/run.hpp"

#include "adapter/device_table.hpp"
#include "adapter/kernel_transport.hpp"
#include "adapter/served_device.hpp"
#include "adapter/stored_description.hpp"
#include "adapter/vhost_user_server.hpp"
#include "adapter/worker.hpp"
#include "runtime/setup_error.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

namespace vloop::adapter {

namespace {

using namespace std::chrono_literals;

constexpr auto orderly_stop_max = 30s;  // for drivers to let go, dirty data to be written
constexpr auto forced_stop_max = 5s;    // for the kernel to take devices away that we gave up

spdlog::level::level_enum to_spdlog(log_level level) {
  switch (level) {
    case log_level::trace:
      return spdlog::level::trace;
    case log_level::debug:
      return spdlog::level::debug;
    case log_level::info:
      return spdlog::level::info;
    case log_level::warn:
      return spdlog::level::warn;
    case log_level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// Serving a disk that memory may be reclaimed to: we must neither be paged out nor wait for our own writes.
void prepare_process(spdlog::logger& log) {
  if (::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0) log.debug("cannot become an I/O flusher: no CAP_SYS_RESOURCE");
  if (::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) log.debug("cannot lock memory: no CAP_IPC_LOCK");
}

// The spec that a description holds; empty if it is no description of ours.
std::string spec_text_in(const std::string& description) {
  try {
    return device_spec_text(parse_stored_description(description).device);
  } catch (const usage_error&) {
    return {};
  }
}

// A recoverable device that was made of this very spec, and is not among `ours`.
std::optional<std::uint32_t> same_device(const device_spec& spec, const std::vector<std::unique_ptr<service>>& ours) {
  const std::string wanted = device_spec_text(spec);
  for (const auto& there : list_devices()) {
    const bool is_ours =
        std::any_of(ours.begin(), ours.end(), [&](const auto& one) { return one->name() == there.name(); });
    if (is_ours || !there.recoverable() || spec_text_in(there.description) != wanted) continue;
    if (there.state != "removing" && there.state != "gone") return there.id;
  }
  return std::nullopt;
}

// What is served, and until when. Made and run on one thread.
class session {
 public:
  explicit session(const run_options& options)
      : options_(options),
        log_("vloop", std::make_shared<spdlog::sinks::stderr_color_sink_mt>()),
        signals_(main_),
        deadline_(main_) {
    log_.set_pattern("%^%l%$: %v");
    log_.set_level(to_spdlog(options.level));
  }

  int run();

 private:
  void start_workers(const std::vector<std::unique_ptr<device>>& built);
  void refuse_what_does_not_fit(const std::vector<std::unique_ptr<device>>& built) const;
  bool all_listen() const;
  void make_ours(std::vector<std::unique_ptr<device>> built);
  std::unique_ptr<service> listening(const device_to_serve& wanted, std::unique_ptr<device> built);
  std::unique_ptr<service> of_kernel(const kernel_transport& kernel, const device_to_serve& wanted,
                                     std::unique_ptr<device> built);
  service::listener told();
  std::string description_of(const device_spec& spec) const;
  void start_devices();
  void listen();
  void stop();
  void force();
  void device_ended(std::exception_ptr failure);
  void end_workers();

  const run_options& options_;
  asio::io_context main_{1};
  spdlog::logger log_;
  driver_wait drivers_;
  asio::signal_set signals_;
  asio::steady_timer deadline_;
  std::optional<kernel_transport> kernel_;  // if a device is for this kernel
  std::vector<std::unique_ptr<service>> devices_;
  std::vector<std::unique_ptr<worker>> workers_;  // end before the devices that they serve
  std::exception_ptr failure_;
  int stops_asked_ = 0;
  bool clean_ = true;
};

// The kernel's drivers would get their own memory as a disk's contents.
std::unique_ptr<device> build_for_kernel(const device_spec& spec) {
  auto built = build_device(spec);
  for (const auto& file : built->describe().files)
    if (file.fd < 0)
      throw setup_error(EOPNOTSUPP, "cannot give the kernel " + built->describe().kind + " " + built->describe().label,
                        "a disk without a file is for 'vloop bench'");
  return built;
}

int session::run() {
  std::vector<std::unique_ptr<device>> built;
  for (const auto& one : options_.devices)
    built.push_back(one.listen ? build_device(one.spec) : build_for_kernel(one.spec));
  if (!all_listen()) kernel_.emplace();
  log_.info("transport: {}", kernel_ ? kernel_transport::description() : "vhost-user over unix sockets");
  if (options_.from_living) refuse_what_does_not_fit(built);
  // Guests' memory is not ours to lock.
  if (kernel_) prepare_process(log_);
  start_workers(built);
  make_ours(std::move(built));
  listen();
  std::stop_callback on_stop(options_.stop, [this] { asio::post(main_, [this] { stop(); }); });
  // From here on devices exist whose driver may wait for us: no return but through their end.
  try {
    start_devices();
    main_.run();
  } catch (...) {
    failure_ = std::current_exception();
    force();
    main_.run();
  }
  end_workers();
  if (failure_) std::rethrow_exception(failure_);
  const bool taken_away = std::any_of(devices_.begin(), devices_.end(), [](const auto& d) { return d->taken_away(); });
  return clean_ && !taken_away ? 0 : 1;
}

void session::start_workers(const std::vector<std::unique_ptr<device>>& built) {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned by_default = std::min(static_cast<unsigned>(built.size()), cores);
  loop_options options;
  options.spin_limit = options_.poll_max;
  // A queue registers itself, or each file twice, with and without O_DIRECT.
  for (const auto& one : built)
    options.fixed_files +=
        static_cast<std::uint32_t>(one->describe().queues.size() * (1 + 2 * one->describe().files.size()));
  for (unsigned i = 0; i < (options_.threads ? options_.threads : by_default); ++i) {
    workers_.push_back(std::make_unique<worker>(i, options));
  }
  log_.info("runtime: {} worker(s), {}", workers_.size(), workers_.front()->description());
}

// ATTACH compares too, but by then a living server has let the device go.
void session::refuse_what_does_not_fit(const std::vector<std::unique_ptr<device>>& built) const {
  for (std::size_t i = 0; i < built.size(); ++i) {
    const auto there = options_.devices[i].existing ? find_device(*options_.devices[i].existing) : std::nullopt;
    if (!there) continue;
    const auto& d = built[i]->describe();
    if (const auto why = misfit(there->shape, d); !why.empty())
      throw setup_error(EINVAL, "cannot serve " + there->name() + " with " + d.kind + " " + d.label, why);
  }
}

// All or nothing: if one throws, the others' descriptors are closed. New devices were not visible to any driver yet,
// existing ones are deserted again.
void session::make_ours(std::vector<std::unique_ptr<device>> built) {
  for (std::size_t i = 0; i < built.size(); ++i) {
    const auto& wanted = options_.devices[i];
    devices_.push_back(wanted.listen ? listening(wanted, std::move(built[i]))
                                     : of_kernel(*kernel_, wanted, std::move(built[i])));
  }
}

bool session::all_listen() const {
  return std::ranges::all_of(options_.devices, [](const auto& one) { return one.listen.has_value(); });
}

service::listener session::told() {
  return {.there = options_.on_device, .ended = [this](std::exception_ptr failure) { device_ended(failure); }};
}

std::unique_ptr<service> session::listening(const device_to_serve& wanted, std::unique_ptr<device> built) {
  return std::make_unique<vhost_user_server>(main_, log_, std::move(built), *wanted.listen, told());
}

std::unique_ptr<service> session::of_kernel(const kernel_transport& kernel, const device_to_serve& wanted,
                                            std::unique_ptr<device> built) {
  const auto existing = options_.resume ? same_device(wanted.spec, devices_) : wanted.existing;
  const auto now = std::chrono::steady_clock::now();
  auto transport = existing ? kernel.attach(*existing, built->describe(), options_.from_living)
                            : kernel.create(built->describe(), options_.recovery, description_of(wanted.spec));
  return std::make_unique<served_device>(main_, log_, drivers_, std::move(built), std::move(transport),
                                         existing ? std::optional(now) : std::nullopt, told());
}

// For a device that is not recoverable it only tells what is served, and may be missing.
std::string session::description_of(const device_spec& spec) const {
  try {
    return to_text({.device = spec, .threads = options_.threads, .poll_max = options_.poll_max});
  } catch (const setup_error&) {
    if (options_.recovery.recoverable()) throw;
    return {};
  }
}

void session::start_devices() {
  std::size_t first = 0;
  for (auto& one : devices_) {
    one->start(workers_, first);
    first += one->queue_count();
  }
}

void session::listen() {
  if (!options_.handle_signals) return;
  signals_.add(SIGINT);
  signals_.add(SIGTERM);
  signals_.add(SIGUSR1);
  signals_.async_wait([this](const std::error_code& error, int signal) {
    if (error) return;
    listen();
    if (signal != SIGUSR1) return stop();
    for (auto& one : devices_) one->look_again();
  });
}

// Asked once: let the drivers go while we serve what they still want. Asked again, or too late: give the devices up.
void session::stop() {
  if (++stops_asked_ > 1) {
    force();
    return;
  }
  log_.info("stopping: removing the devices (a second signal does not wait)");
  for (auto& one : devices_) one->stop();
  deadline_.expires_after(orderly_stop_max);
  deadline_.async_wait([this](const std::error_code& cancelled) {
    if (!cancelled) force();
  });
}

void session::force() {
  if (!std::exchange(clean_, false)) return;
  for (auto& one : devices_) one->force();
  deadline_.expires_after(forced_stop_max);
  deadline_.async_wait([this](const std::error_code& cancelled) {
    if (cancelled) return;
    log_.error("a backing file is still waited for; giving up on a clean end");
    if (options_.on_stuck) options_.on_stuck();
  });
}

void session::device_ended(std::exception_ptr failure) {
  if (failure && !failure_) failure_ = failure;
  const bool over = std::all_of(devices_.begin(), devices_.end(), [](const auto& one) { return one->ended(); });
  if (over) {
    main_.stop();
  } else if (failure && stops_asked_ == 0) {
    stop();  // one device that cannot be served ends the run: nobody would notice a part that is missing
  }
}

void session::end_workers() {
  for (auto& one : workers_) {
    one->stop();
    const loop_counters& c = one->counters();
    log_.debug("worker: {} turns, {} io_uring_enter, {} operations, spins {} of which {} paid", c.turns, c.enters,
               c.submitted, c.spins, c.spins_paid);
  }
}

}  // namespace

int run(const run_options& options) {
  session one(options);
  return one.run();
}

}  // namespace vloop::adapter
