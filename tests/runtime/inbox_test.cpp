// SPDX-License-Identifier: MIT
#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/inbox.hpp"

using namespace vloop;

TEST_CASE("only the job that makes an inbox non-empty asks for its owner to be woken") {
  inbox box;
  CHECK(box.put(make_job([] {})));
  CHECK_FALSE(box.put(make_job([] {})));
  CHECK(box.run_all() == 2);
  CHECK(box.put(make_job([] {})));
}

TEST_CASE("the owner is woken before it can take the job, and not again while it has not taken it") {
  inbox box;
  std::atomic<std::size_t> taken = 0;
  unsigned wakes = 0;
  std::thread owner;
  box.put(make_job([] {}), [&] {
    owner = std::thread([&] { taken = box.run_all(); });
    // Whoever takes the job may end with it, and what wakes it is gone then: not while we are here.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(taken == 0);
    ++wakes;
  });
  owner.join();
  CHECK(taken == 1);
  box.put(make_job([] {}), [&wakes] { ++wakes; });
  box.put(make_job([] {}), [&wakes] { ++wakes; });
  CHECK(wakes == 2);
}

TEST_CASE("jobs run in the order in which they came") {
  inbox box;
  std::string log;
  for (const char name : {'a', 'b', 'c'}) box.put(make_job([&log, name] { log += name; }));
  box.run_all();
  CHECK(log == "abc");
}

TEST_CASE("a job may own what only moves") {
  inbox box;
  int seen = 0;
  box.put(make_job([&seen, value = std::make_unique<int>(3)] { seen = *value; }));
  box.run_all();
  CHECK(seen == 3);
}

TEST_CASE("a job that posts again waits for the next round") {
  inbox box;
  int runs = 0;
  box.put(make_job([&] {
    ++runs;
    box.put(make_job([&] { ++runs; }));
  }));
  CHECK(box.run_all() == 1);
  CHECK(runs == 1);
  CHECK(box.run_all() == 1);
  CHECK(runs == 2);
}

TEST_CASE("an inbox with a hundred thousand jobs is dropped without running them") {
  bool ran = false;
  {
    inbox box;
    for (int i = 0; i < 100'000; ++i) box.put(make_job([&ran] { ran = true; }));
  }
  CHECK_FALSE(ran);
}

TEST_CASE("jobs of four threads all run") {
  inbox box;
  std::array<int, 4> counts{};
  std::vector<std::thread> posters;
  for (std::size_t t = 0; t < counts.size(); ++t) {
    posters.emplace_back([&box, &counts, t] {
      for (int i = 0; i < 1000; ++i) box.put(make_job([&counts, t] { ++counts[t]; }));
    });
  }
  std::size_t ran = 0;
  while (ran < 4000) ran += box.run_all();
  for (auto& poster : posters) poster.join();
  for (const int count : counts) CHECK(count == 1000);
}
