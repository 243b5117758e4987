// SPDX-License-Identifier: MIT
// How the input device behaves, over every transport: with a source that the test speaks for.
#include "devices/input.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <linux/virtio_input.h>

#include <chrono>
#include <cstring>
#include <deque>
#include <string>
#include <thread>

#include "support/any_transport.hpp"
#include "support/input_driver.hpp"
#include "support/rig.hpp"
#include "support/scripted_source.hpp"
#include "support/temporary_file.hpp"

namespace vloop::test {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using report = input_driver::report;

input_capabilities mouse_with_keys() {
  input_capabilities c;
  c.name = "A test's mouse";
  c.ids = {.bustype = BUS_USB, .vendor = 1, .product = 2, .version = 3};
  for (const auto code : {KEY_A, KEY_B, BTN_LEFT}) c.codes[EV_KEY].set(code);
  for (const auto code : {REL_X, REL_Y}) c.codes[EV_REL].set(code);
  c.codes[EV_MSC].set(MSC_SCAN);
  c.codes[EV_LED].set(LED_CAPSL);
  return c;
}

// What a driver is told before anything else.
const report first_words{key(KEY_A, 0), key(KEY_B, 0), key(BTN_LEFT, 0)};

struct served {
  explicit served(std::size_t buffers = 64, bool can_wait = false, const input_capabilities& c = mouse_with_keys(),
                  std::uint16_t queue_size = 64)
      : device(std::make_unique<scripted_source>(script, c, can_wait), queue_size),
        rig(any_transport().make(device, {})),
        events(rig->queue(input::event_queue), buffers) {}

  // Waits until the device has taken all that the script says.
  void listened() {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!script.taken()) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("the device does not listen");
      std::this_thread::sleep_for(1ms);
    }
    rig->on_worker([] {});  // and has done with it
  }
  void reset() {
    rig->reset(input::event_queue);
    events.forget();
  }

  input_script script;
  input device;
  std::unique_ptr<test::rig> rig;
  input_driver events;
};

std::uint64_t now(const input_counters::counter& c) {
  return c.load();
}

// ---- events ----

TEST_CASE("a new driver is told the state of every key, since it may have been told otherwise before") {
  served s;
  CHECK(s.events.next_report() == first_words);
}

TEST_CASE("keys that are down when a driver comes, or go down before it can be told anything, are told to it") {
  served s(0);
  s.listened();
  s.script.lose({key(KEY_A, 1)});
  s.script.tell({key(KEY_B, 1)});
  s.listened();
  s.reset();
  s.script.lose({key(KEY_B, 1), key(BTN_LEFT, 1)});
  s.listened();
  s.events.offer(32);
  s.script.tell({moved(REL_X, 1)});
  s.events.until({moved(REL_X, 1)});
  CHECK(s.events.down() == std::set<std::uint16_t>{KEY_B, BTN_LEFT});
}

TEST_CASE("a state that changes while it is being told for the first time is told as it is in the end") {
  auto c = mouse_with_keys();
  for (std::uint16_t code = 1; code < KEY_CNT; ++code) c.codes[EV_KEY].set(code);
  served s(0, false, c);
  s.listened();
  std::set<std::uint16_t> down;
  for (std::uint16_t round = 0; round < 20; ++round) {  // more than the backlog holds
    input_script::report state;
    for (std::uint16_t code = 1; code < 250; ++code)
      if ((code + round) % 3 != 0) state.push_back(key(code, 1));
    s.script.lose(state);
    down.clear();
    for (const auto& e : state) down.insert(e.code);
  }
  s.listened();
  s.events.offer(64);
  s.script.tell({moved(REL_X, 1)});
  for (int i = 0; i < 200 && s.events.down() != down; ++i) s.events.next_report();
  CHECK(s.events.down() == down);
}

