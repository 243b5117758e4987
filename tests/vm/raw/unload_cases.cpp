// SPDX-License-Identifier: MIT
// Unloading the module is refused in each state of a device, and harms none.
#include "cases.hpp"
#include "mortal.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vloop::raw {

namespace {

void unloading_is_refused() {
  equal("unloading the module", result_of(::syscall(SYS_delete_module, "vloop", O_NONBLOCK)), -EWOULDBLOCK);
}

void a_device_that_was_created_keeps_the_module() {
  device d(blk_shape(disk_sectors));
  equal("state", d.info().state, VLOOP_STATE_CREATED);
  unloading_is_refused();
  equal("REMOVE", d.remove(), 0);
  d.wait_gone();
}

// The probe waits for its first request.
void a_device_that_starts_keeps_the_module() {
  device d(blk_shape(disk_sectors));
  auto q = d.open_queue(0);
  equal("START", d.start(), 0);
  static_cast<void>(q.next_request());
  equal("state", d.info().state, VLOOP_STATE_STARTING);
  unloading_is_refused();
  const auto id = d.id();
  q.close();
  d.close();
  wait_until_gone(id);
}

void a_disk_that_is_live_keeps_the_module() {
  disk d;
  equal("state", d.dev().info().state, VLOOP_STATE_LIVE);
  unloading_is_refused();
  d.remove();
}

// Nobody holds a descriptor then.
void a_disk_without_a_server_keeps_the_module(vloop_exit_policy on_exit) {
  mortal_server server(recoverable(on_exit), [](disk&) {});
  server.kill();
  unloading_is_refused();
  equal("STOP", control().stop(server.id()), 0);
  wait_until_gone(server.id());
}

void a_disk_that_is_deserted_keeps_the_module() {
  a_disk_without_a_server_keeps_the_module(VLOOP_EXIT_REISSUE);
}

void a_disk_that_fails_its_requests_keeps_the_module() {
  a_disk_without_a_server_keeps_the_module(VLOOP_EXIT_FAIL_FAST);
}

constexpr named_case cases[] = {
    {"a_device_that_was_created_keeps_the_module", a_device_that_was_created_keeps_the_module},
    {"a_device_that_starts_keeps_the_module", a_device_that_starts_keeps_the_module},
    {"a_disk_that_is_live_keeps_the_module", a_disk_that_is_live_keeps_the_module},
    {"a_disk_that_is_deserted_keeps_the_module", a_disk_that_is_deserted_keeps_the_module},
    {"a_disk_that_fails_its_requests_keeps_the_module", a_disk_that_fails_its_requests_keeps_the_module},
};

}  // namespace

std::span<const named_case> unload_cases() {
  return cases;
}

}  // namespace vloop::raw
