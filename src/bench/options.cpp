// SPDX-License-Identifier: MIT
#include "bench/options.hpp"

#include "adapter/device_spec.hpp"
#include "adapter/device_text.hpp"

namespace vloop::bench {
namespace {

[[noreturn]] void refuse(std::string_view option, std::string_view text, const std::string& why) {
  throw usage_error(std::string(option) + " " + vloop::quoted(text) + ": " + why);
}

raw_choice file_of(const device_text& text) {
  raw_choice out;
  if (!text.subject || text.subject->empty()) throw usage_error("it needs the path of a file or block device");
  out.path = *text.subject;
  for (const auto& option : text.options) {
    if (option.name == "readonly") {
      out.read_only = flag_of(option);
    } else if (option.name == "direct") {
      out.direct = parse_direct(option);
    } else {
      throw usage_error("a file has no option " + vloop::quoted(option.name) +
                        "; it has readonly and direct=auto|on|off");
    }
  }
  return out;
}

}  // namespace

target_choice parse_target(std::string_view text) {
  try {
    const auto words = split_device_text(text);
    if (words.kind != "raw") throw usage_error("there is no target " + vloop::quoted(words.kind) + "; give raw=PATH");
    return {.name = std::string(text), .what = file_of(words)};
  } catch (const usage_error& error) {
    refuse("TARGET", text, error.what());
  }
}

raw_choice parse_backing(std::string_view text) {
  try {
    return file_of(split_device_text("raw=" + std::string(text)));
  } catch (const usage_error& error) {
    refuse("--backing", text, error.what());
  }
}

void check(const options& all) {
  if (all.load.block_bytes % block_bytes_min != 0)
    throw usage_error("--block " + bytes_text(all.load.block_bytes) + " is no multiple of 512 bytes");
}

}  // namespace vloop::bench