TEST_CASE("reports reach the driver whole and in order") {
  served s;
  REQUIRE(s.events.next_report() == first_words);
  for (int i = 1; i <= 2000; ++i) {
    if (i % 3 == 0) {
      s.script.tell({moved(REL_X, i), moved(REL_Y, -i), key(BTN_LEFT, i % 2)});
    } else {
      s.script.tell({moved(REL_X, i)});
    }
    if (i % 50 != 0) continue;
    for (int j = i - 49; j <= i; ++j) {
      const report expected =
          j % 3 == 0 ? report{moved(REL_X, j), moved(REL_Y, -j), key(BTN_LEFT, j % 2)} : report{moved(REL_X, j)};
      REQUIRE(s.events.next_report() == expected);
    }
  }
  CHECK(now(s.device.counters().dropped) == 0);
  CHECK(now(s.device.counters().reports) == 2001);
}

TEST_CASE("a report waits until the driver has buffers for all of it") {
  served s(8);
  REQUIRE(s.events.next_report() == first_words);
  s.events.keep_buffers();
  const report six{moved(REL_X, 1), moved(REL_Y, 2), key(KEY_A, 1), key(KEY_B, 1), key(BTN_LEFT, 1)};
  s.script.tell(six);
  CHECK(s.events.next_report() == six);  // now it has two buffers left
  s.script.tell({moved(REL_X, 7), moved(REL_Y, 8)});
  s.listened();
  CHECK_FALSE(s.events.anything());
  s.events.offer(1);
  CHECK(s.events.next_report() == report{moved(REL_X, 7), moved(REL_Y, 8)});
}

TEST_CASE("a report that is larger than all that the driver ever offered comes in pieces, with nothing in between") {
  served s(2);
  REQUIRE(s.events.next_report() == first_words);
  const report four{moved(REL_X, 1), moved(REL_Y, 2), key(KEY_A, 1), key(KEY_B, 1)};
  s.script.tell(four);
  s.script.tell({moved(REL_X, 3)});
  CHECK(s.events.next_report() == four);
  CHECK(s.events.next_report() == report{moved(REL_X, 3)});
}

TEST_CASE("events that the driver was not told of are taken out of their report") {
  served s;
  REQUIRE(s.events.next_report() == first_words);
  s.script.tell({moved(REL_WHEEL, 1), {EV_LED, LED_CAPSL, 1}, {EV_SYN, SYN_DROPPED, 0}, {EV_FF, 1, 1}});
  s.script.tell({moved(REL_X, 1), key(KEY_C, 1), {EV_ABS, 0x2f, 3}, {EV_MSC, MSC_SCAN, 30}});
  CHECK(s.events.next_report() == report{moved(REL_X, 1), {EV_MSC, MSC_SCAN, 30}});
}

TEST_CASE("repeated keys are the driver's business if the device announces repetition, else they are told") {
  auto c = mouse_with_keys();
  const bool announced = GENERATE(false, true);
  if (announced) c.codes[EV_REP].set(REP_DELAY).set(REP_PERIOD);
  served s(64, false, c);
  REQUIRE(s.events.next_report() == first_words);
  s.script.tell({key(KEY_A, 1)});
  s.script.tell({key(KEY_A, 2)});
  s.script.tell({key(KEY_A, 0)});
  CHECK(s.events.next_report() == report{key(KEY_A, 1)});
  if (!announced) CHECK(s.events.next_report() == report{key(KEY_A, 2)});
  CHECK(s.events.next_report() == report{key(KEY_A, 0)});
}

// ---- what is lost ----

