// SPDX-License-Identifier: MIT
#include "devices/input_sender.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace vloop {

using counts = input_counters;

// Nobody knows what a driver was told by a server before this one, so it is told everything.
input_sender::input_sender(queue& to, const input_capabilities& of, input_counters& counters)
    : to_(to), of_(of), counters_(counters), seen_(of), told_(input_state::unlike(seen_)), resets_(to.resets()) {}

// LEDs, sounds and repeat rates are the driver's to set: to echo them would make it and the source chase each other.
// The driver repeats keys itself if it knows that the device does.
bool input_sender::is_served(const report_entry& entry) const {
  constexpr std::int32_t repeated = 2;
  switch (entry.type) {
    case EV_SYN:
      return entry.code == SYN_REPORT || entry.code == SYN_MT_REPORT;
    case EV_KEY:
      return of_.has(EV_KEY, entry.code) && !(entry.value == repeated && of_.codes[EV_REP].any());
    case EV_REL:
    case EV_ABS:
    case EV_MSC:
    case EV_SW:
      return of_.has(entry.type, entry.code);
    default:
      return false;
  }
}

void input_sender::accept(const input_report& from_source) {
  filtered_.clear();
  for (const report_entry& entry : from_source.entries())
    if (is_served(entry)) filtered_.add(entry);
  if (filtered_.size() <= 1) return;  // nothing but its end
  notice_reset();
  catch_up();
  const bool kept = !behind_ && backlog_.push(filtered_.entries());
  for (const report_entry& entry : filtered_.entries()) {
    seen_.apply(entry);
    if (kept) told_.apply(entry);
  }
  if (!kept) {
    fall_behind();
    counts::count(counters_.dropped);
  }
  flush();
}

void input_sender::lost(const input_state& now) {
  seen_ = now;
  fall_behind();
  flush();
}

void input_sender::release_keys() {
  seen_.release_keys();
  fall_behind();
  flush();
}

// After a reset there is another driver, or one that forgot everything. What was on its way is old, and not for it.
void input_sender::notice_reset() {
  if (resets_ == to_.resets()) return;
  resets_ = to_.resets();
  counts::count(counters_.dropped, backlog_.reports());
  backlog_.clear();
  begun_ = false;
  buffers_ = 0;
  unsure_ = true;
  fall_behind();
}

// The state to go to is another now. From nowhere all of it has to be told, once more if need be: what was made unlike
// the state of before may happen to be like this one.
void input_sender::fall_behind() {
  if (unsure_) told_ = input_state::unlike(seen_);
  behind_ = true;
}

void input_sender::catch_up() {
  while (behind_ && backlog_.room() >= input_state::approach_entries_max) {
    input_report made_up;
    behind_ = told_.approach(seen_, made_up);
    if (!behind_) {
      unsure_ = false;
      return;
    }
    backlog_.push(made_up.entries());
    counts::count(counters_.catch_ups);
  }
}

void input_sender::flush() {
  notice_reset();
  catch_up();
  buffers_ = std::max<std::size_t>(buffers_, to_.waiting());
  while (!backlog_.empty() && send_front()) catch_up();
}

// False: it takes more buffers. The report waits for as many as it needs, or, being larger, for as many as this driver
// ever offered at once. Once begun it goes on as buffers come.
bool input_sender::send_front() {
  if (!begun_ && to_.waiting() < std::clamp<std::size_t>(buffers_, 1, backlog_.front_size())) return false;
  for (;;) {
    auto buffer = to_.try_next();
    if (!buffer) return false;
    if (buffer->writable() < sizeof(report_entry)) {
      counts::count(counters_.bad_buffers);
      to_.complete(std::move(*buffer));
      continue;
    }
    const report_entry entry = backlog_.front();
    begun_ = !entry.ends_report();
    backlog_.pop();
    counts::count(counters_.entries);
    to_.answer(std::move(*buffer), copy_in(std::as_bytes(std::span(&entry, 1))));
    if (!begun_) break;
  }
  counts::count(counters_.reports);
  return true;
}

}  // namespace vloop
