// SPDX-License-Identifier: MIT
// Events as text: what is understood, and how the rest is refused.
#include "devices/input_text.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <string>
#include <vector>

namespace vloop::test {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

std::vector<text_event> read(input_text& text, const std::vector<std::string>& lines) {
  std::vector<text_event> events;
  for (const auto& line : lines)
    if (const auto event = text.take(line)) events.push_back(*event);
  return events;
}

// The last line is refused, by its number, in one line.
void refused(const std::vector<std::string>& lines, const std::string& why) {
  input_text text;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) REQUIRE_NOTHROW(text.take(lines[i]));
  INFO(lines.back());
  CHECK_THROWS_WITH(text.take(lines.back()), StartsWith("line " + std::to_string(lines.size()) + ": ") &&
                                                 ContainsSubstring(why) && !ContainsSubstring("\n"));
}

TEST_CASE("an event has a time, a type and a code in hexadecimal, and a value") {
  input_text text;
  const auto events = read(text, {"E: 1.500000 0003 003a -017", "E: 12 0 0 0"});
  REQUIRE(events.size() == 2);
  CHECK(events[0].at == 1500ms);
  CHECK(events[0].entry == report_entry{EV_ABS, ABS_MT_PRESSURE, -17});
  CHECK(events[1].at == 12s);
  CHECK(events[1].entry.ends_report());
}

TEST_CASE("a fraction of a second may be short") {
  input_text text;
  CHECK(read(text, {"E: 0.25 0001 001e 1"})[0].at == 250ms);
  CHECK(read(text, {"E: 0.000001 0001 001e 0"})[0].at == 1us);
}

TEST_CASE("comments, empty lines, blanks and carriage returns say nothing") {
  input_text text;
  const auto events = read(text, {"# EVEMU 1.3", "", "   \t", "  # indented", "  E:  0.0\t0001 001e 0001\t# KEY_A \r"});
  REQUIRE(events.size() == 1);
  CHECK(events[0].entry == report_entry{EV_KEY, KEY_A, 1});
}

TEST_CASE("a head tells name, ids, properties, codes and ranges") {
  input_text text;
  read(text, {"N: The #1 tablet ", "I: 0003 056a 0010 0110", "P: 02 00 00 00 00 00 00 00",
              "B: 01 00 00 00 40 00 00 00 00", "B: 01 02 00 00 00 00 00 00 00", "B: 03 03 00 00 00 00 00 00 00",
              "A: 00 0 1919 1 2 40", "A: 01 -10 10 0 0", "L: 00 1", "S: 00 0"});
  text.check_head();
  const input_capabilities& c = text.capabilities();
  CHECK(text.declared());
  CHECK(c.name == "The #1 tablet");
  CHECK(c.ids.vendor == 0x056a);
  CHECK(c.ids.version == 0x0110);
  CHECK(c.properties == std::bitset<INPUT_PROP_CNT>().set(INPUT_PROP_DIRECT));
  CHECK(c.codes[EV_KEY] == code_set().set(KEY_A).set(65));
  CHECK(c.codes[EV_ABS] == code_set().set(ABS_X).set(ABS_Y));
  CHECK(c.axes[ABS_X] == axis_range{0, 1919, 1, 2, 40});
  CHECK(c.axes[ABS_Y] == axis_range{-10, 10, 0, 0, 0});
}

TEST_CASE("without a head the events say what there is") {
  input_text text;
  read(text, {"E: 0 0001 001e 1", "E: 0 0000 0000 0", "E: 0 0003 0000 50", "E: 0 0003 0000 -20", "E: 0 0000 0000 0",
              "E: 0 0003 002f 3", "E: 0 0000 0000 0"});
  CHECK_FALSE(text.declared());
  const input_capabilities& c = text.capabilities();
  CHECK(c.codes[EV_KEY] == code_set().set(KEY_A));
  CHECK(c.axes[ABS_X].min == -20);
  CHECK(c.axes[ABS_X].max == 50);
  CHECK(c.slots() == 4);
}

TEST_CASE("an empty line is told from one that says something") {
  input_text text;
  text.take("N: a");
  CHECK_FALSE(text.at_blank_line());
  text.take("  ");
  CHECK(text.at_blank_line());
  text.take("# comment");
  CHECK_FALSE(text.at_blank_line());
}

