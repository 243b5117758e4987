// SPDX-License-Identifier: MIT
// How the entropy device behaves, over every transport.
#include "devices/rng.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "runtime/setup_error.hpp"
#include "support/any_transport.hpp"
#include "support/rig.hpp"
#include "support/temporary_file.hpp"

namespace vloop::test {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

// A FIFO: a source that has nothing until the test writes to it.
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
  std::string path = "vloop-test-fifo-" + std::to_string(::getpid());
  int fd = -1;
};

TEST_CASE("random bytes fill what the driver offers, and differ") {
  rng device({});
  const auto rig = any_transport().make(device, {});
  driver& d = rig->queue(0);
  std::set<std::vector<std::byte>> seen;
  for (int i = 0; i < 100; ++i) {
    const auto a = d.finish(d.submit({}, 64));
    CHECK(a.written == 64);
    seen.emplace(a.writable.begin(), a.writable.end());
  }
  CHECK(seen.size() == 100);
}

TEST_CASE("a large buffer gets some bytes, and the length says how many") {
  rng device({});
  const auto rig = any_transport().make(device, {});
  driver& d = rig->queue(0);
  const auto a = d.finish(d.submit({}, 20000));
  CHECK(a.written == 4096);
  CHECK(std::ranges::all_of(a.writable.subspan(4096), [](std::byte b) { return b == std::byte{0xee}; }));
}

TEST_CASE("several requests in flight are all answered") {
  rng device({});
  const auto rig = any_transport().make(device, {});
  driver& d = rig->queue(0);
  std::vector<driver::ticket> tickets;
  for (int i = 0; i < 8; ++i) tickets.push_back(d.submit({}, 16));
  for (const auto t : tickets) CHECK(d.finish(t).written == 16);
}

TEST_CASE("a source that has nothing yet delays the answer, which is never empty") {
  fifo source;
  rng device({.source = source.path});
  const auto rig = any_transport().make(device, {});
  driver& d = rig->queue(0);
  const auto t = d.submit({}, 16);
  std::this_thread::sleep_for(60ms);  // several attempts of the device
  CHECK_FALSE(d.finished(t));
  REQUIRE(::write(source.fd, "abc", 3) == 3);
  const auto a = d.finish(t);
  CHECK(a.written == 3);
  CHECK(a.writable[2] == std::byte{'c'});
}

TEST_CASE("a source that fails delays the answer, and stop answers it all the same") {
  temporary_file empty(0);  // always at its end
  rng device({.source = empty.path()});
  const auto rig = any_transport_but("vhost-user").make(device, {});
  driver& d = rig->queue(0);
  const auto t = d.submit({}, 16);
  std::this_thread::sleep_for(30ms);
  CHECK_FALSE(d.finished(t));
  const auto before = std::chrono::steady_clock::now();
  rig->stop();
  CHECK(std::chrono::steady_clock::now() - before < 1s);
  CHECK(d.finish(t).written == 16);
}

TEST_CASE("a request with nothing writable is given back, and the next one works") {
  rng device({});
  const auto rig = any_transport().make(device, {});
  driver& d = rig->queue(0);
  CHECK(d.finish(d.submit(pattern(4, 1), 0)).written == 0);
  CHECK(d.finish(d.submit({}, 8)).written == 8);
}

TEST_CASE("a source that is missing or a directory is refused in one line") {
  CHECK_THROWS_WITH(rng({.source = "/nowhere/random"}),
                    ContainsSubstring("/nowhere/random") && ContainsSubstring("No such file"));
  CHECK_THROWS_WITH(rng({.source = "/tmp"}), ContainsSubstring("Is a directory"));
}

}  // namespace
}  // namespace vloop::test
