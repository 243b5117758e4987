// SPDX-License-Identifier: MIT
#include "adapter/device_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>

namespace vloop {

namespace {

/// Takes the text up to the next single comma off `rest` and undoes the doubling of commas.
/// `more` says whether a comma ended it, so that something must follow.
std::string take_field(std::string_view& rest, bool& more) {
  std::string field;
  more = false;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c != ',') {
      field += c;
    } else if (!rest.empty() && rest.front() == ',') {
      field += ',';
      rest.remove_prefix(1);
    } else {
      more = true;
      break;
    }
  }
  return field;
}

device_option split_option(const std::string& field) {
  const auto equals = field.find('=');
  if (equals == std::string::npos) return {field, std::nullopt};
  return {field.substr(0, equals), field.substr(equals + 1)};
}

}  // namespace

device_text split_device_text(std::string_view text) {
  device_text out;
  auto rest = text;
  bool more = false;
  auto head = split_option(take_field(rest, more));
  if (head.name.empty()) throw usage_error("the device's name is missing: write blk=PATH, rng or input=SOURCE");
  out.kind = std::move(head.name);
  out.subject = std::move(head.value);

  while (more) {
    auto option = split_option(take_field(rest, more));
    if (option.name.empty()) {
      throw usage_error("a comma is not followed by an option; a comma inside a path is written twice");
    }
    const auto same = [&](const device_option& other) { return other.name == option.name; };
    if (std::any_of(out.options.begin(), out.options.end(), same)) {
      throw usage_error(fmt::format("{} is given twice; give it once", vloop::quoted(option.name)));
    }
    out.options.push_back(std::move(option));
  }
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string quoted(std::string_view text) {
  return '\'' + printable(text) + '\'';
}

const std::string& value_of(const device_option& option) {
  if (!option.value || option.value->empty()) {
    throw usage_error(fmt::format("{0} has no value; write {0}=VALUE", option.name));
  }
  return *option.value;
}

bool flag_of(const device_option& option) {
  if (option.value) throw usage_error(fmt::format("{0} takes no value; write {0} alone", option.name));
  return true;
}

std::uint32_t number_of(const device_option& option, std::uint32_t least, std::uint32_t most) {
  const auto& text = value_of(option);
  std::uint32_t number = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::invalid_argument || stop != end) {
    throw usage_error(fmt::format("{}={} is not a number; give {} to {}", option.name, printable(text), least, most));
  }
  if (error != std::errc{} || number < least || number > most) {
    throw usage_error(fmt::format("{}={} is out of range; give {} to {}", option.name, printable(text), least, most));
  }
  return number;
}

std::uint16_t ring_size_of(const device_option& option, std::uint16_t least, std::uint16_t most,
                           std::string_view reason) {
  const auto size = number_of(option, 1, most);
  if (!std::has_single_bit(size)) {
    throw usage_error(fmt::format("{}={} is not a power of two; give {}, {}, {} ... up to {}", option.name, size, least,
                                  2 * least, 4 * least, most));
  }
  if (size < least) {
    throw usage_error(fmt::format("{}={} is too small: {}; give a power of two from {} to {}", option.name, size,
                                  reason, least, most));
  }
  return static_cast<std::uint16_t>(size);
}

namespace {

// By how much `unit` shifts a number; nullopt: there is no such unit.
std::optional<unsigned> shift_of(std::string_view unit) {
  if (unit.empty()) return 0;
  if (unit == "k" || unit == "K") return 10;
  if (unit == "M") return 20;
  if (unit == "G") return 30;
  return unit == "T" ? std::optional(40U) : std::nullopt;
}

}  // namespace

std::uint64_t parse_bytes(std::string_view option, std::string_view text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  const auto shift = shift_of({stop, static_cast<std::size_t>(end - stop)});
  if (error == std::errc::invalid_argument || !shift)
    throw usage_error(fmt::format("{} {} is no size; write 512, 4k, 1M or 2G", option, vloop::quoted(text)));
  if (error != std::errc{} || number > most >> *shift || number << *shift < least)
    throw usage_error(fmt::format("{} {} is out of range; give {} to {}", option, vloop::quoted(text),
                                  bytes_text(least), bytes_text(most)));
  return number << *shift;
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::string_view units = "kMGT";
  std::size_t unit = 0;
  for (; bytes > 0 && bytes % 1024 == 0 && unit < units.size(); ++unit) bytes /= 1024;
  return std::to_string(bytes) + std::string(unit > 0 ? units.substr(unit - 1, 1) : "");
}

}  // namespace vloop
