// SPDX-License-Identifier: MIT
#include "bench/options.hpp"

#include "adapter/device_spec.hpp"
#include "adapter/device_text.hpp"
#include "devices/null_disk.hpp"

namespace vloop::bench {
namespace {

constexpr std::string_view target_option = "TARGET";

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

socket_choice socket_of(const device_text& text) {
  if (!text.subject || text.subject->empty()) throw usage_error("it needs the path of a socket");
  if (!text.options.empty()) throw usage_error("a socket has no options; --queues and --depth say what is asked of it");
  return {.path = *text.subject};
}

// Its queues are those of the load, whatever the device would have by itself.
blk_options disk_of(std::string_view text, const device_text& words) {
  for (const auto& option : words.options)
    if (option.name == "queues" || option.name == "queue-size")
      throw usage_error("its queues follow from --queues and --depth");
  return std::get<blk_options>(parse_device_spec(text, target_option));
}

}  // namespace

target_choice parse_target(std::string_view text) {
  const std::string name(text);
  try {
    const auto words = split_device_text(text);
    if (words.kind == "raw") return {.name = name, .what = file_of(words)};
    if (words.kind == "blk") return {.name = name, .what = disk_of(text, words)};
    if (words.kind == "vhost-user") return {.name = name, .what = socket_of(words)};
    throw usage_error("there is no target " + vloop::quoted(words.kind) +
                      "; give raw=PATH, blk=PATH or vhost-user=SOCKET");
  } catch (const usage_error& error) {
    const std::string_view line = error.what();
    if (line.substr(0, target_option.size()) == target_option) throw;  // it names the argument already
    refuse(target_option, text, error.what());
  }
}

raw_choice parse_backing(std::string_view text) {
  try {
    return file_of(split_device_text("raw=" + std::string(text)));
  } catch (const usage_error& error) {
    refuse("--backing", text, error.what());
  }
}

namespace {

bool reads_from_file(const target_choice& one) {
  const auto* const disk = std::get_if<blk_options>(&one.what);
  return std::holds_alternative<raw_choice>(one.what) || (disk && !is_null_disk(disk->path));
}

}  // namespace

void check(const options& all) {
  for (const auto& one : all.targets) {
    if (!all.verify || reads_from_file(one)) continue;
    if (!std::holds_alternative<socket_choice>(one.what))
      throw usage_error("--verify: " + vloop::quoted(one.name) + " keeps nothing that could be compared");
    if (!writes(all.what) && !all.backing)
      throw usage_error("--verify: give --backing FILE to compare with what is read from " + vloop::quoted(one.name));
  }
  if (all.load.block_bytes % block_bytes_min != 0)
    throw usage_error("--block " + bytes_text(all.load.block_bytes) + " is no multiple of 512 bytes");
}

}  // namespace vloop::bench
