// SPDX-License-Identifier: MIT
#include "adapter/device_spec.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace vloop {

namespace {

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

direct_mode direct_of(const device_option& option) {
  const auto& word = value_of(option);
  if (word == "auto") return direct_mode::automatic;
  if (word == "on") return direct_mode::on;
  if (word == "off") return direct_mode::off;
  throw usage_error(fmt::format("direct={} is unknown; give direct=auto, direct=on or direct=off", word));
}

blk_options parse_blk(const device_text& text) {
  blk_options out;
  if (!text.subject || text.subject->empty()) {
    throw usage_error("blk needs the path of a file or block device to serve; write blk=PATH");
  }
  out.path = *text.subject;
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
      out.direct = direct_of(option);
    } else {
      refuse_unknown(text, option, "readonly, serial=S, queues=N, queue-size=N and direct=auto|on|off");
    }
  }
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
    } else {
      refuse_unknown(text, option, "queue-size=N");
    }
  }
  return out;
}

}  // namespace

bool is_serial(std::string_view serial) {
  const auto printable = [](char c) { return c > 0x20 && c < 0x7f; };
  return serial.size() <= serial_bytes_max && std::all_of(serial.begin(), serial.end(), printable);
}

device_spec parse_device_spec(std::string_view argument) {
  try {
    const auto text = split_device_text(argument);
    if (text.kind == "blk") return parse_blk(text);
    if (text.kind == "rng") return parse_rng(text);
    throw usage_error(fmt::format("there is no device {}; the devices are blk=PATH and rng", vloop::quoted(text.kind)));
  } catch (const usage_error& error) {
    throw usage_error(fmt::format("--device {}: {}", vloop::quoted(argument), error.what()));
  }
}

std::unique_ptr<device> build_device(const device_spec& spec) {
  if (const auto* disk = std::get_if<blk_options>(&spec)) return std::make_unique<blk>(*disk);
  return std::make_unique<rng>(std::get<rng_options>(spec));
}

}  // namespace vloop