TEST_CASE("types that virtio does not serve may stand in a recording") {
  input_text text;
  CHECK(read(text, {"B: 00 0b 00", "B: 15 ff ff", "B: 01 02", "E: 0 0015 0001 1", "E: 0 0000 0003 0"}).size() == 2);
}

TEST_CASE("what is no line of this form is refused by its number") {
  refused({"hello"}, "not a letter and a colon");
  refused({"# fine", "", "E"}, "not a letter and a colon");
  refused({"X: 1"}, "unknown 'X:'");
  refused({"\x01: 1"}, "unknown");
  refused({std::string(1025, '#')}, "longer than 1024 bytes");
}

TEST_CASE("a bad event is refused") {
  refused({"E:"}, "'E:' takes seconds, type and code");
  refused({"E: 0.0 0001 001e"}, "'E:' takes");
  refused({"E: 0.0 0001 001e 1 1"}, "'E:' takes");
  refused({"E: -1.0 0001 001e 1"}, "'E:' takes");
  refused({"E: 0.0000001 0001 001e 1"}, "'E:' takes");
  refused({"E: 0. 0001 001e 1"}, "'E:' takes");
  refused({"E: 99999999999 0001 001e 1"}, "'E:' takes");
  refused({"E: 0 10001 001e 1"}, "'E:' takes");
  refused({"E: 0 KEY A 1"}, "'E:' takes");
  refused({"E: 0 0001 001e 4294967296"}, "'E:' takes");
  refused({"E: 0 0001 001e 0x1"}, "'E:' takes");
  refused({"E: 0 0020 0000 1"}, "no event type 20");
  refused({"E: 0 0001 0300 1"}, "there is no type 01 code 300");
  refused({"E: 0 0002 0010 1"}, "there is no type 02 code 10");
}

TEST_CASE("an event that the head does not have is refused") {
  refused({"B: 01 00 00 00 40", "E: 0 0001 001e 1", "E: 0 0001 0030 1"}, "the head does not have type 01 code 30");
}

TEST_CASE("a bad head is refused") {
  refused({"I: 0003 046d c52b"}, "'I:' takes bus");
  refused({"I: 0003 046d c52b 1 2"}, "more than bus");
  refused({"I: 0003 046d c52b 10000"}, "'I:' takes bus");
  refused({"P: 100"}, "'P:' takes bytes");
  refused({"P: 00 00 00 00 01"}, "no property 20");
  refused({"B: 20 01"}, "'B:' takes an event type");
  refused({"B: 01 xx"}, "'B:' takes an event type");
  refused({"B:"}, "'B:' takes an event type");
  refused({"B: 02 00 00 01"}, "type 02 has no code 10");
  refused({"A: 40 0 1 0 0"}, "'A:' takes an axis");
  refused({"A: 00 0 1 0"}, "'A:' takes an axis");
  refused({"A: 00 0 1 0 0 0 0"}, "'A:' takes an axis");
  refused({"A: 00 2 1 0 0"}, "axis 00 ends before it begins");
  refused({"A: 2f 0 256 0 0"}, "fingers are counted from 0 to 255");
  refused({"A: 2f 1 9 0 0"}, "fingers are counted");
  refused({"B: 03 01", "E: 0 0000 0000 0"}, "axis 00 but no 'A:' line");
  refused({"E: 0 0000 0000 0", "N: late"}, "after the first event");
  refused({"E: 0 0000 0000 0", "B: 01 01"}, "after the first event");
}

TEST_CASE("a bitmap that never ends is refused") {
  input_text text;
  std::string line = "B: 01";
  for (int i = 0; i < 100; ++i) line += " 00";
  CHECK_NOTHROW(text.take(line));
  CHECK_THROWS_WITH(text.take(line), StartsWith("line 2: 'B:' takes"));
}

TEST_CASE("a report has a bound, and an end") {
  input_text text;
  for (std::size_t i = 0; i < input_report::entries_max; ++i) text.take("E: 0 0002 0000 1");
  CHECK_THROWS_WITH(text.take("E: 0 0002 0000 1"), ContainsSubstring("at most 256 events"));
  input_text open;
  open.take("E: 0 0001 001e 1");
  CHECK_THROWS_WITH(open.end(), ContainsSubstring("SYN_REPORT) is missing"));
  open.take("E: 0 0000 0000 0");
  CHECK_NOTHROW(open.end());
}

}  // namespace
}  // namespace vloop::test
