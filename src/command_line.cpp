// SPDX-License-Identifier: MIT
#include "command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <vector>

#include "adapter/listen_options.hpp"
#include "adapter/recovery_terms.hpp"
#include "bench_command_line.hpp"

namespace vloop {

namespace {

using adapter::log_level;
using std::chrono::milliseconds;

constexpr milliseconds stop_wait_max{3'600'000};

constexpr const char* run_footer = R"(
Devices:
  blk=PATH[,OPTION]...   a disk: a regular file or a block device
      readonly           writes are refused
      serial=TEXT        what the disk calls itself, at most 20 characters
      queues=N           1 to 64; default 1
      queue-size=N       entries of each ring, a power of two from 4 to 1024; default 256
      direct=auto|on|off bypass the page cache: where possible, or fail, or never; default auto
      access=mover|window who touches the data: the module, or this process in the driver's own memory, which
                         needs CAP_SYS_RAWIO; default mover; see docs/window.md
  rng[=SOURCE][,OPTION]...
                         random bytes from SOURCE; default /dev/urandom
      queue-size=N       entries of the ring, a power of two from 4 to 1024; default 8
      access=mover|window as of a disk
  input=SOURCE[,OPTION]...
                         an event device; SOURCE is one of
                           /dev/input/eventN: a mirror of it, of the same keys and axes
                           synthetic:mouse or synthetic:keyboard: moves or types by itself
                           events:PATH: a file or pipe of events, as evemu-record writes them
      grab|shared        of /dev/input/eventN: others don't get its events, or do; default grab
      rate=N             of synthetic sources: reports a second, 1 to 100000; default 100
      count=N            of synthetic sources: reports in all; default 0: no end
      queue-size=N       entries of each ring, a power of two from 4 to 1024; default 64
  vhost-user=PATH[,OPTION]...
                         what the daemon at this unix socket serves; see docs/vhost-user.md
      type=T             blk, rng, input, console, gpio, i2c, sound, can, vsock, scsi, fs, or a virtio id; default blk
      queues=N           1 to 64; default: as the daemon says
      queue-size=N       entries of each ring, a power of two from 4 to 1024; default 128, rng 8,
                         input, sound and can 64
      reconnect=SECONDS  how long to wait for a daemon that died, 1 to 3600; default: not at all
  With each but vhost-user:
      listen=PATH        serve what connects to this unix socket: QEMU, Cloud Hypervisor, crosvm, libblkio; the module is
                         not needed then. fd:N is a socket that was opened for vloop. See docs/vhost-user.md
      socket-mode=OCTAL  who may connect; default 660
      queue-size=N       of blk with listen: at most that of the machine; default 128
  A comma inside a path is written twice.

When this process ends without having removed its devices (--on-exit):
  fail       they end too, and what is in flight fails; the default
  queue      they stay: what was taken fails, what comes later waits for 'vloop recover'
  reissue    they stay: all waits, and what was taken is done again; --recoverable alone means this
  fail-fast  they stay: all fails at once until 'vloop recover'

Examples:
  vloop run --device blk=disk.img
  vloop run --device blk=disk.img,queues=4,serial=scratch --device rng
  vloop run --device input=synthetic:mouse,rate=200
  vloop run --device vhost-user=/run/disk.sock
  vloop run --device blk=disk.img --listen /run/vm/disk.sock
  vloop run --device blk=/dev/sdb,readonly,direct=on --threads 2 --json
  vloop run --device blk=disk.img --recoverable --grace 50s

SIGINT or SIGTERM stops it: what was taken is finished, then the devices are removed, recoverable or not. A second
signal does not wait. SIGUSR1: disks whose file has another size get that.
Exit status: 0 stopped cleanly, or handed over; 1 something failed; 2 the command line is wrong.)";

constexpr const char* recover_footer = R"(
The devices' requests go on from where the last server left them. Without --device a device is served as before, from
the description that it keeps; with it, one SPEC for each ID, in their order. 'vloop run --help' lists the devices. A
SPEC must fit: kind, queues and their sizes, features, block size. The size of a disk may differ.

Examples:
  vloop recover 0
  vloop recover vloop0 --device blk=/srv/moved.img
  vloop recover --all
  vloop recover 0 --take-over        a new version takes over from a running one; no request fails

Signals and exit status are those of 'vloop run'.)";

constexpr const char* list_footer = R"(
Reads /sys/class/vloop and needs no rights. The states:
  created, starting  not there yet
  live               served
  deserted           its server is gone; requests wait for 'vloop recover'
  failing            its server is gone; requests fail
  removing, gone     not there any more)";

