// SPDX-License-Identifier: MIT
// An input device (virtio 1.3, 5.8): a keyboard, a mouse or whatever its source is. One queue brings events to the
// driver, the other brings LEDs back.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <variant>

#include "devices/device.hpp"
#include "devices/input_capabilities.hpp"
#include "devices/input_counters.hpp"
#include "devices/input_evdev.hpp"
#include "devices/input_events.hpp"
#include "devices/input_report.hpp"
#include "devices/input_sender.hpp"
#include "devices/input_source.hpp"
#include "devices/input_synthetic.hpp"
#include "runtime/event.hpp"

namespace vloop {

struct input_options {
  std::variant<evdev_options, synthetic_options, event_text_options> source{};
  std::uint16_t queue_size = 64;  // what Linux uses at most
};

class input final : public device {
 public:
  static constexpr std::uint16_t event_queue = 0;
  static constexpr std::uint16_t status_queue = 1;

  // Throws setup_error where the source cannot be used.
  explicit input(const input_options& options);
  input(std::unique_ptr<input_source> source, std::uint16_t queue_size);

  const device_description& describe() const override { return description_; }
  void start(std::uint64_t) override {}  // no features
  task<void> serve(queue& requests, loop& io) override;
  std::vector<std::string> summary() const override;

  const input_counters& counters() const { return counters_; }

 private:
  task<void> serve_events(queue& buffers, loop& io);
  task<void> serve_status(queue& requests);
  task<void> read_source(queue& buffers, input_sender& sender, loop& io);
  task<void> until_room(const input_sender& sender);
  void tell_room(const input_sender& sender);

  const std::unique_ptr<input_source> source_;
  const input_capabilities capabilities_;
  device_description description_;
  input_counters counters_;

  // Of the event queue's worker.
  bool stopping_ = false;
  bool source_over_ = false;  // reading it ended by an exception
  event* room_ = nullptr;     // what a source that can wait waits for; lies in the frame that waits
  input_report report_;
};

}  // namespace vloop
