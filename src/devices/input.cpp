// SPDX-License-Identifier: MIT
#include "devices/input.hpp"

#include <utility>

#include "runtime/task_group.hpp"

namespace vloop {
namespace {

constexpr std::uint32_t virtio_id_input = 18;

std::unique_ptr<input_source> make_source(const input_options& options) {
  if (const auto* evdev = std::get_if<evdev_options>(&options.source)) return std::make_unique<evdev_source>(*evdev);
  if (const auto* text = std::get_if<event_text_options>(&options.source))
    return std::make_unique<event_text_source>(*text);
  return std::make_unique<synthetic_source>(std::get<synthetic_options>(options.source));
}

// Nothing is ever given back of what the driver left for events, not even when the process dies: it would take the
// buffer's old content for an event.
constexpr auto when_dead = queue_description::on_death::leave;

device_description describe(const input_source& source, const input_capabilities& served, std::uint16_t queue_size) {
  device_description d;
  d.id = virtio_id_input;
  d.pages = input_pages(served);
  d.queues.assign(2, {.size = queue_size, .when_process_dies = when_dead});
  d.kind = "input";
  d.label = source.label();
  d.notes = source.notes();
  d.notes.insert(d.notes.begin(), "it calls itself '" + served.name + "'");
  return d;
}

std::string number(const input_counters::counter& c) {
  return std::to_string(c.load(std::memory_order_relaxed));
}

}  // namespace

input::input(const input_options& options) : input(make_source(options), options.queue_size) {}

input::input(std::unique_ptr<input_source> source, std::uint16_t queue_size)
    : source_(std::move(source)),
      capabilities_(served_part(source_->capabilities())),
      description_(vloop::describe(*source_, capabilities_, queue_size)) {}

task<void> input::serve(queue& requests, loop& io) {
  if (requests.index() == event_queue) {
    co_await serve_events(requests, io);
  } else {
    co_await serve_status(requests);
  }
}

// ---- to the driver ----

// The source is read whether the driver has buffers or not. Buffers come one by one and are looked at once a turn.
task<void> input::serve_events(queue& buffers, loop& io) {
  const auto sender = std::make_unique<input_sender>(buffers, capabilities_, counters_);
  task_group reading;
  stopping_ = source_over_ = false;
  reading.spawn(read_source(buffers, *sender, io));
  for (;;) {
    sender->flush();
    tell_room(*sender);
    if (source_over_) break;
    const bool serving = co_await buffers.arrival();
    if (!serving) break;
    co_await io.next_turn();
  }
  stopping_ = true;
  tell_room(*sender);
  co_await source_->stop(io);
  co_await reading.join();
}

task<void> input::read_source(queue& buffers, input_sender& sender, loop& io) {
  std::exception_ptr failure;
  try {
    input_state before(capabilities_);
    source_->start(before);
    sender.lost(before);
    for (;;) {
      if (source_->can_wait()) co_await until_room(sender);
      if (stopping_) co_return;
      const next_input what = co_await source_->next(io, report_);
      if (what == next_input::ended) break;
      if (what == next_input::report) {
        sender.accept(report_);
        continue;
      }
      input_counters::count(counters_.overruns);
      input_state now(capabilities_);
      source_->state(now);
      sender.lost(now);
    }
  } catch (...) {
    failure = std::current_exception();
  }
  sender.release_keys();
  if (!failure) co_return;
  source_over_ = true;
  buffers.wake();
  std::rethrow_exception(failure);
}

task<void> input::until_room(const input_sender& sender) {
  while (!stopping_ && !sender.has_room()) {
    event room;
    room_ = &room;
    co_await room.wait();
  }
}

void input::tell_room(const input_sender& sender) {
  if (room_ && (stopping_ || sender.has_room())) std::exchange(room_, nullptr)->set();
}

// ---- from the driver ----

// The buffer goes back first: what the source does with the light is not for the driver to wait for.
task<void> input::serve_status(queue& requests) {
  while (auto request = co_await requests.next()) {
    const auto entry = request->header<report_entry>();
    requests.complete(std::move(*request));
    const bool light = entry && (entry->type == EV_LED || entry->type == EV_SND);
    if (light && capabilities_.has(entry->type, entry->code)) {
      input_counters::count(counters_.lights);
      source_->light(*entry);
    } else {
      input_counters::count(counters_.ignored);
    }
  }
}

std::vector<std::string> input::summary() const {
  const input_counters& c = counters_;
  return {"reports told " + number(c.reports) + " (" + number(c.entries) + " events, " + number(c.catch_ups) +
          " made up), dropped " + number(c.dropped) + ", overruns of the source " + number(c.overruns) +
          ", status events passed on " + number(c.lights) + ", ignored " + number(c.ignored) + ", bad buffers " +
          number(c.bad_buffers)};
}

}  // namespace vloop
