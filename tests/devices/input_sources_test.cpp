// SPDX-License-Identifier: MIT
// Sources of input events that need no hardware: the synthetic ones, files and pipes.
#include "devices/input.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "support/any_transport.hpp"
#include "support/input_driver.hpp"
#include "support/rig.hpp"
#include "support/temporary_file.hpp"

namespace vloop::test {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using report = input_driver::report;

// Reports that only say that keys are up come first, and are passed over.
report next_words(input_driver& events) {
  for (;;) {
    report r = events.next_report();
    if (!std::ranges::all_of(r, [](const report_entry& e) { return e.type == EV_KEY && e.value == 0; })) return r;
  }
}

// ---- synthetic ----

std::vector<report> synthetic(synthetic_kind kind, std::uint64_t count) {
  std::vector<report> all;
  input_report r;
  for (std::uint64_t i = 0; i < count; ++i) {
    synthetic_report(kind, i, r);
    REQUIRE(r.whole());
    all.emplace_back(r.entries().begin(), r.entries().end() - 1);
  }
  return all;
}

TEST_CASE("the synthetic mouse comes back to where it began") {
  int x = 0, y = 0;
  for (const report& r : synthetic(synthetic_kind::mouse, 256)) {
    for (const report_entry& e : r) (e.code == REL_X ? x : y) += e.value;
    CHECK((x >= 0 && y >= 0 && x <= 64 && y <= 64));
  }
  CHECK(x == 0);
  CHECK(y == 0);
}

TEST_CASE("the synthetic keyboard presses and releases each key in turn") {
  const auto all = synthetic(synthetic_kind::keyboard, 54);
  for (std::size_t i = 0; i < all.size(); i += 2) {
    REQUIRE(all[i].size() == 1);
    CHECK(all[i][0].value == 1);
    CHECK(all[i + 1] == report{key(all[i][0].code, 0)});
  }
  CHECK(all[0] == report{key(KEY_A, 1)});
  CHECK(all[52] == report{key(KEY_ENTER, 1)});
  CHECK(synthetic(synthetic_kind::keyboard, 55)[54] == all[0]);
}

TEST_CASE("a synthetic source tells its reports, as many as asked for, at its rate") {
  const auto kind = GENERATE(synthetic_kind::mouse, synthetic_kind::keyboard);
  input device({.source = synthetic_options{.kind = kind, .rate = 500, .count = 100}});
  const auto before = std::chrono::steady_clock::now();
  const auto rig = any_transport().make(device, {});
  input_driver events(rig->queue(input::event_queue), 64);
  const auto expected = synthetic(kind, 100);
  CHECK(next_words(events) == expected[0]);
  for (std::size_t i = 1; i < expected.size(); ++i) CHECK(events.next_report() == expected[i]);
  CHECK(std::chrono::steady_clock::now() - before >= 199ms);  // the hundredth is due after 200 ms
  std::this_thread::sleep_for(10ms);
  CHECK_FALSE(events.anything());
  CHECK(device.counters().dropped == 0);
}

TEST_CASE("a device that has nothing to tell uses no processor time") {
  input device({.source = synthetic_options{.rate = 1000, .count = 1}});
  const auto rig = any_transport().make(device, {});
  input_driver events(rig->queue(input::event_queue), 64);
  next_words(events);
  timespec before{}, after{};
  rig->on_worker([&before] { ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before); });
  std::this_thread::sleep_for(300ms);
  rig->on_worker([&after] { ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after); });
  const auto used = (after.tv_sec - before.tv_sec) * 1'000'000'000LL + after.tv_nsec - before.tv_nsec;
  CHECK(used < 3'000'000);  // 1 %, of which waking up twice to answer the test is most
}

// ---- files ----

struct text_file : temporary_file {
  explicit text_file(const std::string& text) : temporary_file(0) { write(0, std::as_bytes(std::span(text))); }
};

const std::string mouse_head =
    "N: A recorded mouse\nI: 0003 046d c52b 0111\nB: 01 00 00 00 00 00 00 00 00\n"
    "B: 02 03 00 00 00 00 00 00 00\n";

std::string event_line(const std::string& time, const report_entry& e) {
  char text[64];
  std::snprintf(text, sizeof text, " %04x %04x %d\n", e.type, e.code, e.value);
  return "E: " + time + text;
}

TEST_CASE("a file's events are told in order, and its head tells what the device is") {
  std::string text = mouse_head;
  for (int i = 0; i < 5000; ++i)
    text += event_line("0.0", moved(REL_X, i)) + event_line("0.0", moved(REL_Y, -i)) + event_line("0.0", {});
  text_file file(text);
  input device({.source = event_text_options{file.path()}});
  const auto rig = any_transport().make(device, {});
  input_driver events(rig->queue(input::event_queue), 16);
  for (int i = 0; i < 5000; ++i) REQUIRE(events.next_report() == report{moved(REL_X, i), moved(REL_Y, -i)});
  CHECK(device.counters().dropped == 0);
  const auto& page = device.describe().pages.front();
  CHECK(std::string(reinterpret_cast<const char*>(page.bytes.data()), page.bytes.size()) == "A recorded mouse");
}

TEST_CASE("a file's events keep their distances, and those that are late come at once") {
  text_file file(event_line("5.000000", moved(REL_X, 1)) + event_line("5.000000", {}) +  //
                 event_line("5.150000", moved(REL_X, 2)) + event_line("5.150000", {}) +  //
                 event_line("1.000000", moved(REL_X, 3)) + event_line("1.000000", {}));
  input device({.source = event_text_options{file.path()}});
  const auto rig = any_transport().make(device, {});
  input_driver events(rig->queue(input::event_queue), 16);
  CHECK(events.next_report() == report{moved(REL_X, 1)});
  const auto first = std::chrono::steady_clock::now();
  CHECK(events.next_report() == report{moved(REL_X, 2)});
  const auto distance = std::chrono::steady_clock::now() - first;
  CHECK(distance > 100ms);  // we may have looked late at the first one
  CHECK(events.next_report() == report{moved(REL_X, 3)});
}

