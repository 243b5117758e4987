// SPDX-License-Identifier: MIT
// A virtual event device that does what it is told, a line at a time, and answers each with a line: "ok ..." or why
// not.
//
//   vloop-input mixed|keyboard|touch [SEED]     answers "ok /dev/input/eventN" when it is there
//   compare NODE COUNT     tells COUNT events; NODE must show the very same, complete and in order
//   burst REPORTS          tells that many at once, and waits for nobody
//   stream MS              tells reports for so long, with pauses
//   tell TYPE CODE VALUE   one event and SYN_REPORT, decimal
//   fingers                touches, moves and lifts some
//   same NODE              waits until keys, switches and axes of NODE are those of the device
//   state NODE             says them
//   light NODE CODE VALUE  switches an LED at NODE and waits until the device hears of it
//   unplug                 the device is gone, and this program too, as at the end of its input
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "event_node.hpp"
#include "event_script.hpp"
#include "virtual_device.hpp"

namespace {

using namespace std::chrono_literals;

// Under emulation, on a busy machine, a process may not run for seconds.
constexpr int wait_seconds = 60;
constexpr std::size_t events_under_way_max = 40;  // the kernel has room for 64 between two looks of a reader

std::string text_of(const event& e) {
  return std::to_string(e.type) + "/" + std::to_string(e.code) + "/" + std::to_string(e.value);
}

class performer {
 public:
  performer(const std::string& kind, std::uint64_t seed) : device_(kind), script_(seed) {}
  const std::string& node() const { return device_.node(); }

  std::string perform(const std::string& line) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    const auto found = commands_.find(name);
    if (found == commands_.end()) throw std::runtime_error("unknown command " + name);
    return found->second(words);
  }

 private:
  template <class T>
  static T word(std::istream& words) {
    T value{};
    if (!(words >> value)) throw std::runtime_error("a word is missing");
    return value;
  }

  std::string compare(std::istream& words) {
    event_node reader(word<std::string>(words));
    const auto count = word<std::size_t>(words);
    std::deque<event> expected;
    std::size_t told = 0, seen = 0;
    while (told < count || !expected.empty()) {
      while (told < count && expected.size() < events_under_way_max) {
        const auto report = script_.next_report();
        device_.tell(report);
        expected.insert(expected.end(), report.begin(), report.end());
        told += report.size();
      }
      const event now = reader.next(wait_seconds);
      if (now != expected.front())
        throw std::runtime_error("event " + std::to_string(seen) + " is " + text_of(now) + " instead of " +
                                 text_of(expected.front()));
      expected.pop_front();
      ++seen;
    }
    return std::to_string(seen);
  }

  std::string burst(std::istream& words) {
    for (auto left = word<std::size_t>(words); left > 0; --left) device_.tell(script_.next_report());
    return {};
  }

  std::string stream(std::istream& words) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(word<unsigned>(words));
    std::size_t reports = 0;
    while (std::chrono::steady_clock::now() < end) {
      for (int i = 0; i < 5; ++i, ++reports) device_.tell(script_.next_report());
      std::this_thread::sleep_for(2ms);
    }
    return std::to_string(reports);
  }

  std::string tell(std::istream& words) {
    event e;
    e.type = word<std::uint16_t>(words);
    e.code = word<std::uint16_t>(words);
    e.value = word<std::int32_t>(words);
    const event report[]{e, {}};
    device_.tell(report);
    return {};
  }

  std::string fingers(std::istream&) {
    const auto finger = [this](int slot, int id, int x, int y) {
      const event report[]{{EV_ABS, ABS_MT_SLOT, slot},
                           {EV_ABS, ABS_MT_TRACKING_ID, id},
                           {EV_ABS, ABS_MT_POSITION_X, x},
                           {EV_ABS, ABS_MT_POSITION_Y, y},
                           {}};
      device_.tell(report);
    };
    finger(0, 7, 100, 200);
    finger(3, 8, 300, 400);
    finger(5, 9, 500, 600);
    finger(0, -1, 0, 0);
    return {};
  }

  // States may differ for a moment; `same` is what they come to.
  std::string same(std::istream& words) {
    const event_node mirrored(word<std::string>(words));
    const event_node own(device_.node());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(wait_seconds);
    while (own.state() != mirrored.state()) {
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error("'" + mirrored.state() + "' instead of '" + own.state() + "'");
      std::this_thread::sleep_for(10ms);
    }
    return mirrored.state();
  }

  std::string state(std::istream& words) { return event_node(word<std::string>(words)).state(); }

  std::string light(std::istream& words) {
    const event_node node(word<std::string>(words));
    event e{EV_LED, 0, 0};
    e.code = word<std::uint16_t>(words);
    e.value = word<std::int32_t>(words);
    node.write(e);
    const event heard = device_.heard(wait_seconds);
    if (heard != e) throw std::runtime_error("heard " + text_of(heard) + " instead of " + text_of(e));
    return {};
  }

  virtual_device device_;
  event_script script_;
  using command = std::function<std::string(std::istream&)>;
  const std::map<std::string, command> commands_{
      {"compare", [this](std::istream& w) { return compare(w); }},
      {"burst", [this](std::istream& w) { return burst(w); }},
      {"stream", [this](std::istream& w) { return stream(w); }},
      {"tell", [this](std::istream& w) { return tell(w); }},
      {"fingers", [this](std::istream& w) { return fingers(w); }},
      {"same", [this](std::istream& w) { return same(w); }},
      {"state", [this](std::istream& w) { return state(w); }},
      {"light", [this](std::istream& w) { return light(w); }},
  };
};

void answer(const std::string& text) {
  std::puts(text.c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: vloop-input mixed|keyboard|touch [SEED]\n");
    return 2;
  }
  try {
    performer one(argv[1], argc > 2 ? std::stoull(argv[2]) : 1);
    answer("ok " + one.node());
    for (std::string line; std::getline(std::cin, line) && line != "unplug";) {
      try {
        answer("ok " + one.perform(line));
      } catch (const std::exception& error) {
        answer(line + ": " + error.what());
      }
    }
  } catch (const std::exception& error) {
    answer(error.what());
    return 1;
  }
}
