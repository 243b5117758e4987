// SPDX-License-Identifier: MIT
// What a driver can offer the two queues of an input device (virtio 1.2, 5.8.6) that is no event of eight bytes.
#include <catch2/catch_test_macros.hpp>

#include <linux/input.h>
#include <linux/virtio_input.h>

#include <cstring>

#include "hostile/rig.hpp"

namespace vloop::test {
namespace {

using rig = hostile_rig;
using chain = rig::chain;

constexpr std::uint64_t at = rig::page(16);

struct input_case {
  const char* name;
  chain what;
  std::uint32_t written;
};

const input_case event_cases[] = {
    {"a buffer of seven bytes", {rig::w(at, 7)}, 0},
    {"a buffer of one byte", {rig::w(at, 1)}, 0},
    {"a buffer of nine bytes", {rig::w(at, 9)}, 8},
    {"a buffer of a page", {rig::w(at, 4096)}, 8},
    {"a buffer that is readable", {rig::r(at, 8)}, 0},
    {"a readable buffer before the writable one", {rig::r(at, 8), rig::w(at + 8, 8)}, 8},
    {"an event cut into eight bytes",
     {rig::w(at, 1), rig::w(at + 1, 1), rig::w(at + 2, 1), rig::w(at + 3, 1), rig::w(at + 4, 1), rig::w(at + 5, 1),
      rig::w(at + 6, 1), rig::w(at + 7, 1)},
     8},
    {"two buffers of four bytes that are the same memory", {rig::w(at, 4), rig::w(at, 4)}, 8},
};

TEST_CASE("hostile input events: an event goes where it fits, and the device goes on") {
  for (const input_case& one : event_cases) DYNAMIC_SECTION(one.name) {
      rig q(lane::events);
      std::memset(q.at(at), 0x5a, 16);
      q.submit(one.what);
      CHECK(q.next_used().written == one.written);
      if (one.what.size() == 1 && one.written == 8) CHECK(*q.at(at + 8) == std::byte{0x5a});
      if (one.written == 0) CHECK(*q.at(at) == std::byte{0x5a});
      q.expect_a_valid_request_served();
    }
}

struct status_case {
  const char* name;
  chain what;
  virtio_input_event said;
};

const status_case status_cases[] = {
    {"an event of seven bytes", {rig::r(at, 7)}, {EV_LED, LED_CAPSL, 1}},
    {"an event of one byte", {rig::r(at, 1)}, {EV_LED, LED_CAPSL, 1}},
    {"an event of nine bytes", {rig::r(at, 9)}, {EV_LED, LED_CAPSL, 1}},
    {"an event of a page", {rig::r(at, 4096)}, {EV_LED, LED_CAPSL, 1}},
    {"an event that is writable", {rig::w(at, 8)}, {EV_LED, LED_CAPSL, 1}},
    {"an event with room for an answer", {rig::r(at, 8), rig::w(at + 64, 8)}, {EV_LED, LED_CAPSL, 1}},
    {"an event cut into two", {rig::r(at, 3), rig::r(at + 3, 5)}, {EV_LED, LED_CAPSL, 1}},
    {"a type that nobody defined", {rig::r(at, 8)}, {0xffff, 0, 1}},
    {"a key, which is not the driver's to press", {rig::r(at, 8)}, {EV_KEY, KEY_A, 1}},
    {"a light that is not there", {rig::r(at, 8)}, {EV_LED, LED_MAX, 1}},
    {"a light with a code of nonsense", {rig::r(at, 8)}, {EV_LED, 0xffff, 1}},
    {"a sound that is not there", {rig::r(at, 8)}, {EV_SND, SND_BELL, 1}},
    {"a light with a value of nonsense", {rig::r(at, 8)}, {EV_LED, LED_CAPSL, 0xffffffff}},
};

TEST_CASE("hostile input status: whatever it says is given back unwritten, and the device goes on") {
  for (const status_case& one : status_cases) DYNAMIC_SECTION(one.name) {
      rig q(lane::status);
      std::memset(q.at(at), 0x5a, 128);
      std::memcpy(q.at(at), &one.said, sizeof one.said);
      q.submit(one.what);
      CHECK(q.next_used().written == 0);
      CHECK(std::memcmp(q.at(at), &one.said, sizeof one.said) == 0);
      CHECK(*q.at(at + 64) == std::byte{0x5a});
      CHECK(q.error() == ring_error::none);
      q.expect_a_valid_request_served();
    }
}

}  // namespace
}  // namespace vloop::test
