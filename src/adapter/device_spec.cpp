// SPDX-License-Identifier: MIT
#include "adapter/device_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "devices/null_disk.hpp"

namespace vloop {

namespace {

constexpr std::uint64_t null_bytes_max = std::uint64_t{1} << 50;
constexpr std::string_view synthetic_prefix = "synthetic:";
constexpr std::string_view event_text_prefix = "events:";

[[noreturn]] void refuse_unknown(const device_text& text, const device_option& option, std::string_view known) {
  throw usage_error(fmt::format("{} has no option {}; it has {}", text.kind, vloop::quoted(option.name), known));
}

std::string serial_of(const device_option& option) {
  const auto& serial = value_of(option);
  if (serial.size() > serial_bytes_max) {
    throw usage_error(fmt::format("the serial has {} bytes; a disk has room for {}", serial.size(), serial_bytes_max));
  }
  if (!is_serial(serial)) {
    throw usage_error("the serial has a space or a character that is not ASCII; use letters, digits and signs");
  }
  return serial;
}

std::string_view word_of(direct_mode direct) {
  switch (direct) {
    case direct_mode::automatic:
      return "auto";
    case direct_mode::on:
      return "on";
    case direct_mode::off:
      return "off";
  }
  return "auto";
}

// Whether data is touched in place.
bool in_place_of(const device_option& option) {
  const auto& word = value_of(option);
  if (word == "window") return true;
  if (word == "mover") return false;
  throw usage_error(fmt::format("access={} is unknown; give access=mover or access=window", printable(word)));
}

// Versions that know nothing of it understand the usual text.
std::string_view access_text(bool in_place) {
  return in_place ? ",access=window" : "";
}

std::string with_doubled_commas(std::string_view text) {
  std::string out;
  for (const char c : text) out.append(c == ',' ? 2 : 1, c);
  return out;
}

// Symbolic links stay: the name is what the user chose, such as one below /dev/disk/by-id.
std::string path_text(const std::string& path) {
  return with_doubled_commas(std::filesystem::absolute(path).string());
}

std::string text_of(const input_options& options) {
  std::string text = "input=";
  if (const auto* evdev = std::get_if<evdev_options>(&options.source)) {
    text += path_text(evdev->path) + (evdev->grab ? ",grab" : ",shared");
  } else if (const auto* file = std::get_if<event_text_options>(&options.source)) {
    text += std::string(event_text_prefix) + path_text(file->path);
  } else {
    const auto& made_up = std::get<synthetic_options>(options.source);
    text += fmt::format("{}{},rate={},count={}", synthetic_prefix,
                        made_up.kind == synthetic_kind::mouse ? "mouse" : "keyboard", made_up.rate, made_up.count);
  }
  return text + fmt::format(",queue-size={}", options.queue_size);
}

blk_options parse_blk(const device_text& text) {
  blk_options out;
  if (!text.subject || text.subject->empty()) {
    throw usage_error("blk needs the path of a file or block device to serve; write blk=PATH");
  }
  out.path = *text.subject;
  if (is_null_disk(out.path)) {
    const auto colon = out.path.find(':');
    out.path = fmt::format("null:{}", parse_bytes("null:", out.path.substr(colon + 1), 4096, null_bytes_max));
  }
  for (const auto& option : text.options) {
    if (option.name == "readonly") {
      out.read_only = flag_of(option);
    } else if (option.name == "serial") {
      out.serial = serial_of(option);
    } else if (option.name == "queues") {
      out.queues = static_cast<std::uint16_t>(number_of(option, 1, queues_max));
    } else if (option.name == "queue-size") {
      out.queue_size = ring_size_of(option, queue_size_min, queue_size_max,
                                    "a disk request takes a header, a status and at least one piece of data");
    } else if (option.name == "direct") {
      out.direct = parse_direct(option);
    } else if (option.name == "access") {
      out.in_place = in_place_of(option);
    } else {
      refuse_unknown(text, option,
                     "readonly, serial=S, queues=N, queue-size=N, direct=auto|on|off and access=mover|window");
    }
  }
  if (out.in_place && out.direct == direct_mode::on)
    throw usage_error(
        "direct=on and access=window exclude each other: memory in a window cannot be used by direct I/O");
  return out;
}

rng_options parse_rng(const device_text& text) {
  rng_options out;
  if (text.subject) {
    if (text.subject->empty()) {
      throw usage_error("rng= is not followed by a path; write rng=SOURCE, or rng alone for /dev/urandom");
    }
    out.source = *text.subject;
  }
  for (const auto& option : text.options) {
    if (option.name == "queue-size") {
      out.queue_size = ring_size_of(option, queue_size_min, queue_size_max, "no ring is smaller than 4");
    } else if (option.name == "access") {
      out.in_place = in_place_of(option);
    } else {
      refuse_unknown(text, option, "queue-size=N and access=mover|window");
    }
  }
  return out;
}

evdev_options parse_evdev(const device_text& text) {
  evdev_options out{.path = *text.subject};
  bool shared = false, grab = false;
  for (const auto& option : text.options) {
    if (option.name == "grab") {
      grab = flag_of(option);
    } else if (option.name == "shared") {
      shared = flag_of(option);
    } else if (option.name != "queue-size") {
      refuse_unknown(text, option, "grab or shared, and queue-size=N");
    }
  }
  if (grab && shared) throw usage_error("grab and shared exclude each other");
  out.grab = !shared;
  return out;
}

synthetic_options parse_synthetic(const device_text& text, std::string_view what) {
  synthetic_options out;
  if (what != "mouse" && what != "keyboard")
    throw usage_error(
        fmt::format("there is no synthetic {}; give synthetic:mouse or synthetic:keyboard", quoted(what)));
  if (what == "keyboard") out.kind = synthetic_kind::keyboard;
  for (const auto& option : text.options) {
    if (option.name == "rate") {
      out.rate = number_of(option, 1, input_rate_max);
    } else if (option.name == "count") {
      out.count = number_of(option, 0, std::numeric_limits<std::uint32_t>::max());
    } else if (option.name != "queue-size") {
      refuse_unknown(text, option, "rate=N, count=N and queue-size=N");
    }
  }
  return out;
}

event_text_options parse_event_text(const device_text& text, std::string_view path) {
  if (path.empty()) throw usage_error("events: is not followed by a path; write input=events:PATH");
  for (const auto& option : text.options)
    if (option.name != "queue-size") refuse_unknown(text, option, "queue-size=N");
  return {.path = std::string(path)};
}

input_options parse_input(const device_text& text) {
  if (!text.subject || text.subject->empty()) {
    throw usage_error(
        "input needs a source; write input=/dev/input/eventN, input=synthetic:mouse, input=synthetic:keyboard or "
        "input=events:PATH");
  }
  const std::string_view source = *text.subject;
  input_options out;
  if (source.starts_with(synthetic_prefix)) {
    out.source = parse_synthetic(text, source.substr(synthetic_prefix.size()));
  } else if (source.starts_with(event_text_prefix)) {
    out.source = parse_event_text(text, source.substr(event_text_prefix.size()));
  } else {
    out.source = parse_evdev(text);
  }
  for (const auto& option : text.options)
    if (option.name == "queue-size")
      out.queue_size = ring_size_of(option, queue_size_min, queue_size_max, "no ring is smaller than 4");
  return out;
}

vhost_user::options parse_vhost_user(const device_text& text) {
  vhost_user::options out;
  if (!text.subject || text.subject->empty())
    throw usage_error("vhost-user needs the path of a daemon's socket; write vhost-user=PATH");
  out.path = *text.subject;
  for (const auto& option : text.options) {
    if (option.name == "type") {
      out.type = value_of(option);
      if (!vhost_user::find_device_type(out.type))
        throw usage_error(
            fmt::format("type={} is unknown; give {}", vloop::quoted(out.type), vhost_user::known_device_types()));
    } else if (option.name == "queues") {
      out.queues = static_cast<std::uint16_t>(number_of(option, 1, queues_max));
    } else if (option.name == "queue-size") {
      out.queue_size = ring_size_of(option, queue_size_min, queue_size_max,
                                    "a disk request takes a header, a status and at least one piece of data");
    } else if (option.name == "reconnect") {
      out.reconnect = std::chrono::seconds(number_of(option, 1, reconnect_seconds_max));
    } else {
      refuse_unknown(text, option, "type=T, queues=N, queue-size=N and reconnect=SECONDS");
    }
  }
  return out;
}

std::string text_of(const vhost_user::options& options) {
  std::string text = fmt::format("vhost-user={},type={}", path_text(options.path), options.type);
  if (options.queues) text += fmt::format(",queues={}", *options.queues);
  if (options.queue_size) text += fmt::format(",queue-size={}", *options.queue_size);
  if (options.reconnect.count() > 0) text += fmt::format(",reconnect={}", options.reconnect.count());
  return text;
}

}  // namespace

direct_mode parse_direct(const device_option& option) {
  const auto& word = value_of(option);
  if (word == "auto") return direct_mode::automatic;
  if (word == "on") return direct_mode::on;
  if (word == "off") return direct_mode::off;
  throw usage_error(fmt::format("direct={} is unknown; give direct=auto, direct=on or direct=off", printable(word)));
}

bool is_serial(std::string_view serial) {
  const auto printable = [](char c) { return c > 0x20 && c < 0x7f; };
  return serial.size() <= serial_bytes_max && std::all_of(serial.begin(), serial.end(), printable);
}

device_spec device_spec_of(const device_text& text) {
  if (text.kind == "blk") return parse_blk(text);
  if (text.kind == "rng") return parse_rng(text);
  if (text.kind == "input") return parse_input(text);
  if (text.kind == "vhost-user") return parse_vhost_user(text);
  throw usage_error(
      fmt::format("there is no device {}; the devices are blk=PATH, rng, input=SOURCE and vhost-user=PATH",
                  vloop::quoted(text.kind)));
}

device_spec parse_device_spec(std::string_view argument, std::string_view option) {
  try {
    return device_spec_of(split_device_text(argument));
  } catch (const usage_error& error) {
    throw usage_error(fmt::format("{} {}: {}", option, vloop::quoted(argument), error.what()));
  }
}

std::string device_spec_text(const device_spec& spec) {
  if (const auto* events = std::get_if<input_options>(&spec)) return text_of(*events);
  if (const auto* daemon = std::get_if<vhost_user::options>(&spec)) return text_of(*daemon);
  if (const auto* source = std::get_if<rng_options>(&spec))
    return fmt::format("rng={},queue-size={}{}", path_text(source->source), source->queue_size,
                       access_text(source->in_place));
  const auto& disk = std::get<blk_options>(spec);
  std::string text = "blk=" + (is_null_disk(disk.path) ? disk.path : path_text(disk.path));
  if (disk.read_only) text += ",readonly";
  if (!disk.serial.empty()) text += ",serial=" + with_doubled_commas(disk.serial);
  return text + fmt::format(",queues={},queue-size={},direct={}{}", disk.queues, disk.queue_size, word_of(disk.direct),
                            access_text(disk.in_place));
}

std::unique_ptr<device> build_device(const device_spec& spec) {
  if (const auto* disk = std::get_if<blk_options>(&spec)) return std::make_unique<blk>(*disk);
  if (const auto* source = std::get_if<rng_options>(&spec)) return std::make_unique<rng>(*source);
  if (const auto* daemon = std::get_if<vhost_user::options>(&spec))
    return std::make_unique<vhost_user::external_device>(*daemon);
  return std::make_unique<input>(std::get<input_options>(spec));
}

}  // namespace vloop