constexpr const char* stop_footer = R"(
A living server is asked to remove the device, as a signal would ask it; what the kernel wants to write is written
first. A deserted device is removed at once, with errors for what waits.

Exit status: 0 gone; 1 not gone in time, or something failed; 2 the command line is wrong.)";

// What is to be looked at closely.
struct typed {
  std::vector<std::string> devices;
  std::vector<std::string> ids;
  std::optional<std::string> listen;
  std::string log_level = "info";
  unsigned poll_us_max = static_cast<unsigned>(adapter::run_options{}.poll_max.count());
  bool recoverable = false;
  std::optional<std::string> on_exit;
  std::optional<std::string> grace;
  bool all = false;
  bool take_over = false;
  std::string timeout = "10s";
};

struct shared_options {
  CLI::Option* threads;
  CLI::Option* poll;
};

CLI::Option* declare_devices(CLI::App& app, typed& words, const char* help) {
  return app.add_option("--device", words.devices, help)->type_name("SPEC")->allow_extra_args(false);
}

shared_options declare_serving(CLI::App& app, typed& words, command_line& line) {
  shared_options shared{};
  shared.threads = app.add_option("--threads", line.run.threads,
                                  "Worker threads; default: one per device, at most one per processor")
                       ->type_name("N")
                       ->check(CLI::Range(1U, 1024U).description(""));
  shared.poll =
      app.add_option("--poll", words.poll_us_max, "Longest look at the rings before a worker sleeps, in microseconds")
          ->type_name("US")
          ->check(CLI::Range(0U, 1'000'000U).description(""))
          ->capture_default_str();
  app.add_option("--log-level", words.log_level, "trace, debug, info, warn or error; the log goes to standard error")
      ->type_name("LEVEL")
      ->capture_default_str();
  app.add_flag("--json", line.json, "Print the devices' nodes as JSON, one object a line");
  return shared;
}

shared_options declare_run(CLI::App& app, typed& words, command_line& line) {
  app.footer(run_footer);
  declare_devices(app, words, "A device to serve; may be given several times")->required();
  app.add_option("--listen", words.listen, "Serve virtual machines that connect to this unix socket, or fd:N")
      ->type_name("PATH");
  const auto shared = declare_serving(app, words, line);
  app.add_flag("--recoverable", words.recoverable, "The devices outlive this process; see 'vloop recover'");
  app.add_option("--on-exit", words.on_exit, "fail, queue, reissue or fail-fast; see below")->type_name("POLICY");
  app.add_option("--grace", words.grace, "How long requests wait for the next server, at most 1 h; default 30s")
      ->type_name("TIME");
  app.add_flag("--resume", line.run.resume, "Take up recoverable devices of the same SPEC, if there are, not new ones");
  return shared;
}

shared_options declare_recover(CLI::App& app, typed& words, command_line& line) {
  app.footer(recover_footer);
  auto* const ids = app.add_option("ID", words.ids, "The devices, such as 0 or vloop0; 'vloop list' shows them");
  auto* const all = app.add_flag("--all", words.all, "All devices that are deserted and yours")->excludes(ids);
  declare_devices(app, words, "What to serve a device with, one for each ID")->excludes(all);
  const auto shared = declare_serving(app, words, line);
  auto* const take_over = app.add_flag("--take-over", words.take_over, "Ask a living server to hand its device over");
  app.add_option("--timeout", words.timeout, "How long a living server may take for that, at most 60s")
      ->type_name("TIME")
      ->needs(take_over)
      ->capture_default_str();
  return shared;
}

void declare_list(CLI::App& app, command_line& line) {
  app.footer(list_footer);
  app.add_flag("--json", line.json, "One JSON object a line, with all that is known");
}

void declare_stop(CLI::App& app, typed& words, command_line& line) {
  app.footer(stop_footer);
  app.add_option("ID", words.ids, "The devices, such as 0 or vloop0; 'vloop list' shows them")->required();
  app.add_flag("--force", line.stop.force, "Do not ask the server: what is in flight fails");
  app.add_option("--timeout", words.timeout, "How long to wait until they are gone")
      ->type_name("TIME")
      ->capture_default_str();
}

log_level log_level_of(const std::string& word) {
  if (word == "trace") return log_level::trace;
  if (word == "debug") return log_level::debug;
  if (word == "info") return log_level::info;
  if (word == "warn") return log_level::warn;
  if (word == "error") return log_level::error;
  throw usage_error("--log-level " + vloop::quoted(word) + " is unknown; give trace, debug, info, warn or error");
}

