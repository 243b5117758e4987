// SPDX-License-Identifier: MIT
//
// vloop's command line: parse, then do. What is wrong is said in one line on standard error.
//
// Exit status: 0 done as asked; 1 it could not be done (or not finished cleanly); 2 the command line cannot be meant;
// 130 and 143 a benchmark that SIGINT or SIGTERM ended early.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "adapter/report.hpp"
#include "bench/report.hpp"
#include "bench/run.hpp"
#include "command_line.hpp"
#include "vloop/version.hpp"

extern const char* const vloop_commit;  // commit.cpp, written by the build

namespace {

using vloop::command_line;
using vloop::adapter::device_there;

constexpr int status_failed = 1;
constexpr int status_usage = 2;
constexpr int status_signal = 128;  // and its number: 'vloop bench' was ended early

std::string version_text() {
  const std::string commit = vloop_commit;
  return std::string{"vloop "} + vloop::version + (commit.empty() ? "" : " (" + commit + ")");
}

/// Messages quote file names, which may hold anything; a line stays a line.
void say(std::string message) {
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  std::fprintf(stderr, "vloop: %s\n", message.c_str());
}

int fail(const std::string& message, int status) {
  say(message);
  return status;
}

/// Whoever reads a pipe waits for the line.
void print(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

int serve(command_line& line) {
  auto& options = line.run;
  std::size_t there = 0;
  options.on_device = [&](const device_there& device) {
    print(line.json ? device_json(device) : device_line(device));
    if (!device.late && ++there == options.devices.size()) vloop::adapter::notify_service_manager("READY=1");
  };
  // The devices are the kernel's to end now; what is left of this process only holds files open.
  options.on_stuck = [] { std::_Exit(status_failed); };
  return vloop::adapter::run(options);
}

int recover(command_line& line) {
  vloop::adapter::plan_recovery(line.recover, line.run, line.threads_given, line.poll_given);
  return serve(line);
}

int list(const command_line& line) {
  const auto devices = vloop::adapter::list_devices();
  if (!line.json) print(device_table_text(devices));
  if (line.json) {
    for (const auto& device : devices) print(listed_json(device));
  }
  return 0;
}

int stop(command_line& line) {
  line.stop.on_gone = [](const std::string& name) { print(name + " is gone"); };
  line.stop.on_wait = say;
  vloop::adapter::stop_devices(line.stop);
  return 0;
}

// Seen while it runs, by a person alone; gone when the report comes.
void show_progress(const std::string& what) {
  std::fprintf(stderr, "\r\033[K%s", what.c_str());
  std::fflush(stderr);
}

int bench(const command_line& line) {
  const bool watched = ::isatty(STDERR_FILENO) == 1;
  const auto figures = vloop::bench::run(line.bench, [watched](const std::string& what) {
    if (watched) show_progress(vloop::printable(what));
  });
  if (watched) show_progress("");
  print(line.json ? report_json(figures) : report_text(figures));
  return figures.signal == 0 ? 0 : status_signal + figures.signal;
}

int carry_out(command_line& line) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader of our output that goes away must not take the disk along
  switch (line.what) {
    case command_line::command::run:
      return serve(line);
    case command_line::command::recover:
      return recover(line);
    case command_line::command::list:
      return list(line);
    case command_line::command::stop:
      return stop(line);
    case command_line::command::bench:
      return bench(line);
    case command_line::command::nothing:
      return 0;
  }
  return status_usage;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    auto line = vloop::parse_command_line(argc, argv, version_text());
    return carry_out(line);
  } catch (const vloop::usage_error& error) {
    return fail(error.what(), status_usage);
  } catch (const std::exception& error) {
    return fail(error.what(), status_failed);
  }
}