TEST_CASE("a file without a head makes the device that its events need; its last line may lack a line break") {
  std::string text = event_line("0", key(KEY_A, 1)) + event_line("0", {});
  text.pop_back();
  text_file file(text);
  input device({.source = event_text_options{file.path()}});
  const auto rig = any_transport().make(device, {});
  input_driver events(rig->queue(input::event_queue), 16);
  CHECK(next_words(events) == report{key(KEY_A, 1)});
  CHECK(events.next_report() == report{key(KEY_A, 0)});  // the file's end leaves no key down
}

TEST_CASE("a stop does not wait for an event that is due in an hour") {
  text_file file(event_line("0", moved(REL_X, 1)) + event_line("0", {}) + event_line("3600", moved(REL_X, 2)) +
                 event_line("3600", {}));
  input device({.source = event_text_options{file.path()}});
  const auto rig = any_transport().make(device, {});
  input_driver events(rig->queue(input::event_queue), 16);
  CHECK(events.next_report() == report{moved(REL_X, 1)});
  const auto before = std::chrono::steady_clock::now();
  rig->stop();
  CHECK(std::chrono::steady_clock::now() - before < 5s);
}

TEST_CASE("a bad file is refused before there is a device, with its line") {
  const auto refused = [](const std::string& text, const std::string& why) {
    text_file file(text);
    CHECK_THROWS_WITH(input({.source = event_text_options{file.path()}}),
                      ContainsSubstring(file.path()) && ContainsSubstring(why) && !ContainsSubstring("\n"));
  };
  refused("E: 0 0002 0000 1\nE: 0 0000 0000 0\nnonsense\n", "line 3: not a letter and a colon");
  refused("E: 0 0002 0000 1\n", "line 1: the last report does not end");
  refused("", "has no event");
  refused("# nothing\n", "has no event");
  refused(std::string(10'000, 'x'), "line 1: longer than 1024 bytes");
  refused(std::string(100, '\0'), "line 1: not a letter");
}

TEST_CASE("a file that is missing or a directory is refused in one line") {
  CHECK_THROWS_WITH(input({.source = event_text_options{"/nowhere/events"}}),
                    ContainsSubstring("/nowhere/events") && ContainsSubstring("No such file"));
  CHECK_THROWS_WITH(input({.source = event_text_options{"/tmp"}}), ContainsSubstring("Is a directory"));
}

// ---- pipes ----

struct fifo {
  fifo() {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(fd >= 0);
  }
  ~fifo() {
    ::close(fd);
    ::unlink(path.c_str());
  }
  void write(const std::string& text) const {
    REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  std::string path = "vloop-test-events-" + std::to_string(::getpid());
  int fd = -1;
};

TEST_CASE("events come through a pipe as they are written, in whatever pieces") {
  fifo pipe;
  pipe.write(mouse_head + "\n");
  input device({.source = event_text_options{pipe.path}});
  const auto rig = any_transport().make(device, {});
  input_driver events(rig->queue(input::event_queue), 16);
  pipe.write(event_line("0", moved(REL_X, 1)) + "E: 0 00");
  std::this_thread::sleep_for(20ms);
  CHECK_FALSE(events.anything());
  pipe.write("00 0000 0\n");
  CHECK(events.next_report() == report{moved(REL_X, 1)});
  pipe.write(event_line("0", moved(REL_Y, 2)) + event_line("0", {}) + event_line("0", moved(REL_Y, 3)) +
             event_line("0", {}));
  CHECK(events.next_report() == report{moved(REL_Y, 2)});
  CHECK(events.next_report() == report{moved(REL_Y, 3)});
  rig->stop();  // though the pipe is open
}

TEST_CASE("the first event ends a pipe's head and is not lost") {
  fifo pipe;
  pipe.write(mouse_head + event_line("0", moved(REL_X, 1)) + event_line("0", {}));
  input device({.source = event_text_options{pipe.path}});
  const auto rig = any_transport().make(device, {});
  input_driver events(rig->queue(input::event_queue), 16);
  CHECK(events.next_report() == report{moved(REL_X, 1)});
}

TEST_CASE("a pipe that begins with events, without a head, is refused") {
  fifo pipe;
  pipe.write(event_line("0", moved(REL_X, 1)));
  CHECK_THROWS_WITH(input({.source = event_text_options{pipe.path}}), ContainsSubstring("has no head"));
}

TEST_CASE("a bad head in a pipe is refused with its line") {
  fifo pipe;
  pipe.write("N: a\nB: 03 01\n\n");
  CHECK_THROWS_WITH(input({.source = event_text_options{pipe.path}}),
                    ContainsSubstring("line 3: the head has axis 00"));
}

// ---- event devices ----

TEST_CASE("what is no event device is refused in one line that says what is") {
  CHECK_THROWS_WITH(input({.source = evdev_options{"/dev/input/event9999"}}),
                    ContainsSubstring("/dev/input/event9999") && ContainsSubstring("No such file") &&
                        ContainsSubstring("synthetic:mouse"));
  CHECK_THROWS_WITH(input({.source = evdev_options{"/dev/null"}}), ContainsSubstring("/dev/null is no event device"));
  text_file file("N: a\n");
  CHECK_THROWS_WITH(input({.source = evdev_options{file.path()}}), ContainsSubstring("events:PATH"));
}

}  // namespace
}  // namespace vloop::test
