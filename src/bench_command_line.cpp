// SPDX-License-Identifier: MIT
#include "bench_command_line.hpp"

#include <CLI/CLI.hpp>

#include "adapter/device_text.hpp"
#include "adapter/recovery_terms.hpp"

namespace vloop {
namespace {

constexpr const char* bench_footer = R"(
Targets:
  raw=PATH[,OPTION]...   a file or block device, by io_uring alone
      readonly           never opened for writing
      direct=auto|on|off bypass the page cache: where possible, or fail, or never; default auto
  blk=PATH[,OPTION]...   vloop's disk on it, in this process; its device side has a thread of its own
      readonly, direct=, serial= as for 'vloop run'
  blk=null:SIZE          the same on nothing: what comes and goes is not looked at
  vhost-user=SOCKET      the disk that a daemon serves there, vloop or another one
  A comma inside a path is written twice.

Each round measures every target, one after the other. IOPS is the median over the rounds and RANGE its least and most;
latencies are of all rounds together. CPU is this process's time for a request, +N the daemon's; ENTERS counts this
process's calls of io_uring_enter. OF RAW compares, round by round, with --backing, or with the first raw= target, or with
the file of the first blk=. docs/bench.md explains the figures.

Examples:
  vloop bench blk=disk.img
  vloop bench vhost-user=/run/disk.sock --backing disk.img,direct=off --depth 32 --verify
  vloop bench raw=/dev/sdb,direct=on --block 128k --depth 8 --pattern read --json

SIGINT or SIGTERM ends it early, with a report of what was measured.
Exit status: 0 measured; 1 something failed; 2 the command line is wrong; 130 or 143 a signal ended it early.)";

}  // namespace

bench_command_line::bench_command_line(CLI::App& app, command_line& line) {
  bench::options& o = line.bench;
  app.footer(bench_footer);
  app.add_option("TARGET", targets_, "What to measure; may be given several times")->required();
  app.add_option("--pattern", pattern_, "read, write, randread, randwrite or mixed (70 % reads)")
      ->type_name("PATTERN")
      ->capture_default_str();
  app.add_option("--block", block_, "The size of a request, 512 to 1M")->type_name("SIZE")->capture_default_str();
  app.add_option("--depth", o.load.depth, "Requests under way at a time, in each queue")
      ->type_name("N")
      ->check(CLI::Range(std::uint16_t{1}, bench::depth_max).description(""))
      ->capture_default_str();
  app.add_option("--queues", o.load.queues, "Queues, all of them driven by one thread")
      ->type_name("N")
      ->check(CLI::Range(std::uint16_t{1}, bench::bench_queues_max).description(""))
      ->capture_default_str();
  auto* const duration = app.add_option("--duration", duration_, "How long to measure each target in each round");
  duration->type_name("TIME")->capture_default_str();
  app.add_option("--count", count_, "How many requests to measure instead")
      ->type_name("N")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40).description(""))
      ->excludes(duration);
  app.add_option("--warm-up", warm_up_, "How long to run before that, in each round; 0: not at all")
      ->type_name("TIME")
      ->capture_default_str();
  app.add_option("--rounds", o.rounds, "How often to measure each")
      ->type_name("N")
      ->check(CLI::Range(1U, bench::rounds_max).description(""))
      ->capture_default_str();
  app.add_option("--backing", backing_, "Compare with this file or block device by io_uring; takes raw='s options")
      ->type_name("PATH");
  app.add_option("--seed", o.seed, "Of the order of accesses")->type_name("N")->capture_default_str();
  app.add_flag("--verify", o.verify, "Compare what is read with the backing, or with what was written; costs time");
  app.add_flag("--destroy", o.destroy, "What is written to may lose its contents");
  app.add_flag("--json", line.json, "Print the report as JSON, one object");
}

void bench_command_line::look_at(command_line& line) const {
  bench::options& o = line.bench;
  const auto named = bench::pattern_named(pattern_);
  if (!named)
    throw usage_error("--pattern " + vloop::quoted(pattern_) +
                      " is unknown; give read, write, randread, randwrite or mixed");
  o.what = *named;
  o.load.block_bytes =
      static_cast<std::uint32_t>(parse_bytes("--block", block_, bench::block_bytes_min, bench::block_bytes_max));
  o.duration = parse_duration("--duration", duration_, bench::duration_max);
  o.warm_up =
      warm_up_ == "0" ? std::chrono::milliseconds(0) : parse_duration("--warm-up", warm_up_, bench::duration_max);
  o.count = count_;
  if (backing_) o.backing = bench::parse_backing(*backing_);
  for (const auto& text : targets_) o.targets.push_back(bench::parse_target(text));
}

}  // namespace vloop
