// SPDX-License-Identifier: MIT
#include "event_script.hpp"

#include "virtual_device.hpp"

namespace {

constexpr std::uint32_t events_max = 5;  // of one report, without its end

}  // namespace

event event_script::any_event() {
  switch (below(8)) {
    case 0:
    case 1:
      return {EV_REL, static_cast<std::uint16_t>(below(2) ? REL_X : REL_Y), static_cast<std::int32_t>(below(100)) + 1};
    case 2:
      return {EV_REL, REL_WHEEL, below(2) ? 1 : -1};
    case 3:
      x_ = (x_ + 1 + static_cast<std::int32_t>(below(mixed_axis_max))) % (mixed_axis_max + 1);
      return {EV_ABS, ABS_X, x_};
    case 4:
      y_ = (y_ + 1 + static_cast<std::int32_t>(below(mixed_axis_max))) % (mixed_axis_max + 1);
      return {EV_ABS, ABS_Y, y_};
    case 5:
      lid_ = !lid_;
      return {EV_SW, SW_LID, lid_};
    default: {
      const auto code = static_cast<std::uint16_t>(KEY_A + below(20));
      const bool pressed = down_.insert(code).second;
      if (!pressed) down_.erase(code);
      return {EV_KEY, code, pressed};
    }
  }
}

// A code comes once in a report.
std::vector<event> event_script::next_report() {
  std::vector<event> report;
  std::set<std::pair<std::uint16_t, std::uint16_t>> used;
  for (std::uint32_t left = 1 + below(events_max); left > 0; --left) {
    const auto before = *this;
    const event made_up = any_event();
    if (used.insert({made_up.type, made_up.code}).second) {
      report.push_back(made_up);
    } else {
      const auto random = random_;
      *this = before;
      random_ = random;
    }
  }
  report.push_back({EV_SYN, SYN_REPORT, 0});
  return report;
}
