// SPDX-License-Identifier: MIT
#include "bench/write_permission.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

#include "support/temporary_file.hpp"

using namespace vloop;
using namespace vloop::bench;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
using vloop::test::temporary_file;

namespace {

void refused(const std::string& path, bool may_destroy, const std::string& why) {
  REQUIRE_THROWS_MATCHES(claim_for_writing(path, may_destroy), std::system_error,
                         MessageMatches(ContainsSubstring(why)));
  REQUIRE_THROWS_MATCHES(claim_for_writing(path, may_destroy), std::system_error,
                         MessageMatches(ContainsSubstring(path)));
}

// A block device that a file system of this machine is on.
std::optional<std::string> mounted_device() {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::string device;
    std::istringstream(line) >> device;
    struct stat st {};
    if (::stat(device.c_str(), &st) == 0 && S_ISBLK(st.st_mode)) return device;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("a file that is nothing but a hole may be written to without a word") {
  const temporary_file file(1 << 20);
  CHECK_NOTHROW(claim_for_writing(file.path(), false));
}

TEST_CASE("a file with contents is written to only with permission") {
  const temporary_file file(1 << 20);
  file.write(4096, test::pattern(4096, 1));
  ::fsync(file.fd());  // its blocks are counted then
  refused(file.path(), false, "--destroy");
  CHECK_NOTHROW(claim_for_writing(file.path(), true));
}

TEST_CASE("a path that is not there is left to whoever opens it") {
  CHECK_NOTHROW(claim_for_writing("no-such-file", false));
}

TEST_CASE("of several paths that are one file, one question is asked, and any refusal is a refusal") {
  const temporary_file hole(1 << 20);
  const temporary_file full(1 << 20);
  full.write(0, test::pattern(4096, 1));
  ::fsync(full.fd());
  CHECK_NOTHROW(claim_for_writing({hole.path(), "./" + hole.path(), hole.path()}, false));
  CHECK_THROWS_AS(claim_for_writing({hole.path(), full.path()}, false), std::system_error);
}

// Only ever claimed, never written to.
TEST_CASE("a mounted block device is refused whatever is permitted") {
  const auto device = mounted_device();
  if (!device) SKIP("no file system of this machine is on a block device");
  refused(*device, false, "mounted");
  refused(*device, true, "mounted");
}
