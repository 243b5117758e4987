// SPDX-License-Identifier: MIT
// How long after an event was injected into a uinput device its reader has it: of the device's own node, and of the
// node of a mirror of another such device. Part of bench/input; see there.
//
//   input_latency RATES REPORTS ROUNDS
// It prints "source NODE", the one to mirror, and reads the mirror's node from its standard input. Then facts, a line
// for each round, rate (reports a second) and peer (uinput, vloop), in nanoseconds:
//   latency ROUND RATE PEER MEDIAN P99 MAX
// and "done". The devices stay until its input ends.
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <semaphore>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "event_node.hpp"
#include "virtual_device.hpp"

namespace {

using clock_type = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr int wait_seconds = 30;

// An interrupt injects and is gone. We go on running, and on one processor whoever we woke would sometimes have to wait
// for that, as the scheduler pleases; so all others come first.
void be_no_obstacle() {
  const sched_param none{};
  if (::sched_setscheduler(0, SCHED_IDLE | SCHED_RESET_ON_FORK, &none) != 0)
    throw std::runtime_error(std::string("SCHED_IDLE: ") + std::strerror(errno));
}

// Tells reports at a rate; another thread, which sleeps until the kernel wakes it, reads them.
class course {
 public:
  course(const virtual_device& from, const std::string& node) : from_(from), reader_(node) {}

  std::vector<nanoseconds> run(unsigned rate, unsigned reports) {
    latencies_.clear();
    latencies_.reserve(reports);
    std::thread reading([this, reports] { read(reports); });
    auto due = clock_type::now();
    for (unsigned i = 0; i < reports && !failure_there_; ++i) {
      due += nanoseconds(std::chrono::seconds(1)) / rate;
      std::this_thread::sleep_until(due);
      const event report[]{{EV_REL, REL_X, static_cast<std::int32_t>(i % 50) + 1}, {EV_SYN, SYN_REPORT, 0}};
      injected_ = clock_type::now().time_since_epoch().count();
      from_.tell(report);
      was_read_.acquire();
    }
    reading.join();
    if (failure_) std::rethrow_exception(failure_);
    return latencies_;
  }

 private:
  void read(unsigned reports) {
    try {
      for (unsigned i = 0; i < reports; ++i) {
        while (reader_.next(wait_seconds).type != EV_SYN) continue;
        latencies_.push_back(clock_type::now().time_since_epoch() - clock_type::duration(injected_.load()));
        was_read_.release();
      }
    } catch (...) {
      failure_ = std::current_exception();
      failure_there_ = true;
      was_read_.release();
    }
  }

  const virtual_device& from_;
  event_node reader_;
  std::atomic<clock_type::rep> injected_{0};
  std::binary_semaphore was_read_{0};
  std::vector<nanoseconds> latencies_;
  std::atomic<bool> failure_there_{false};
  std::exception_ptr failure_;
};

void print(unsigned round, unsigned rate, const char* peer, std::vector<nanoseconds> latencies) {
  std::ranges::sort(latencies);
  const auto at = [&latencies](std::size_t percent) {
    return static_cast<long long>(latencies[std::min(latencies.size() * percent / 100, latencies.size() - 1)].count());
  };
  std::printf("latency %u %u %s %lld %lld %lld\n", round, rate, peer, at(50), at(99), at(100));
  std::fflush(stdout);
}

void measure(const std::vector<unsigned>& rates, unsigned reports, unsigned rounds) {
  const virtual_device direct("mixed");
  const virtual_device source("mixed");
  std::printf("source %s\n", source.node().c_str());
  std::fflush(stdout);
  std::string mirror;
  if (!std::getline(std::cin, mirror)) throw std::runtime_error("no node of a mirror was named");
  be_no_obstacle();
  course uinput(direct, direct.node());
  course vloop(source, mirror);
  // What is done for the first time is not what takes time later.
  uinput.run(rates.front(), 50);
  vloop.run(rates.front(), 50);
  for (unsigned round = 1; round <= rounds; ++round) {
    for (const unsigned rate : rates) {
      print(round, rate, "uinput", uinput.run(rate, reports));
      print(round, rate, "vloop", vloop.run(rate, reports));
    }
  }
  std::puts("done");
  std::fflush(stdout);
  while (std::getline(std::cin, mirror)) continue;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: input_latency RATE[,RATE]... REPORTS ROUNDS\n");
    return 2;
  }
  try {
    std::vector<unsigned> rates;
    std::istringstream words(argv[1]);
    for (std::string word; std::getline(words, word, ',');) rates.push_back(static_cast<unsigned>(std::stoul(word)));
    measure(rates, static_cast<unsigned>(std::stoul(argv[2])), static_cast<unsigned>(std::stoul(argv[3])));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "input_latency: %s\n", error.what());
    return 1;
  }
}
