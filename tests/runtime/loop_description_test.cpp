// SPDX-License-Identifier: MIT
// What a loop says of itself in a log.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "runtime/loop.hpp"
#include "support/files.hpp"

using namespace vloop;
using namespace vloop::test;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("a loop that the kernel gave the best ring names its flags and no fallback") {
  const loop io;
  if (io.mode() != ring_mode::deferred) SKIP("this kernel has no deferred completions");

  REQUIRE(io.description() == "io_uring with SUBMIT_ALL|SINGLE_ISSUER|DEFER_TASKRUN|COOP_TASKRUN|TASKRUN_FLAG");
}

TEST_CASE("a loop without deferred completions says so and since when there are any") {
  const loop io(ring_in(ring_mode::cooperative));

  REQUIRE_THAT(io.description(), ContainsSubstring("fallback: no DEFER_TASKRUN (Linux 6.1)"));
  REQUIRE_THAT(io.description(), !ContainsSubstring("|DEFER_TASKRUN"));
}

TEST_CASE("a loop on the oldest kind of ring says so") {
  const loop io(ring_in(ring_mode::interrupting));

  REQUIRE_THAT(io.description(), ContainsSubstring("io_uring with no flags; fallback: no COOP_TASKRUN (Linux 5.19)"));
}
