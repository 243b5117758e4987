// SPDX-License-Identifier: MIT
#include "devices/input_state.hpp"

namespace vloop {

// Puts an entry into the report and into the state it is about, as long as there is room for SYN_REPORT behind it.
class input_state::writer {
 public:
  writer(input_state& state, input_report& out) : state_(state), out_(out) {}

  bool full() const { return out_.size() + 1 == approach_entries_max; }
  bool say(std::uint16_t type, std::uint16_t code, std::int32_t value) {
    if (full()) return false;
    const report_entry entry{.type = type, .code = code, .value = value};
    out_.add(entry);
    state_.apply(entry);
    return true;
  }

 private:
  input_state& state_;
  input_report& out_;
};

input_state::input_state(const input_capabilities& of) : of_(&of), fingers_(of.slots()) {
  for (finger& f : fingers_) f[ABS_MT_TRACKING_ID - finger_first] = no_finger;
}

void input_state::apply(const report_entry& entry) {
  constexpr std::int32_t repeated = 2;  // of a key: no change
  if (!of_->has(entry.type, entry.code)) return;
  if (entry.type == EV_KEY && entry.value != repeated) keys_[entry.code] = entry.value != 0;
  if (entry.type == EV_SW) switches_[entry.code] = entry.value != 0;
  if (entry.type != EV_ABS) return;
  if (entry.code == ABS_MT_SLOT) {
    slot_ = entry.value;
  } else if (!of_finger(entry.code)) {
    axes_[entry.code] = entry.value;
  } else if (slot_ >= 0 && static_cast<std::size_t>(slot_) < fingers_.size()) {
    fingers_[static_cast<std::size_t>(slot_)][entry.code - finger_first] = entry.value;
  }
}

input_state input_state::unlike(const input_state& other) {
  input_state result = other;
  result.keys_ = ~other.keys_ & other.of_->codes[EV_KEY];
  result.switches_ = ~other.switches_ & other.of_->codes[EV_SW];
  for (std::int32_t& value : result.axes_) value = ~value;
  for (finger& f : result.fingers_) {
    const bool first = f[ABS_MT_TRACKING_ID - finger_first] == 0;
    for (std::int32_t& value : f) value = ~value;
    f[ABS_MT_TRACKING_ID - finger_first] = first ? 1 : 0;  // another finger, never none
  }
  result.slot_ = ~other.slot_;
  return result;
}

bool input_state::approach(const input_state& target, input_report& out) {
  out.clear();
  writer w(*this, out);
  approach_keys(target, w);
  approach_axes(target, w);
  approach_fingers(target, w);
  if (out.size() == 0) return false;
  out.add({.type = EV_SYN, .code = SYN_REPORT, .value = 0});
  return true;
}

// Keys go up before others go down: no combination shows that nobody pressed.
void input_state::approach_keys(const input_state& target, writer& out) {
  const code_set wrong = keys_ ^ target.keys_;
  for (const bool down : {false, true})
    for (std::uint16_t code = 0; code < KEY_CNT && wrong.any(); ++code)
      if (wrong[code] && target.keys_[code] == down && !out.say(EV_KEY, code, down)) return;
  for (std::uint16_t code = 0; code < SW_CNT; ++code)
    if (switches_[code] != target.switches_[code] && !out.say(EV_SW, code, target.switches_[code])) return;
}

void input_state::approach_axes(const input_state& target, writer& out) {
  for (std::uint16_t code = 0; code < ABS_CNT; ++code) {
    if (code == ABS_MT_SLOT || of_finger(code) || !of_->codes[EV_ABS][code] || axes_[code] == target.axes_[code])
      continue;
    if (!out.say(EV_ABS, code, target.axes_[code])) return;
  }
}

void input_state::approach_fingers(const input_state& target, writer& out) {
  if (fingers_.empty()) return;
  for (std::size_t i = 0; i < fingers_.size(); ++i)
    if (!approach_finger(static_cast<std::int32_t>(i), target.fingers_[i], out)) return;
  if (slot_ != target.slot_) out.say(EV_ABS, ABS_MT_SLOT, target.slot_);
}

// A finger that is another than before first goes: readers take a new id for a new finger only then. The rest of it
// follows in the next report.
bool input_state::approach_finger(std::int32_t slot, const finger& target, writer& out) {
  constexpr std::size_t id = ABS_MT_TRACKING_ID - finger_first;
  const finger& now = fingers_[static_cast<std::size_t>(slot)];
  const auto say = [&](std::size_t which, std::int32_t value) {
    if (slot_ != slot && !out.say(EV_ABS, ABS_MT_SLOT, slot)) return false;
    return out.say(EV_ABS, static_cast<std::uint16_t>(finger_first + which), value);
  };
  if (of_->codes[EV_ABS][ABS_MT_TRACKING_ID] && now[id] != target[id]) {
    const bool exchanged = now[id] >= 0 && target[id] >= 0;
    if (!say(id, exchanged ? no_finger : target[id])) return false;
    if (exchanged) return true;
  }
  for (std::size_t which = 0; which < finger_codes; ++which)
    if (of_->codes[EV_ABS][finger_first + which] && now[which] != target[which] && !say(which, target[which]))
      return false;
  return true;
}

}  // namespace vloop
