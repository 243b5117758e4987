// SPDX-License-Identifier: MIT
#include "adapter/listen_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace vloop::adapter {
namespace {

constexpr std::string_view descriptor_prefix = "fd:";
constexpr int first_inherited_fd = 3;  // after the three that every process has
constexpr unsigned mode_max = 0777;

// The rings are as large as the front end makes them, but a disk tells its driver how long a request may be, and that
// has to fit a ring of this size: what virtual machine monitors make by default.
constexpr std::string_view blk_queue_size = "128";

unsigned mode_of(const device_option& option) {
  const auto& text = value_of(option);
  unsigned mode = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, mode, 8);
  if (error != std::errc{} || stop != end || mode > mode_max)
    throw usage_error(
        fmt::format("{}={} is no mode; give three octal digits such as 660", option.name, printable(text)));
  return mode;
}

std::optional<device_option> take_option(device_text& text, std::string_view name) {
  const auto found = std::ranges::find(text.options, name, &device_option::name);
  if (found == text.options.end()) return std::nullopt;
  device_option taken = std::move(*found);
  text.options.erase(found);
  return taken;
}

device_request request_of(device_text text, std::optional<listen_options> listens) {
  if (const auto where = take_option(text, "listen")) listens = parse_listen(value_of(*where));
  if (const auto mode = take_option(text, "socket-mode")) {
    if (!listens || listens->path.empty()) throw usage_error("socket-mode needs a socket: add listen=PATH");
    listens->mode = mode_of(*mode);
  }
  if (listens && text.kind == "vhost-user")
    throw usage_error("what another daemon serves over a socket is not served over a second one; connect to the first");
  if (listens && std::ranges::find(text.options, "access", &device_option::name) != text.options.end())
    throw usage_error("access is for drivers of this kernel; leave it out where front ends connect");
  const bool sized = std::ranges::find(text.options, "queue-size", &device_option::name) != text.options.end();
  if (listens && text.kind == "blk" && !sized) text.options.push_back({"queue-size", std::string(blk_queue_size)});
  return {.spec = device_spec_of(text), .listen = std::move(listens)};
}

}  // namespace

listen_options parse_listen(const std::string& text) {
  if (text.empty()) throw usage_error("listen needs a socket; write listen=PATH or listen=fd:N");
  if (!text.starts_with(descriptor_prefix)) return {.path = text};
  listen_options out;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + descriptor_prefix.size(), end, out.inherited_fd);
  if (error != std::errc{} || stop != end || out.inherited_fd < first_inherited_fd)
    throw usage_error(
        fmt::format("{} is no descriptor; give fd:N with N from {}", vloop::quoted(text), first_inherited_fd));
  return out;
}

device_request parse_device_request(std::string_view argument, const std::optional<listen_options>& listens) {
  try {
    return request_of(split_device_text(argument), listens);
  } catch (const usage_error& error) {
    throw usage_error(fmt::format("--device {}: {}", vloop::quoted(argument), error.what()));
  }
}

}  // namespace vloop::adapter