TEST_CASE("without buffers whole reports are dropped and counted, and no key is stuck afterwards") {
  served s(0);
  s.listened();
  constexpr int told = 2000;
  for (int i = 0; i < told; ++i) s.script.tell({moved(REL_X, i), key(KEY_A, 1), key(KEY_B, 1)});
  s.script.tell({key(KEY_A, 0), key(KEY_B, 0), key(BTN_LEFT, 1)});
  s.listened();
  const auto dropped = now(s.device.counters().dropped);
  CHECK(dropped > told / 2);
  s.events.offer(60);
  REQUIRE(s.events.next_report() == first_words);
  int n = 0;
  for (; n < told; ++n) {  // the reports that were kept, in order, are the first ones
    const report r = s.events.next_report();
    if (r.front().type != EV_REL) {
      CHECK(r == report{key(KEY_A, 0), key(KEY_B, 0), key(BTN_LEFT, 1)});
      break;
    }
    REQUIRE(r == report{moved(REL_X, n), key(KEY_A, 1), key(KEY_B, 1)});
  }
  CHECK(static_cast<std::uint64_t>(n) + dropped == told + 1);
  CHECK(s.events.down() == std::set<std::uint16_t>{BTN_LEFT});
  // From here on all is as ever.
  s.script.tell({key(BTN_LEFT, 0)});
  CHECK(s.events.next_report() == report{key(BTN_LEFT, 0)});
}

TEST_CASE("a source that can wait loses nothing to a driver that is slow") {
  served s(0, true);
  constexpr int told = 3000;
  for (int i = 0; i < told; ++i) s.script.tell({moved(REL_X, i), moved(REL_Y, i)});
  std::this_thread::sleep_for(20ms);
  CHECK_FALSE(s.script.taken());
  s.events.offer(8);
  REQUIRE(s.events.next_report() == first_words);
  for (int i = 0; i < told; ++i) REQUIRE(s.events.next_report() == report{moved(REL_X, i), moved(REL_Y, i)});
  CHECK(now(s.device.counters().dropped) == 0);
}

TEST_CASE("where the source lost events, the driver is led to the state that they led to") {
  served s;
  REQUIRE(s.events.next_report() == first_words);
  s.script.tell({key(KEY_A, 1)});
  s.script.lose({key(KEY_B, 1)});
  CHECK(s.events.next_report() == report{key(KEY_A, 1)});
  CHECK(s.events.next_report() == report{key(KEY_A, 0), key(KEY_B, 1)});
  CHECK(now(s.device.counters().overruns) == 1);
}

TEST_CASE("when the source has ended, keys that it left down go up") {
  served s;
  REQUIRE(s.events.next_report() == first_words);
  s.script.tell({key(KEY_A, 1), key(BTN_LEFT, 1)});
  CHECK(s.events.next_report() == report{key(KEY_A, 1), key(BTN_LEFT, 1)});
  s.script.end();
  CHECK(s.events.next_report() == report{key(KEY_A, 0), key(BTN_LEFT, 0)});
}

TEST_CASE("after a reset the driver hears nothing old, but the keys that are down") {
  served s(4);
  REQUIRE(s.events.next_report() == first_words);
  s.events.keep_buffers();
  s.script.tell({key(KEY_A, 1)});
  s.script.tell({key(KEY_B, 1)});
  CHECK(s.events.next_report() == report{key(KEY_A, 1)});
  CHECK(s.events.next_report() == report{key(KEY_B, 1)});
  s.script.tell({moved(REL_X, 5), key(KEY_B, 0), key(BTN_LEFT, 1)});
  s.listened();
  s.reset();
  s.events.offer(8);
  CHECK(s.events.next_report() == report{key(KEY_B, 0), key(KEY_A, 1), key(BTN_LEFT, 1)});
  CHECK(now(s.device.counters().dropped) == 1);
  s.script.tell({moved(REL_X, 6)});
  CHECK(s.events.next_report() == report{moved(REL_X, 6)});
}

TEST_CASE("a reset in the middle of a report ends it for good") {
  served s(4);
  REQUIRE(s.events.next_report() == first_words);
  s.events.keep_buffers();
  s.script.tell({moved(REL_X, 1), moved(REL_Y, 1), key(KEY_A, 1), key(KEY_B, 1), key(BTN_LEFT, 1)});
  for (int i = 0; i < 4; ++i) s.events.next_entry();
  s.reset();
  s.events.refill();
  s.events.offer(8);
  CHECK(s.events.next_report() == report{key(KEY_A, 1), key(KEY_B, 1), key(BTN_LEFT, 1)});
}

