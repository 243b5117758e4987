// SPDX-License-Identifier: MIT
#include "adapter/recover.hpp"

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <system_error>

#include "fake_system.hpp"

using namespace vloop;
using namespace vloop::adapter;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

void refused(const fake_system& system, const recover_options& wanted, const std::string& why) {
  run_options run;
  REQUIRE_THROWS_MATCHES(plan_recovery(wanted, run, false, false, system.folders()), std::system_error,
                         MessageMatches(ContainsSubstring(why)));
}

}  // namespace

TEST_CASE("without a spec a device is served as its description says") {
  const fake_system system;
  system.add_disk(3);
  run_options run;
  plan_recovery({.ids = {3}, .devices = {}}, run, false, false, system.folders());
  REQUIRE(run.devices.size() == 1);
  CHECK(run.devices[0].existing == 3u);
  CHECK(device_spec_text(run.devices[0].spec) == "blk=/srv/described.img,queues=2,queue-size=256,direct=auto");
  CHECK(run.threads == 2);
  CHECK(run.poll_max == 70us);
}

TEST_CASE("what is said on the command line goes before the description") {
  const fake_system system;
  system.add_disk(3);
  run_options run;
  run.threads = 5;
  run.poll_max = 0us;
  plan_recovery({.ids = {3}, .devices = {parse_device_spec("rng")}}, run, true, true, system.folders());
  CHECK(device_spec_text(run.devices[0].spec) == "rng=/dev/urandom,queue-size=8");
  CHECK(run.threads == 5);
  CHECK(run.poll_max == 0us);
}

TEST_CASE("several devices take their specs in order, and the most threads that one had") {
  const fake_system system;
  system.add_disk(1);
  system.add_disk(2);
  system.write("sys/class/vloop/vloop2/description", "vloop/1 threads=7 poll=70 rng");
  run_options run;
  plan_recovery({.ids = {2, 1}, .devices = {}}, run, false, false, system.folders());
  REQUIRE(run.devices.size() == 2);
  CHECK(run.devices[0].existing == 2u);
  CHECK(run.devices[1].existing == 1u);
  CHECK(run.threads == 7);
}

TEST_CASE("all means those that are deserted and may be served by this user") {
  const fake_system system;
  for (const std::uint32_t id : {0, 1, 2}) system.add_disk(id);
  refused(system, {}, "nothing to recover");
  system.write("sys/class/vloop/vloop1/state", "deserted");
  system.write("sys/class/vloop/vloop1/server_pid", "0");
  system.write("sys/class/vloop/vloop1/owner", std::to_string(::geteuid()));
  run_options run;
  plan_recovery({}, run, false, false, system.folders());
  REQUIRE(run.devices.size() == 1);
  CHECK(run.devices[0].existing == 1u);
}

TEST_CASE("a device that cannot be recovered is refused with the reason") {
  const fake_system system;
  system.add_disk(0);
  refused(system, {.ids = {9}, .devices = {}}, "cannot recover vloop9");
  system.write("sys/class/vloop/vloop0/description", "my own words");
  refused(system, {.ids = {0}, .devices = {}}, "say what it is with --device");
  system.write("sys/class/vloop/vloop0/on_exit", "fail");
  refused(system, {.ids = {0}, .devices = {}}, "it is not recoverable");
  system.write("sys/class/vloop/vloop0/on_exit", "queue");
  system.write("sys/class/vloop/vloop0/state", "removing");
  refused(system, {.ids = {0}, .devices = {}}, "it is being removed");
}
