// SPDX-License-Identifier: MIT
#include "adapter/stored_description.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "runtime/setup_error.hpp"

namespace vloop {

namespace {

constexpr std::string_view form = "vloop/1 ";

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

// "NAME=NUMBER " taken off the front of `rest`; false if something else stands there.
bool take_number(std::string_view& rest, std::string_view name, unsigned& number) {
  if (rest.substr(0, name.size()) != name) return false;
  const auto value = rest.substr(name.size());
  const auto* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, number);
  if (error != std::errc{} || stop == end || *stop != ' ') return false;
  rest = value.substr(static_cast<std::size_t>(stop - value.data()) + 1);
  return true;
}

}  // namespace

std::string to_text(const stored_description& what) {
  std::string text{form};
  if (what.threads > 0) text += fmt::format("threads={} ", what.threads);
  text += fmt::format("poll={} ", what.poll_max.count());
  text += device_spec_text(what.device);
  if (std::any_of(text.begin(), text.end(), is_control))
    throw setup_error(EINVAL, "cannot describe " + vloop::quoted(device_spec_text(what.device)) + " for its recovery",
                      "its path holds a control character");
  if (text.size() > description_bytes_max)
    throw setup_error(ENAMETOOLONG, "cannot describe the device for its recovery",
                      fmt::format("{} bytes, there is room for {}", text.size(), description_bytes_max));
  return text;
}

stored_description parse_stored_description(std::string_view text) {
  if (text.substr(0, form.size()) != form)
    throw usage_error("its description " + vloop::quoted(text.substr(0, 80)) +
                      " is of no form that this version knows");
  auto rest = text.substr(form.size());
  unsigned threads = 0;
  unsigned poll = 0;
  take_number(rest, "threads=", threads);
  const bool has_poll = take_number(rest, "poll=", poll);
  stored_description what{.device = parse_device_spec(rest), .threads = threads};
  if (has_poll) what.poll_max = std::chrono::microseconds(poll);
  return what;
}

}  // namespace vloop
