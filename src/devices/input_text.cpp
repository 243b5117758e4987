// SPDX-License-Identifier: MIT
#include "devices/input_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string>
#include <system_error>

namespace vloop {
namespace {

constexpr std::string_view blanks = " \t\r";
constexpr std::size_t bits_per_line = 64;
constexpr std::int64_t seconds_max = 1'000'000'000;
constexpr std::size_t microsecond_digits = 6;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// Takes the first word off `rest`; empty at the end.
std::string_view next_word(std::string_view& rest) {
  rest = trimmed(rest);
  const std::string_view word = rest.substr(0, rest.find_first_of(blanks));
  rest.remove_prefix(word.size());
  return word;
}

template <class Number>
std::optional<Number> number_of(std::string_view word, int base) {
  Number value{};
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, value, base);
  if (word.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

template <class Number>
std::optional<Number> next_number(std::string_view& rest, int base) {
  return number_of<Number>(next_word(rest), base);
}

// SECONDS[.MICROSECONDS], where the fraction may be shorter.
std::optional<std::chrono::microseconds> time_of(std::string_view word) {
  const auto dot = word.find('.');
  const auto seconds = number_of<std::int64_t>(word.substr(0, dot), 10);
  if (!seconds || *seconds < 0 || *seconds > seconds_max) return std::nullopt;
  std::chrono::microseconds time = std::chrono::seconds(*seconds);
  if (dot == std::string_view::npos) return time;
  std::string fraction(word.substr(dot + 1));
  if (fraction.empty() || fraction.size() > microsecond_digits) return std::nullopt;
  fraction.resize(microsecond_digits, '0');
  const auto microseconds = number_of<std::uint32_t>(fraction, 10);
  if (!microseconds) return std::nullopt;
  return time + std::chrono::microseconds(*microseconds);
}

std::string hexadecimal(unsigned value) {
  char text[16];
  std::snprintf(text, sizeof text, "%02x", value);
  return text;
}

std::string name_of(const report_entry& entry) {
  return "type " + hexadecimal(entry.type) + " code " + hexadecimal(entry.code);
}

}  // namespace

void input_text::refuse(const std::string& why) const {
  throw input_text_error("line " + std::to_string(lines_) + ": " + why);
}

std::optional<text_event> input_text::take(std::string_view line) {
  ++lines_;
  if (line.size() > line_bytes_max) refuse("longer than " + std::to_string(line_bytes_max) + " bytes");
  line = trimmed(line);
  blank_ = line.empty();
  if (line.empty() || line.front() == '#') return std::nullopt;
  if (line.size() < 2 || line[1] != ':') refuse("not a letter and a colon, such as 'E:'");
  const char what = line.front();
  std::string_view rest = line.substr(2);
  if (what == 'N') {
    if (head_over_) refuse("a line of the head after the first event");
    if (!trimmed(rest).empty()) capabilities_.name = trimmed(rest);
    return std::nullopt;
  }
  rest = rest.substr(0, rest.find('#'));
  if (what == 'E') return take_event(rest);
  take_head(what, rest);
  return std::nullopt;
}

void input_text::take_head(char what, std::string_view rest) {
  if (std::string_view("IPBALS").find(what) == std::string_view::npos) {
    const bool printable = what > 0x20 && what < 0x7f;
    refuse(std::string("unknown") + (printable ? std::string(" '") + what + ":'" : "") + "; there are N I P B A L S E");
  }
  if (head_over_) refuse("a line of the head after the first event");
  if (what == 'P') return take_properties(rest);
  if (what == 'B') return take_bits(rest);
  if (what == 'A') return take_axis(rest);
  if (what != 'I') return;  // L, S: how LEDs and switches were then
  std::uint16_t* const ids[] = {&capabilities_.ids.bustype, &capabilities_.ids.vendor, &capabilities_.ids.product,
                                &capabilities_.ids.version};
  for (std::uint16_t* id : ids) {
    const auto number = next_number<std::uint16_t>(rest, 16);
    if (!number) refuse("'I:' takes bus, vendor, product and version, hexadecimal");
    *id = *number;
  }
  if (!trimmed(rest).empty()) refuse("more than bus, vendor, product and version");
}

void input_text::take_properties(std::string_view rest) {
  while (!trimmed(rest).empty()) {
    const auto byte = next_number<std::uint8_t>(rest, 16);
    if (!byte) refuse("'P:' takes bytes, hexadecimal");
    for (unsigned bit = 0; bit < 8; ++bit) {
      const std::size_t property = properties_given_++;
      if ((*byte >> bit & 1) == 0) continue;
      if (property >= INPUT_PROP_CNT) refuse("there is no property " + hexadecimal(static_cast<unsigned>(property)));
      capabilities_.properties.set(property);
    }
  }
}

// A type has as many lines as it takes; each goes on where the one before ended.
void input_text::take_bits(std::string_view rest) {
  const auto type = next_number<std::uint8_t>(rest, 16);
  if (!type || *type >= EV_CNT) refuse("'B:' takes an event type and bytes, hexadecimal");
  declared_ = true;
  while (!trimmed(rest).empty()) {
    const auto byte = next_number<std::uint8_t>(rest, 16);
    if (!byte || bits_given_[*type] >= KEY_CNT + bits_per_line)
      refuse("'B:' takes an event type and bytes, hexadecimal");
    for (unsigned bit = 0; bit < 8; ++bit) {
      const std::size_t code = bits_given_[*type]++;
      if ((*byte >> bit & 1) == 0 || code_count(*type) == 0) continue;
      if (code >= code_count(*type))
        refuse("type " + hexadecimal(*type) + " has no code " + hexadecimal(static_cast<unsigned>(code)));
      capabilities_.codes[*type].set(code);
    }
  }
}

void input_text::take_axis(std::string_view rest) {
  const auto axis = next_number<std::uint8_t>(rest, 16);
  const auto min = next_number<std::int32_t>(rest, 10);
  const auto max = next_number<std::int32_t>(rest, 10);
  const auto fuzz = next_number<std::int32_t>(rest, 10);
  const auto flat = next_number<std::int32_t>(rest, 10);
  const bool more = !trimmed(rest).empty();
  const auto resolution = more ? next_number<std::int32_t>(rest, 10) : 0;
  if (!axis || *axis >= ABS_CNT || !min || !max || !fuzz || !flat || !resolution || !trimmed(rest).empty())
    refuse("'A:' takes an axis, hexadecimal, and min, max, fuzz, flat and perhaps resolution, decimal");
  if (*min > *max) refuse("axis " + hexadecimal(*axis) + " ends before it begins");
  if (*axis == ABS_MT_SLOT && (*min != 0 || *max >= touch_slots_max))
    refuse("fingers are counted from 0 to " + std::to_string(touch_slots_max - 1) + " at most");
  declared_ = true;
  capabilities_.codes[EV_ABS].set(*axis);
  capabilities_.axes[*axis] = {*min, *max, *fuzz, *flat, *resolution};
  ranges_given_.set(*axis);
}

void input_text::check_head() const {
  for (std::size_t axis = 0; axis < ABS_CNT; ++axis)
    if (capabilities_.codes[EV_ABS][axis] && !ranges_given_[axis])
      refuse("the head has axis " + hexadecimal(static_cast<unsigned>(axis)) + " but no 'A:' line with its range");
}

text_event input_text::take_event(std::string_view rest) {
  if (!head_over_) check_head();
  head_over_ = true;
  text_event event;
  const auto at = time_of(next_word(rest));
  const auto type = next_number<std::uint16_t>(rest, 16);
  const auto code = next_number<std::uint16_t>(rest, 16);
  const auto value = next_number<std::int32_t>(rest, 10);
  if (!at || !type || !code || !value || !trimmed(rest).empty())
    refuse("'E:' takes seconds, type and code, hexadecimal, and value, decimal");
  event.at = *at;
  event.entry = {.type = *type, .code = *code, .value = *value};
  check_code(event.entry);
  if (++open_entries_ > input_report::entries_max)
    refuse("a report has at most " + std::to_string(input_report::entries_max) + " events");
  if (event.entry.ends_report()) open_entries_ = 0;
  return event;
}

// Types that virtio does not serve may stand in a recording.
void input_text::check_code(const report_entry& entry) {
  if (entry.type >= EV_CNT) refuse("there is no event type " + hexadecimal(entry.type));
  if (code_count(entry.type) == 0) return;
  if (entry.code >= code_count(entry.type)) refuse("there is no " + name_of(entry));
  if (declared_) {
    if (!capabilities_.has(entry.type, entry.code)) refuse("the head does not have " + name_of(entry));
    return;
  }
  capabilities_.codes[entry.type].set(entry.code);
  if (entry.type != EV_ABS) return;
  axis_range& axis = capabilities_.axes[entry.code];
  const bool first = !ranges_given_[entry.code];
  axis.min = entry.code == ABS_MT_SLOT ? 0 : first ? entry.value : std::min(axis.min, entry.value);
  axis.max = first ? entry.value : std::max(axis.max, entry.value);
  ranges_given_.set(entry.code);
}

void input_text::end() const {
  if (open_entries_ > 0) refuse("the last report does not end: 'E: SECONDS 0000 0000 0' (SYN_REPORT) is missing");
}

}  // namespace vloop
