// SPDX-License-Identifier: MIT
// vloop-stress [--seconds N] [--seed N] [--round N]: rounds of a hostile process, with users of its devices beside it.
// Each round ends with the death of the process; then its devices must end, and everybody who used them must get an
// answer.
#include "dice.hpp"
#include "process.hpp"
#include "raw.hpp"
#include "stress_hostile.hpp"
#include "stress_user.hpp"

#include <dirent.h>
#include <sys/prctl.h>

#include <cstdlib>
#include <fstream>
#include <string_view>

using namespace vloop::raw;

namespace {

constexpr milliseconds round_max{8000};

struct options {
  long seconds = 60;
  std::uint64_t seed = 0;
  long round = -1;  // this one alone
};

options parse(int argc, char** argv) {
  options o;
  o.seed = std::random_device()();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--seconds") o.seconds = std::atol(argv[i + 1]);
    if (name == "--seed") o.seed = std::strtoull(argv[i + 1], nullptr, 0);
    if (name == "--round") o.round = std::atol(argv[i + 1]);
  }
  return o;
}

std::vector<std::uint32_t> devices_there() {
  std::vector<std::uint32_t> ids;
  DIR* entries = ::opendir("/sys/class/vloop");
  if (entries == nullptr) return ids;
  while (const dirent* entry = ::readdir(entries)) {
    if (std::string_view(entry->d_name).starts_with("vloop"))
      ids.push_back(static_cast<std::uint32_t>(std::atoi(entry->d_name + 5)));
  }
  ::closedir(entries);
  return ids;
}

// Whoever is left of the hostile process: children it forked, wherever they are.
void kill_all(pid_t group) {
  within(patience, "the end of the hostile process and its children", [&] {
    while (::waitpid(-group, nullptr, WNOHANG) > 0) {}
    return ::kill(-group, SIGKILL) != 0 && errno == ESRCH;
  });
}

void stop_all(const control& module) {
  within(patience, "the end of all devices", [&] {
    for (const auto id : devices_there()) module.stop(id, VLOOP_STOP_FORCE);
    return devices_there().empty();
  });
}

// What must have happened at all in a run of many rounds, or it has shown nothing.
struct sums {
  std::uint64_t taken = 0, made = 0, fetched = 0, transfers = 0;
};

void run_round(std::uint64_t seed, sums& all) {
  dice roll(seed);
  const control module;
  shared<tally> count;
  shared<std::atomic<bool>> stop;
  std::vector<process> users;
  for (int i = 0; i < 2; ++i)
    users.push_back(process::run([&] { be_user(roll.bits() + i, *count.get(), *stop.get()); }));
  users.push_back(process::run([&] { be_administrator(roll.bits(), *stop.get()); }));

  const auto hostile_seed = roll.bits();
  const pid_t hostile = ::fork();
  if (hostile == 0) be_hostile(hostile_seed, *count.get());
  ::setpgid(hostile, hostile);
  // As many calls as the dice say, on a slow machine too; some processes end before.
  const auto calls = 500 + roll.below(8000);
  const auto began = clock::now();
  while (count->calls < calls && clock::now() - began < round_max) std::this_thread::sleep_for(milliseconds(20));
  kill_all(hostile);
  // What the module does by itself, sometimes; then by order.
  if (roll.one_in(2)) std::this_thread::sleep_for(milliseconds(roll.below(1000)));
  *stop.get() = true;
  stop_all(module);
  for (auto& user : users) user.join();
  stop_all(module);
  std::printf("calls %llu, taken %llu; devices %llu; requests fetched %llu; transfers %llu, failed %llu\n",
              static_cast<unsigned long long>(count->calls), static_cast<unsigned long long>(count->taken),
              static_cast<unsigned long long>(count->made), static_cast<unsigned long long>(count->fetched),
              static_cast<unsigned long long>(count->transfers), static_cast<unsigned long long>(count->errors));
  all.taken += count->taken;
  all.made += count->made;
  all.fetched += count->fetched;
  all.transfers += count->transfers;
}

}  // namespace

int main(int argc, char** argv) {
  const auto o = parse(argc, argv);
  // Orphans of the hostile process come to us.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::printf("seed %llu\n", static_cast<unsigned long long>(o.seed));
  const auto start = clock::now();
  sums all;
  for (long round = o.round < 0 ? 0 : o.round; o.round < 0 || round == o.round; ++round) {
    if (milliseconds_since(start) > o.seconds * 1000) break;
    std::printf("round %ld: ", round);
    std::fflush(stdout);
    try {
      run_round(o.seed + static_cast<std::uint64_t>(round), all);
    } catch (const std::exception& e) {
      std::printf("\nFAILED: %s (--seed %llu --round %ld)\n", e.what(), static_cast<unsigned long long>(o.seed), round);
      std::fflush(stdout);
      ::_exit(1);
    }
  }
  if (o.round < 0 && (all.taken == 0 || all.made == 0 || all.fetched == 0 || all.transfers == 0)) {
    std::printf("FAILED: no call was taken, no device made, no request fetched or no transfer done in any round\n");
    return 1;
  }
  return 0;
}
