// SPDX-License-Identifier: MIT
#include <catch2/catch_test_macros.hpp>

#include "runtime/idle_spin.hpp"

using namespace vloop;
using namespace std::chrono_literals;

TEST_CASE("a limit of zero never spins") {
  idle_spin spin{0ns};
  spin.woken_after(0ns);
  CHECK_FALSE(spin.on());
  CHECK(spin.budget() == 0ns);
}

TEST_CASE("the budget never exceeds its limit however well it pays") {
  idle_spin spin{50us};
  for (int i = 0; i < 100; ++i) spin.woken_after(1us);
  CHECK(spin.budget() == 50us);
}

TEST_CASE("the budget halves with each sleep that was longer than the limit, down to nothing") {
  idle_spin spin{16us};
  spin.woken_after(1s);
  CHECK(spin.budget() == 8us);
  spin.woken_after(1s);
  CHECK(spin.budget() == 4us);
  for (int i = 0; i < 3; ++i) spin.woken_after(1s);
  CHECK(spin.budget() == 0us);
}

TEST_CASE("a budget of nothing grows again when work came soon after the loop went to sleep") {
  idle_spin spin{16us};
  for (int i = 0; i < 10; ++i) spin.woken_after(1s);
  REQUIRE(spin.budget() == 0us);
  spin.woken_after(10us);
  CHECK(spin.budget() == 1us);
  spin.woken_after(10us);
  CHECK(spin.budget() == 2us);
}