TEST_CASE("reports go on over many resets") {
  served s;
  REQUIRE(s.events.next_report() == first_words);
  for (int i = 0; i < 20; ++i) {
    s.script.tell({moved(REL_X, i), key(KEY_A, i % 2)});
    s.reset();
    s.events.offer(16);
    const int last = 1000 + i;
    s.script.tell({moved(REL_Y, last)});
    s.events.until({moved(REL_Y, last)});
    CHECK(s.events.down().contains(KEY_A) == (i % 2 == 1));
  }
}

// ---- the end ----

TEST_CASE("stop ends a device whose source is silent, and gives no buffer back") {
  served s(16);
  REQUIRE(s.events.next_report() == first_words);
  s.rig->stop();
  CHECK_FALSE(s.events.anything());
  CHECK(s.rig->counters(input::event_queue).answers == 4);
}

TEST_CASE("stop ends a device whose source waits for room") {
  served s(0, true);
  for (int i = 0; i < 1000; ++i) s.script.tell({moved(REL_X, i), moved(REL_Y, i)});
  s.rig->stop();
  SUCCEED();
}

TEST_CASE("stop ends a device whose source has ended before") {
  served s;
  s.script.end();
  s.listened();
  s.rig->stop();
  SUCCEED();
}

TEST_CASE("the summary tells what was counted") {
  served s;
  REQUIRE(s.events.next_report() == first_words);
  s.rig->stop();
  REQUIRE(s.device.summary().size() == 1);
  CHECK_THAT(s.device.summary()[0], ContainsSubstring("reports told 1 (4 events, ") && ContainsSubstring("dropped 0,"));
}

// Remembers the events that it was asked to copy.
struct event_port final : queue_port {
  void run(const request_id&, const transfer&, transfer_waiter& waiter) override { waiter.done(-ECANCELED); }
  void answer(const request_id&, const transfer& t, answer_status) override {
    report_entry entry;
    REQUIRE(t.length == sizeof entry);
    std::memcpy(&entry, t.memory, sizeof entry);
    told.push_back(entry);
  }
  report told;
};

TEST_CASE("a source that fails ends the device with its error, but first its keys go up") {
  input_script script;
  input device(std::make_unique<scripted_source>(script, mouse_with_keys(), false), 64);
  script.tell({key(KEY_A, 1)});
  script.fail(ENODEV);
  event_port port;
  queue buffers(input::event_queue, 64, port);
  for (std::uint16_t head = 0; head < 16; ++head) {
    fetched f{};
    f.id.head = head;
    f.writable = sizeof(report_entry);
    buffers.deliver(f);
  }
  loop io;
  CHECK_THROWS_WITH(io.run(device.serve(buffers, io)), ContainsSubstring("the scripted source failed: No such device"));
  report expected = first_words;
  expected.insert(expected.end(), {{}, key(KEY_A, 1), {}, key(KEY_A, 0), {}});
  CHECK(port.told == expected);
}

// ---- hostile drivers ----

TEST_CASE("buffers too small for an event come back empty, the others are used, and no report is lost") {
  served s(0);
  driver& d = s.rig->queue(input::event_queue);
  std::vector<driver::ticket> bad;
  for (const std::uint32_t size : {1U, 7U, 4U}) bad.push_back(d.submit({}, size));
  bad.push_back(d.submit(pattern(8, 1), 0));  // nothing writable at all
  s.events.offer(8);
  CHECK(s.events.next_report() == first_words);
  for (const auto t : bad) CHECK(d.finish(t).written == 0);
  CHECK(now(s.device.counters().bad_buffers) == 4);
  s.script.tell({key(KEY_A, 1)});
  CHECK(s.events.next_report() == report{key(KEY_A, 1)});
}

