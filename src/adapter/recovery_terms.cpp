// SPDX-License-Identifier: MIT
#include "adapter/recovery_terms.hpp"

#include <fmt/format.h>

#include <charconv>
#include <system_error>

#include "adapter/device_text.hpp"

namespace vloop {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds grace_max{3'600'000};  // the module's

exit_policy parse_exit_policy(const std::string& word) {
  if (word == "fail") return exit_policy::fail;
  if (word == "queue") return exit_policy::queue;
  if (word == "reissue") return exit_policy::reissue;
  if (word == "fail-fast") return exit_policy::fail_fast;
  throw usage_error("--on-exit " + vloop::quoted(word) + " is unknown; give fail, queue, reissue or fail-fast");
}

// Milliseconds in the unit that `text` ends with, or 0 for a unit that there is not.
std::uint64_t unit_of(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit.empty() || unit == "s") return 1000;
  return unit == "m" ? 60'000 : 0;
}

}  // namespace

milliseconds parse_duration(std::string_view option, std::string_view text, milliseconds most) {
  std::uint32_t number = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  const std::uint64_t unit = unit_of({stop, static_cast<std::size_t>(end - stop)});
  if (error == std::errc::invalid_argument || unit == 0)
    throw usage_error(fmt::format("{} {} is no time; write 500ms, 10s or 2m", option, vloop::quoted(text)));
  const std::uint64_t value = number * unit;
  if (error != std::errc{} || value == 0 || value > static_cast<std::uint64_t>(most.count()))
    throw usage_error(
        fmt::format("{} {} is out of range; give 1ms to {}s", option, vloop::quoted(text), most.count() / 1000));
  return milliseconds(value);
}

recovery_terms parse_recovery_terms(bool recoverable, const std::optional<std::string>& on_exit,
                                    const std::optional<std::string>& grace) {
  recovery_terms terms;
  if (recoverable) terms.on_exit = exit_policy::reissue;
  if (on_exit) terms.on_exit = parse_exit_policy(*on_exit);
  if (recoverable && !terms.recoverable())
    throw usage_error("--recoverable and --on-exit=fail contradict each other; drop one of them");
  if (!grace) return terms;
  if (!terms.recoverable()) throw usage_error("--grace is for recoverable devices; add --recoverable");
  if (terms.on_exit == exit_policy::fail_fast)
    throw usage_error("--grace has no meaning with --on-exit=fail-fast, where nothing waits; drop one of them");
  terms.grace = parse_duration("--grace", *grace, grace_max);
  return terms;
}

std::uint32_t parse_device_id(std::string_view text) {
  constexpr std::string_view prefix = "vloop";
  const auto digits = text.substr(text.substr(0, prefix.size()) == prefix ? prefix.size() : 0);
  std::uint32_t id = 0;
  const auto* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, id);
  if (error != std::errc{} || stop != end)
    throw usage_error(vloop::quoted(text) + " names no device; 'vloop list' shows those there are, such as vloop0");
  return id;
}

}  // namespace vloop
