// SPDX-License-Identifier: MIT
#include "devices/input_synthetic.hpp"

#include <array>

namespace vloop {
namespace {

using namespace std::chrono_literals;

constexpr auto late_max = 1s;  // after a pause of the process or the machine, what was missed is not made up for
constexpr std::uint64_t square_side = 64;

// As they lie on the keyboard, so that the codes are no simple sequence.
constexpr std::array<std::uint16_t, 27> typed{KEY_A, KEY_B, KEY_C, KEY_D, KEY_E, KEY_F, KEY_G, KEY_H, KEY_I,
                                              KEY_J, KEY_K, KEY_L, KEY_M, KEY_N, KEY_O, KEY_P, KEY_Q, KEY_R,
                                              KEY_S, KEY_T, KEY_U, KEY_V, KEY_W, KEY_X, KEY_Y, KEY_Z, KEY_ENTER};

input_capabilities capabilities_of(synthetic_kind kind) {
  input_capabilities c;
  c.ids = {.bustype = BUS_VIRTUAL, .vendor = 0, .product = static_cast<std::uint16_t>(kind), .version = 1};
  if (kind == synthetic_kind::mouse) {
    c.name = "vloop synthetic mouse";
    for (const auto code : {REL_X, REL_Y, REL_WHEEL}) c.codes[EV_REL].set(code);
    for (const auto code : {BTN_LEFT, BTN_RIGHT, BTN_MIDDLE}) c.codes[EV_KEY].set(code);
  } else {
    c.name = "vloop synthetic keyboard";
    for (std::size_t code = KEY_ESC; code <= KEY_KPDOT; ++code) c.codes[EV_KEY].set(code);
    for (const auto code : {LED_NUML, LED_CAPSL, LED_SCROLLL}) c.codes[EV_LED].set(code);
  }
  return c;
}

}  // namespace

void synthetic_report(synthetic_kind kind, std::uint64_t number, input_report& out) {
  out.clear();
  if (kind == synthetic_kind::mouse) {
    const std::uint64_t side = number / square_side % 4;  // right, down, left, up
    out.add({.type = EV_REL,
             .code = static_cast<std::uint16_t>(side % 2 == 0 ? REL_X : REL_Y),
             .value = side < 2 ? 1 : -1});
  } else {
    out.add({.type = EV_KEY, .code = typed[number / 2 % typed.size()], .value = number % 2 == 0});
  }
  out.add({.type = EV_SYN, .code = SYN_REPORT, .value = 0});
}

synthetic_source::synthetic_source(const synthetic_options& options)
    : options_(options),
      capabilities_(capabilities_of(options.kind)),
      label_(options.kind == synthetic_kind::mouse ? "synthetic:mouse" : "synthetic:keyboard") {}

void synthetic_source::start(input_state&) {
  wait_.start();
  due_ = clock::now();
}

// Due times are counted on, not measured from the last report: the rate holds whatever a report takes.
task<next_input> synthetic_source::next(loop& io, input_report& out) {
  if (options_.count != 0 && number_ == options_.count) co_return next_input::ended;
  due_ += std::chrono::nanoseconds(1s) / options_.rate;
  const clock::time_point now = clock::now();
  if (due_ < now - late_max) due_ = now;
  if (due_ > now) {
    operation pause = io.sleep(due_ - now);
    co_await wait_.until(pause);
  } else {
    co_await io.next_turn();
  }
  if (wait_.stopped()) co_return next_input::ended;
  synthetic_report(options_.kind, number_++, out);
  co_return next_input::report;
}

task<void> synthetic_source::stop(loop& io) {
  co_await wait_.stop(io);
}

}  // namespace vloop
