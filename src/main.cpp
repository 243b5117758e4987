// SPDX-License-Identifier: MIT
//
// vloop's command line: parse, then run. What is wrong is said in one line on standard error.
//
// Exit status: 0 done as asked; 1 it could not be done (or not finished cleanly); 2 the command line cannot be meant.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "adapter/report.hpp"
#include "adapter/run.hpp"
#include "vloop/version.hpp"

extern const char* const vloop_commit;  // commit.cpp, written by the build

namespace {

using vloop::adapter::device_there;
using vloop::adapter::log_level;
using vloop::adapter::run_options;

constexpr int status_failed = 1;
constexpr int status_usage = 2;

constexpr const char* run_examples = R"(
Devices:
  blk=PATH[,OPTION]...   a disk: a regular file or a block device
      readonly           writes are refused
      serial=TEXT        what the disk calls itself, at most 20 characters
      queues=N           1 to 64; default 1
      queue-size=N       entries of each ring, a power of two from 4 to 1024; default 256
      direct=auto|on|off bypass the page cache: where possible, or fail, or never; default auto
  rng[=SOURCE][,queue-size=N]
                         random bytes from SOURCE; default /dev/urandom
  A comma inside a path is written twice.

Examples:
  vloop run --device blk=disk.img
  vloop run --device blk=disk.img,queues=4,serial=scratch --device rng
  vloop run --device blk=/dev/sdb,readonly,direct=on --threads 2 --json

SIGINT or SIGTERM stops it: what was taken is finished, then the devices are removed. A second signal does not wait.
Exit status: 0 stopped cleanly, 1 something failed, 2 the command line is wrong.)";

std::string version_text() {
  const std::string commit = vloop_commit;
  return std::string{"vloop "} + vloop::version + (commit.empty() ? "" : " (" + commit + ")");
}

/// Messages quote file names, which may hold anything; a line stays a line.
int fail(std::string message, int status) {
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  std::fprintf(stderr, "vloop: %s\n", message.c_str());
  return status;
}

/// What the user typed, before it is looked at closely.
struct command_line {
  run_options run;
  std::vector<std::string> devices;
  std::string log_level = "info";
  bool json = false;
  unsigned poll_us_max = static_cast<unsigned>(run_options{}.poll_max.count());
};

void declare_run(CLI::App& app, command_line& line) {
  auto& run = *app.add_subcommand("run", "Create devices for this kernel's virtio drivers and serve them");
  run.footer(run_examples);
  run.add_option("--device", line.devices, "A device to serve; may be given several times")
      ->type_name("SPEC")
      ->required()
      ->allow_extra_args(false);
  run.add_option("--threads", line.run.threads, "Worker threads; default: one per device, at most one per processor")
      ->type_name("N")
      ->check(CLI::Range(1U, 1024U).description(""));
  run.add_option("--poll", line.poll_us_max, "Longest look at the rings before a worker sleeps, in microseconds")
      ->type_name("US")
      ->check(CLI::Range(0U, 1'000'000U).description(""))
      ->capture_default_str();
  run.add_option("--log-level", line.log_level, "trace, debug, info, warn or error; the log goes to standard error")
      ->type_name("LEVEL")
      ->capture_default_str();
  run.add_flag("--json", line.json, "Print the devices' nodes as JSON, one object a line");
}

log_level log_level_of(const std::string& word) {
  if (word == "trace") return log_level::trace;
  if (word == "debug") return log_level::debug;
  if (word == "info") return log_level::info;
  if (word == "warn") return log_level::warn;
  if (word == "error") return log_level::error;
  throw vloop::usage_error("--log-level " + vloop::quoted(word) +
                           " is unknown; give trace, debug, info, warn or error");
}

int run(const command_line& line) {
  auto options = line.run;
  options.level = log_level_of(line.log_level);
  options.poll_max = std::chrono::microseconds{line.poll_us_max};
  for (const auto& text : line.devices) options.devices.push_back(vloop::parse_device_spec(text));

  std::signal(SIGPIPE, SIG_IGN);  // a reader of our output that goes away must not take the disk along
  std::size_t there = 0;
  options.on_device = [&](const device_there& device) {
    std::puts((line.json ? device_json(device) : device_line(device)).c_str());
    std::fflush(stdout);  // whoever reads a pipe waits for this line
    if (++there == options.devices.size()) vloop::adapter::notify_service_manager("READY=1");
  };
  // The devices are the kernel's to end now; what is left of this process only holds files open.
  options.on_stuck = [] { std::_Exit(status_failed); };
  return vloop::adapter::run(options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app{"virtio devices in user space, as coroutines on io_uring", "vloop"};
    app.set_version_flag("--version", version_text());
    app.require_subcommand(1);
    app.footer("'vloop run --help' lists the devices and their options.");
    command_line line;
    declare_run(app, line);
    try {
      app.parse(argc, argv);
    } catch (const CLI::Success& asked) {  // --help, --version
      return app.exit(asked);
    } catch (const CLI::ParseError& error) {
      return fail(std::string{error.what()} + "; see 'vloop run --help'", status_usage);
    }
    return run(line);
  } catch (const vloop::usage_error& error) {
    return fail(error.what(), status_usage);
  } catch (const std::exception& error) {
    return fail(error.what(), status_failed);
  }
}