std::vector<std::uint32_t> ids_of(const std::vector<std::string>& texts) {
  std::vector<std::uint32_t> ids;
  for (const auto& text : texts) {
    const auto id = parse_device_id(text);
    if (std::find(ids.begin(), ids.end(), id) != ids.end()) throw usage_error(vloop::quoted(text) + " is given twice");
    ids.push_back(id);
  }
  return ids;
}

std::vector<device_spec> specs_of(const std::vector<std::string>& texts) {
  std::vector<device_spec> specs;
  for (const auto& text : texts) specs.push_back(parse_device_spec(text));
  return specs;
}

// `vloop run`: for this kernel's drivers, or for front ends that connect.
void look_at_devices(const typed& words, command_line& line) {
  std::optional<adapter::listen_options> listens;
  if (words.listen && words.devices.size() > 1)
    throw usage_error("--listen is for one device; with several, give each its own listen=PATH");
  if (words.listen) listens = adapter::parse_listen(*words.listen);
  for (const auto& text : words.devices) {
    auto request = adapter::parse_device_request(text, listens);
    if (request.listen && (line.run.recovery.recoverable() || line.run.resume))
      throw usage_error(
          "--recoverable and --resume are for devices of this kernel; one that listens is connected to again");
    line.run.devices.push_back({.spec = std::move(request.spec), .listen = std::move(request.listen)});
  }
}

void look_at_serving(const typed& words, const shared_options& options, command_line& line) {
  line.run.level = log_level_of(words.log_level);
  line.run.poll_max = std::chrono::microseconds{words.poll_us_max};
  line.threads_given = options.threads->count() > 0;
  line.poll_given = options.poll->count() > 0;
}

void look_at_recover(const typed& words, command_line& line) {
  line.recover.ids = ids_of(words.ids);
  line.recover.devices = specs_of(words.devices);
  if (line.recover.ids.empty() && !words.all) throw usage_error("recover needs an ID, or --all; see 'vloop list'");
  if (!words.devices.empty() && words.devices.size() != words.ids.size())
    throw usage_error("recover needs as many --device as IDs, or none");
  if (words.take_over) line.run.from_living = take_over{parse_duration("--timeout", words.timeout, take_over_wait_max)};
}

}  // namespace

command_line parse_command_line(int argc, char** argv, const std::string& version) {
  CLI::App app{"virtio devices in user space, as coroutines on io_uring", "vloop"};
  app.set_version_flag("--version", version);
  app.require_subcommand(1);
  app.footer("'vloop run --help' lists the devices and their options.");
  command_line line;
  typed words;
  auto& run = *app.add_subcommand("run", "Create devices for this kernel's virtio drivers and serve them");
  auto& list = *app.add_subcommand("list", "Show the devices there are");
  auto& recover = *app.add_subcommand("recover", "Become the server of recoverable devices");
  auto& stop = *app.add_subcommand("stop", "Remove devices, whoever serves them");
  auto& bench = *app.add_subcommand("bench", "Measure disks, and what is left of the speed of their backing");
  const auto run_shared = declare_run(run, words, line);
  const auto recover_shared = declare_recover(recover, words, line);
  declare_list(list, line);
  declare_stop(stop, words, line);
  bench_command_line bench_words(bench, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    app.exit(asked);
    return line;
  } catch (const CLI::ParseError& error) {
    const auto parsed = app.get_subcommands();
    const std::string about = parsed.empty() ? "" : " " + parsed.front()->get_name();
    throw usage_error(std::string{error.what()} + "; see 'vloop" + about + " --help'");
  }
  if (run.parsed()) {
    line.what = command_line::command::run;
    look_at_serving(words, run_shared, line);
    line.run.recovery = parse_recovery_terms(words.recoverable, words.on_exit, words.grace);
    look_at_devices(words, line);
  } else if (recover.parsed()) {
    line.what = command_line::command::recover;
    look_at_serving(words, recover_shared, line);
    look_at_recover(words, line);
  } else if (list.parsed()) {
    line.what = command_line::command::list;
  } else if (bench.parsed()) {
    line.what = command_line::command::bench;
    bench_words.look_at(line);
  } else {
    line.what = command_line::command::stop;
    line.stop.ids = ids_of(words.ids);
    line.stop.timeout = parse_duration("--timeout", words.timeout, stop_wait_max);
  }
  return line;
}

}  // namespace vloop