TEST_CASE("a larger buffer gets one event, and no byte behind it is touched") {
  served s(0);
  driver& d = s.rig->queue(input::event_queue);
  std::vector<driver::ticket> large;
  for (int i = 0; i < 4; ++i) large.push_back(d.submit({}, 100));
  for (const auto t : large) {
    const auto a = d.finish(t);
    CHECK(a.written == sizeof(report_entry));
    CHECK(std::ranges::all_of(a.writable.subspan(8), [](std::byte b) { return b == std::byte{0xee}; }));
  }
}

TEST_CASE("an event may be cut over several descriptors") {
  served s(0);
  driver& d = s.rig->queue(input::event_queue);
  std::vector<driver::ticket> cut;
  for (int i = 0; i < 4; ++i) cut.push_back(d.submit({}, 8, {.writable = {1, 3, 3, 1}}));
  const auto a = d.finish(cut[0]);
  report_entry entry;
  std::memcpy(&entry, a.writable.data(), sizeof entry);
  CHECK(entry == key(KEY_A, 0));
  for (std::size_t i = 1; i < cut.size(); ++i) CHECK(d.finish(cut[i]).written == 8);
}

TEST_CASE("a driver that offers nothing but useless buffers costs nothing but these") {
  served s(0);
  driver& d = s.rig->queue(input::event_queue);
  std::deque<driver::ticket> bad;
  const auto come_back_but = [&](std::size_t kept) {
    for (; bad.size() > kept; bad.pop_front()) REQUIRE(d.finish(bad.front()).written == 0);
  };
  for (int lap = 0; lap < 20; ++lap) {
    for (int i = 0; i < 60; ++i) bad.push_back(d.submit({}, 3));
    s.script.tell({moved(REL_X, lap)});
    come_back_but(first_words.size());  // too few for a report are left where they are until more come
  }
  s.events.offer(32);
  come_back_but(0);
  CHECK(s.events.next_report() == first_words);
  for (int lap = 0; lap < 20; ++lap) CHECK(s.events.next_report() == report{moved(REL_X, lap)});
}

// ---- status ----

std::vector<std::byte> bytes_of(const report_entry& e) {
  std::vector<std::byte> bytes(sizeof e);
  std::memcpy(bytes.data(), &e, sizeof e);
  return bytes;
}

TEST_CASE("LEDs that the driver switches reach the source, in order") {
  served s;
  driver& d = s.rig->queue(input::status_queue);
  std::vector<report_entry> expected;
  for (int i = 0; i < 100; ++i) {
    expected.push_back({EV_LED, LED_CAPSL, i % 2});
    CHECK(d.finish(d.submit(bytes_of(expected.back()), 0)).written == 0);
  }
  s.rig->on_worker([] {});
  CHECK(s.script.lights() == expected);
  CHECK(now(s.device.counters().lights) == 100);
}

TEST_CASE("status events that are garbage, short, or for lights that are not there are answered and ignored") {
  served s;
  driver& d = s.rig->queue(input::status_queue);
  const auto answered = [&d](const std::vector<std::byte>& readable, std::uint32_t writable = 0) {
    CHECK(d.finish(d.submit(readable, writable)).written == 0);
  };
  answered(bytes_of({EV_LED, LED_NUML, 1}));
  answered(bytes_of({EV_LED, 0xffff, 1}));
  answered(bytes_of({EV_KEY, KEY_A, 1}));
  answered(bytes_of({EV_MSC, MSC_SCAN, 1}));
  answered(bytes_of({0xffff, 0, 1}));
  answered(bytes_of({}));
  answered(pattern(7, 1));
  answered(pattern(1, 2));
  answered({}, 8);
  answered({}, 1000);
  answered(pattern(4096, 3), 16);
  s.rig->on_worker([] {});
  CHECK(s.script.lights().empty());
  CHECK(now(s.device.counters().ignored) == 11);
  answered(bytes_of({EV_LED, LED_CAPSL, 1}));  // and one that is right still works
  s.rig->on_worker([] {});
  CHECK(s.script.lights().size() == 1);
  CHECK(s.rig->error(input::status_queue) == ring_error::none);
}

