// SPDX-License-Identifier: MIT
// Brings reports to the driver of an event queue: whole, in order, as buffers come.
//
//   source --accept()--> backlog --flush()--> the driver's buffers
//
// A report begins only when the driver has buffers for all of it, and nothing comes between its entries. When the
// backlog is full, whole reports are dropped. The sender follows two states: what the source's events add up to (seen)
// and what the driver's do (told). Where they differ, because of a drop, because the source lost events, or because the
// driver is new, it makes up reports that lead from one to the other: a key whose release was dropped is released.
//
// Everything happens on the thread of the queue's worker.
#pragma once

#include <cstddef>
#include <cstdint>

#include "devices/input_backlog.hpp"
#include "devices/input_capabilities.hpp"
#include "devices/input_counters.hpp"
#include "devices/input_report.hpp"
#include "devices/input_state.hpp"
#include "vring/queue.hpp"

namespace vloop {

class input_sender {
 public:
  // `of` as served_part() leaves it. It, the queue and the counters outlive the sender.
  input_sender(queue& to, const input_capabilities& of, input_counters& counters);

  // A whole report from the source. What a driver of this device would not understand is taken out of it.
  void accept(const input_report& from_source);

  // The source lost events; this is its state now.
  void lost(const input_state& now);

  // The source says no more: keys that are down go up.
  void release_keys();

  // Fills the driver's buffers with what there is. Also when buffers came.
  void flush();

  // Whether accept() would keep any report: for sources that can wait.
  bool has_room() const { return !behind_ && backlog_.room() >= input_report::entries_max; }

 private:
  bool is_served(const report_entry& entry) const;
  void notice_reset();
  void fall_behind();
  void catch_up();
  bool send_front();

  queue& to_;
  const input_capabilities& of_;
  input_counters& counters_;

  input_backlog backlog_;
  input_report filtered_;
  input_state seen_;
  input_state told_;         // counts what is in the backlog as told
  bool behind_ = true;       // told_ may differ from seen_
  bool unsure_ = true;       // what of told_ was not approached yet stands for: nobody knows
  bool begun_ = false;       // part of the front report is in the driver's buffers
  std::size_t buffers_ = 0;  // most that the driver had offered at once
  std::uint32_t resets_;
};

}  // namespace vloop
