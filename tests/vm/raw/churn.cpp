// SPDX-License-Identifier: MIT
// vloop-churn ROUNDS WAYS: disks are created, used and removed so many times, by so many processes side by side.
#include "disk.hpp"
#include "process.hpp"

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <vector>

using namespace vloop::raw;

namespace {

unsigned number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == 0)
    throw failure("not a number: " + std::string(text));
  return value;
}

// Each end that a device can have, in turn.
void end(disk& d, unsigned how) {
  switch (how % 3) {
    case 0:
      d.remove();
      break;
    case 1:
      d.close();
      break;
    default:
      equal("STOP by force", control().stop(d.dev().id(), VLOOP_STOP_FORCE), 0);
  }
}

void rounds_of_one(unsigned rounds) {
  for (unsigned i = 0; i < rounds; ++i) {
    disk d(blk_shape(disk_sectors, 1 + i % 2));
    {
      const auto served = d.serve();
      const auto reader = transfer::read(d.node(), 0, page_bytes);
      equal("a read", reader.result(), page_bytes);
    }
    end(d, i);
  }
}

void side_by_side(unsigned rounds, unsigned ways) {
  std::vector<process> all;
  for (unsigned way = 0; way < ways; ++way) {
    // What does not divide evenly is the first one's.
    const unsigned part = rounds / ways + (way == 0 ? rounds % ways : 0);
    all.push_back(process::run([part] { rounds_of_one(part); }));
  }
  for (auto& one : all) {
    expect(one.ended(rounds * patience), "the end of a process");
    expect(one.status() == 0, "a process that ends well");
  }
  within(patience, "the end of all devices", [] { return std::filesystem::is_empty("/sys/class/vloop"); });
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::fprintf(stderr, "usage: vloop-churn ROUNDS WAYS\n");
    return 2;
  }
  const auto start = clock::now();
  const unsigned rounds = number(argv[1]), ways = number(argv[2]);
  side_by_side(rounds, ways);
  std::printf("%u rounds, %u side by side: %lld ms\n", rounds, ways, static_cast<long long>(milliseconds_since(start)));
  return 0;
} catch (const std::exception& e) {
  std::printf("FAILED: %s\n", e.what());
  return 1;
}