TEST_CASE("a status event longer than it needs counts by its first eight bytes") {
  served s;
  driver& d = s.rig->queue(input::status_queue);
  auto bytes = bytes_of({EV_LED, LED_CAPSL, 1});
  bytes.resize(100);
  d.finish(d.submit(bytes, 0));
  s.rig->on_worker([] {});
  CHECK(s.script.lights() == std::vector<report_entry>{{EV_LED, LED_CAPSL, 1}});
}

// ---- the configuration space ----

// As a driver asks (virtio 1.3, 5.8.5.1).
std::vector<std::byte> ask(rig& r, std::uint8_t select, std::uint8_t subsel) {
  const std::byte selection[]{std::byte{select}, std::byte{subsel}};
  r.write_config(0, selection);
  const auto size = std::to_integer<std::size_t>(r.read_config(offsetof(virtio_input_config, size), 1)[0]);
  return r.read_config(offsetof(virtio_input_config, u), size);
}

TEST_CASE("a driver that selects a page reads its length and its contents") {
  served s;
  const auto name = ask(*s.rig, VIRTIO_INPUT_CFG_ID_NAME, 0);
  CHECK(std::string(reinterpret_cast<const char*>(name.data()), name.size()) == "A test's mouse");
  const auto relative = ask(*s.rig, VIRTIO_INPUT_CFG_EV_BITS, EV_REL);
  CHECK(relative == std::vector<std::byte>{std::byte{0b11}});
  CHECK(s.rig->read_config(0, 2) == std::vector<std::byte>{std::byte{VIRTIO_INPUT_CFG_EV_BITS}, std::byte{EV_REL}});
}

TEST_CASE("a page that is not there is empty, and so is everything behind a page or the end") {
  served s;
  CHECK(ask(*s.rig, VIRTIO_INPUT_CFG_EV_BITS, EV_SW).empty());
  CHECK(ask(*s.rig, 0xff, 0xff).empty());
  CHECK(ask(*s.rig, VIRTIO_INPUT_CFG_UNSET, 0).empty());
  ask(*s.rig, VIRTIO_INPUT_CFG_EV_BITS, EV_REL);
  const std::vector<std::byte> zeros(300);
  CHECK(s.rig->read_config(9, 300) == zeros);
  CHECK(s.rig->read_config(100'000, 300) == zeros);
  CHECK(s.rig->read_config(~std::size_t{0}, 300) == zeros);
}

TEST_CASE("writes select from wherever they begin, and nothing else can be written") {
  served s;
  const auto before = ask(*s.rig, VIRTIO_INPUT_CFG_ID_NAME, 0);
  s.rig->write_config(2, pattern(200, 1));
  s.rig->write_config(5000, pattern(10, 1));
  CHECK(ask(*s.rig, VIRTIO_INPUT_CFG_ID_NAME, 0) == before);
  const std::byte rel{EV_REL};
  const std::byte bits{VIRTIO_INPUT_CFG_EV_BITS};
  s.rig->write_config(1, {&rel, 1});  // one by one, in any order
  s.rig->write_config(0, {&bits, 1});
  CHECK(s.rig->read_config(2, 1)[0] == std::byte{1});
}

TEST_CASE("the description has two queues that are left alone when the process dies") {
  served s;
  const device_description& d = s.device.describe();
  CHECK(d.id == 18);
  CHECK(d.features == 0);
  CHECK(d.config.empty());
  CHECK_FALSE(d.pages.empty());
  REQUIRE(d.queues.size() == 2);
  for (const auto& q : d.queues) CHECK(q.when_process_dies == queue_description::on_death::leave);
}

}  // namespace
}  // namespace vloop::test
