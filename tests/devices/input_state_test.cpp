// SPDX-License-Identifier: MIT
// What events add up to, and the way from one such state to another.
#include "devices/input_state.hpp"

#include <catch2/catch_test_macros.hpp>

#include <vector>

#include "devices/input_backlog.hpp"
#include "devices/input_evdev.hpp"
#include "support/input_driver.hpp"

namespace vloop::test {
namespace {

using entries = std::vector<report_entry>;

input_capabilities keyboard_and_tablet() {
  input_capabilities c;
  for (const auto code : {KEY_A, KEY_B, KEY_C}) c.codes[EV_KEY].set(code);
  c.codes[EV_SW].set(SW_LID);
  c.codes[EV_ABS].set(ABS_X).set(ABS_Y);
  c.axes[ABS_X] = c.axes[ABS_Y] = {.max = 100};
  return c;
}

input_capabilities touch_screen() {
  input_capabilities c;
  for (const auto code : {ABS_MT_SLOT, ABS_MT_TRACKING_ID, ABS_MT_POSITION_X}) {
    c.codes[EV_ABS].set(code);
    c.axes[code] = {.max = 9};
  }
  return c;
}

input_state state_after(const input_capabilities& c, const entries& events) {
  input_state state(c);
  for (const auto& e : events) state.apply(e);
  return state;
}

// All reports that lead from one to the other, without their SYN_REPORT; they must get there.
std::vector<entries> way(input_state from, const input_state& to) {
  std::vector<entries> reports;
  input_report report;
  while (from.approach(to, report)) {
    REQUIRE(reports.size() < 1000);
    REQUIRE(report.whole());
    REQUIRE(report.size() <= input_state::approach_entries_max);
    reports.emplace_back(report.entries().begin(), report.entries().end() - 1);
  }
  CHECK(report.size() == 0);
  return reports;
}

TEST_CASE("there is no way between states that are the same") {
  const auto c = keyboard_and_tablet();
  CHECK(way(input_state(c), input_state(c)).empty());
}

TEST_CASE("a key whose release was missed goes up, before others go down") {
  const auto c = keyboard_and_tablet();
  const auto told = state_after(c, {key(KEY_B, 1)});
  const auto seen = state_after(c, {key(KEY_B, 1), key(KEY_B, 0), key(KEY_A, 1)});
  CHECK(way(told, seen) == std::vector<entries>{{key(KEY_B, 0), key(KEY_A, 1)}});
}

TEST_CASE("a key pressed and released again leaves nothing to tell") {
  const auto c = keyboard_and_tablet();
  CHECK(way(input_state(c), state_after(c, {key(KEY_A, 1), key(KEY_A, 0)})).empty());
}

TEST_CASE("a repeated key stays as it is") {
  const auto c = keyboard_and_tablet();
  CHECK_FALSE(state_after(c, {key(KEY_A, 2)}).key(KEY_A));
  CHECK(state_after(c, {key(KEY_A, 1), key(KEY_A, 2)}).key(KEY_A));
}

TEST_CASE("switches and axes are told as they are now") {
  const auto c = keyboard_and_tablet();
  const auto seen = state_after(c, {{EV_SW, SW_LID, 1}, axis(ABS_X, 7), axis(ABS_X, 9), moved(REL_X, 4)});
  CHECK(way(input_state(c), seen) == std::vector<entries>{{{EV_SW, SW_LID, 1}, axis(ABS_X, 9)}});
}

TEST_CASE("codes that the device does not have leave no trace") {
  const auto c = keyboard_and_tablet();
  CHECK(way(input_state(c), state_after(c, {key(KEY_D, 1), axis(ABS_Z, 5), {EV_ABS, 0xffff, 3}, {0xffff, 1, 1}}))
            .empty());
}

TEST_CASE("from the opposite of a state everything is told") {
  const auto c = keyboard_and_tablet();
  const auto seen = state_after(c, {key(KEY_C, 1), axis(ABS_Y, 50)});
  CHECK(way(input_state::unlike(seen), seen) ==
        std::vector<entries>{
            {key(KEY_A, 0), key(KEY_B, 0), key(KEY_C, 1), {EV_SW, SW_LID, 0}, axis(ABS_X, 0), axis(ABS_Y, 50)}});
}

TEST_CASE("what is too much for one report comes in several") {
  input_capabilities c;
  for (std::uint16_t code = 1; code <= 100; ++code) c.codes[EV_KEY].set(code);
  input_state seen(c);
  for (std::uint16_t code = 1; code <= 100; ++code) seen.apply(key(code, 1));
  const auto reports = way(input_state(c), seen);
  CHECK(reports.size() == 4);
  std::size_t pressed = 0;
  for (const auto& r : reports) pressed += r.size();
  CHECK(pressed == 100);
}

TEST_CASE("fingers are told slot by slot, and the slot that events are about comes last") {
  const auto c = touch_screen();
  const auto seen = state_after(
      c, {axis(ABS_MT_SLOT, 2), axis(ABS_MT_TRACKING_ID, 40), axis(ABS_MT_POSITION_X, 5), axis(ABS_MT_SLOT, 1)});
  CHECK(way(input_state(c), seen) == std::vector<entries>{{axis(ABS_MT_SLOT, 2), axis(ABS_MT_TRACKING_ID, 40),
                                                           axis(ABS_MT_POSITION_X, 5), axis(ABS_MT_SLOT, 1)}});
}

TEST_CASE("a finger that was exchanged is first lifted") {
  const auto c = touch_screen();
  const auto told = state_after(c, {axis(ABS_MT_TRACKING_ID, 1), axis(ABS_MT_POSITION_X, 3)});
  const auto seen = state_after(c, {axis(ABS_MT_TRACKING_ID, 2), axis(ABS_MT_POSITION_X, 4)});
  CHECK(way(told, seen) == std::vector<entries>{{axis(ABS_MT_TRACKING_ID, -1)},
                                                {axis(ABS_MT_TRACKING_ID, 2), axis(ABS_MT_POSITION_X, 4)}});
}

TEST_CASE("fingers in slots that are not there are nobody's") {
  const auto c = touch_screen();
  const auto seen = state_after(c, {axis(ABS_MT_SLOT, 10), axis(ABS_MT_TRACKING_ID, 5), axis(ABS_MT_SLOT, -1),
                                    axis(ABS_MT_TRACKING_ID, 6), axis(ABS_MT_SLOT, 0)});
  CHECK(way(input_state(c), seen).empty());
}

TEST_CASE("of a driver of whom nothing is known, every finger is told") {
  const auto c = touch_screen();
  const auto seen = state_after(c, {axis(ABS_MT_TRACKING_ID, 0)});
  input_state told = input_state::unlike(seen);
  std::vector<std::int32_t> ids;
  for (const auto& r : way(told, seen))
    for (const auto& e : r)
      if (e.code == ABS_MT_TRACKING_ID) ids.push_back(e.value);
  // The first is lifted and put down again, the nine others are lifted.
  CHECK(std::count(ids.begin(), ids.end(), -1) == 10);
  CHECK(std::count(ids.begin(), ids.end(), 0) == 1);
}

// ---- the backlog ----

TEST_CASE("the backlog takes a report whole or not at all, and gives them back in order") {
  input_backlog backlog;
  const entries three{key(KEY_A, 1), key(KEY_B, 1), {}};
  std::size_t taken = 0;
  while (backlog.push(three)) ++taken;
  CHECK(taken == input_backlog::capacity / 3);
  CHECK(backlog.reports() == taken);
  CHECK(backlog.room() == input_backlog::capacity % 3);
  for (int lap = 0; lap < 3000; ++lap) {  // several times around the ring
    REQUIRE(backlog.front_size() == 3);
    for (const auto& expected : three) {
      REQUIRE(backlog.front() == expected);
      backlog.pop();
    }
    REQUIRE(backlog.push(three));
  }
  backlog.clear();
  CHECK(backlog.empty());
  CHECK(backlog.reports() == 0);
}

// ---- an event device's stream ----

input_event raw(const report_entry& e) {
  input_event event{};
  event.type = e.type;
  event.code = e.code;
  event.value = e.value;
  return event;
}

using step = evdev_assembler::step;

TEST_CASE("events become a report at SYN_REPORT") {
  evdev_assembler assembler;
  input_report report;
  for (int lap = 0; lap < 2; ++lap) {
    CHECK(assembler.take(raw(key(KEY_A, 1)), report) == step::more);
    CHECK(assembler.take(raw({EV_SYN, SYN_MT_REPORT, 0}), report) == step::more);
    CHECK(assembler.take(raw({}), report) == step::whole);
    CHECK(report.size() == 3);
  }
}

TEST_CASE("SYN_DROPPED gives up the report it is in, and the rest of it is left out") {
  evdev_assembler assembler;
  input_report report;
  CHECK(assembler.take(raw(key(KEY_A, 1)), report) == step::more);
  CHECK(assembler.take(raw({EV_SYN, SYN_DROPPED, 0}), report) == step::lost);
  CHECK(assembler.take(raw(key(KEY_B, 1)), report) == step::more);
  CHECK(assembler.take(raw({}), report) == step::more);
  CHECK(assembler.take(raw(key(KEY_C, 1)), report) == step::more);
  CHECK(assembler.take(raw({}), report) == step::whole);
  CHECK(entries(report.entries().begin(), report.entries().end()) == entries{key(KEY_C, 1), {}});
}

TEST_CASE("a report that is too long is lost as a whole") {
  evdev_assembler assembler;
  input_report report;
  for (std::size_t i = 0; i < input_report::entries_max; ++i)
    REQUIRE(assembler.take(raw(moved(REL_X, 1)), report) == step::more);
  CHECK(assembler.take(raw(moved(REL_X, 1)), report) == step::lost);
  CHECK(assembler.take(raw({}), report) == step::more);
  CHECK(assembler.take(raw(key(KEY_A, 1)), report) == step::more);
  CHECK(assembler.take(raw({}), report) == step::whole);
  CHECK(report.size() == 2);
}

TEST_CASE("after a restart in the middle of a report its rest is left out") {
  evdev_assembler assembler;
  input_report report;
  CHECK(assembler.take(raw(key(KEY_A, 1)), report) == step::more);
  assembler.restart(true);
  CHECK(assembler.take(raw(key(KEY_B, 1)), report) == step::more);
  CHECK(assembler.take(raw({}), report) == step::more);
  CHECK(assembler.take(raw(key(KEY_C, 1)), report) == step::more);
  CHECK(assembler.take(raw({}), report) == step::whole);
  CHECK(report.size() == 2);
  assembler.restart(false);
  CHECK(assembler.take(raw(key(KEY_A, 1)), report) == step::more);
  CHECK(assembler.take(raw({}), report) == step::whole);
  CHECK(report.size() == 2);
}

}  // namespace
}  // namespace vloop::test
