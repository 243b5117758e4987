// SPDX-License-Identifier: MIT
// What `vloop bench` is asked for, as values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bench/target.hpp"
#include "bench/workload.hpp"
#include "devices/blk.hpp"

namespace vloop::bench {

constexpr std::uint32_t block_bytes_min = 512;
constexpr std::uint32_t block_bytes_max = 1U << 20;
constexpr std::uint16_t depth_max = 256;
constexpr std::uint16_t bench_queues_max = 16;
constexpr unsigned rounds_max = 1000;
constexpr std::chrono::milliseconds duration_max{3'600'000};

// A file or block device by io_uring.
struct raw_choice {
  std::string path{};
  bool read_only = false;
  direct_mode direct = direct_mode::automatic;
};

// What a daemon serves at a vhost-user socket.
struct socket_choice {
  std::string path{};
};

struct target_choice {
  std::string name{};  // as it was given
  std::variant<raw_choice, blk_options, socket_choice> what{};
};

struct options {
  pattern what = pattern::randread;
  load_shape load;
  std::chrono::milliseconds duration{1000};
  std::optional<std::uint64_t> count{};  // of each round, instead of a duration
  std::chrono::milliseconds warm_up{200};
  unsigned rounds = 5;
  std::optional<raw_choice> backing{};  // what the others are compared with
  std::vector<target_choice> targets;
  bool verify = false;
  bool destroy = false;
  std::uint64_t seed = 1;
};

//   raw=PATH[,readonly][,direct=auto|on|off]
//   blk=PATH[,readonly][,serial=S][,direct=auto|on|off]
//   vhost-user=PATH
// Throws usage_error, whose one line names the argument.
target_choice parse_target(std::string_view text);

// PATH[,readonly][,direct=auto|on|off]
raw_choice parse_backing(std::string_view text);

// Throws usage_error for what contradicts itself.
void check(const options& all);

}  // namespace vloop::bench
