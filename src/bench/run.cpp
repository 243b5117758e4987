// SPDX-License-Identifier: MIT
#include "bench/run.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "adapter/device_text.hpp"
#include "bench/contents.hpp"
#include "bench/drive.hpp"
#include "bench/interruption.hpp"
#include "bench/local_target.hpp"
#include "bench/raw_target.hpp"
#include "bench/reference_file.hpp"
#include "bench/vhost_user_target.hpp"
#include "bench/write_permission.hpp"
#include "devices/null_disk.hpp"
#include "runtime/setup_error.hpp"

namespace vloop::bench {
namespace {

using std::chrono::nanoseconds;

nanoseconds process_time() {
  struct rusage used {};
  ::getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& t) {
    return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

[[noreturn]] void report_difference(const std::string& name, std::uint64_t offset, const char* what) {
  throw setup_error(EBADMSG, name + ": the block at byte " + std::to_string(offset) + " is not what " + what);
}

// ---- what is asked of a target ----

struct checks {
  reference_file* reference = nullptr;   // for what is read
  std::vector<bool>* written = nullptr;  // by block: for what is written; null: it is not looked at
  std::uint64_t salt = 0;                // of what is written
};

class load_work final : public work {
 public:
  load_work(access_sequence& order, const checks& how, target_figures& into, std::uint32_t block_bytes)
      : order_(order), checks_(how), into_(into), block_bytes_(block_bytes) {}

  std::optional<access> next() override { return order_.next(); }
  void fill(const access& what, std::span<std::byte> bytes) override {
    if (!checks_.written) return;
    fill_block(bytes, what.offset, checks_.salt);
    (*checks_.written)[what.offset / block_bytes_] = true;
  }
  void look_at(const access& what, std::span<const std::byte> bytes) override {
    if (!checks_.reference) return;
    if (!checks_.reference->has(what.offset, bytes))
      report_difference(into_.name, what.offset, "its backing has there");
    ++into_.verified;
  }

 private:
  access_sequence& order_;
  const checks& checks_;
  target_figures& into_;
  const std::uint32_t block_bytes_;
};

// Reads everything once that was written.
class read_back final : public work {
 public:
  read_back(const checks& how, target_figures& into, std::uint32_t block_bytes)
      : checks_(how), into_(into), block_bytes_(block_bytes) {}

  std::optional<access> next() override {
    const auto& written = *checks_.written;
    while (block_ < written.size() && !written[block_]) ++block_;
    if (block_ == written.size()) return std::nullopt;
    return access{.offset = block_++ * block_bytes_, .write = false};
  }
  void look_at(const access& what, std::span<const std::byte> bytes) override {
    if (!is_block(bytes, what.offset, checks_.salt)) report_difference(into_.name, what.offset, "was written there");
    ++into_.verified;
  }

 private:
  const checks& checks_;
  target_figures& into_;
  const std::uint32_t block_bytes_;
  std::uint64_t block_ = 0;
};

// ---- the targets ----

bool may_only_read(const options& all) {
  return !writes(all.what);
}

std::unique_ptr<target> open_raw(const raw_choice& file, const options& all) {
  return std::make_unique<raw_target>(file.path, file.read_only || may_only_read(all), file.direct, all.load);
}

std::unique_ptr<target> open_target(const target_choice& choice, const options& all) {
  if (const auto* const file = std::get_if<raw_choice>(&choice.what)) return open_raw(*file, all);
  if (const auto* const socket = std::get_if<socket_choice>(&choice.what))
    return std::make_unique<vhost_user_target>(choice.name, socket->path, all.load);
  blk_options disk = std::get<blk_options>(choice.what);
  disk.read_only = disk.read_only || may_only_read(all);
  return std::make_unique<local_target>(choice.name, disk, all.load);
}

// The file behind a target, where we know it.
std::optional<raw_choice> file_behind(const target_choice& choice) {
  if (const auto* const file = std::get_if<raw_choice>(&choice.what)) return *file;
  const auto* const disk = std::get_if<blk_options>(&choice.what);
  if (!disk || is_null_disk(disk->path)) return std::nullopt;
  return raw_choice{.path = disk->path, .read_only = disk->read_only, .direct = disk->direct};
}

bool is_raw(const target_choice& choice) {
  return std::holds_alternative<raw_choice>(choice.what);
}

// What the others are compared with, unless it is among them: the backing that was named, or that of the first disk.
std::optional<target_choice> base_to_add(const options& all) {
  std::optional<raw_choice> file = all.backing;
  if (!file && std::ranges::any_of(all.targets, is_raw)) return std::nullopt;
  for (const auto& choice : all.targets)
    if (!file) file = file_behind(choice);
  if (!file) return std::nullopt;
  return target_choice{.name = "raw=" + file->path, .what = *file};
}

std::optional<std::size_t> base_among(const std::vector<target_choice>& targets) {
  const auto found = std::ranges::find_if(targets, is_raw);
  if (found == targets.end()) return std::nullopt;
  return static_cast<std::size_t>(found - targets.begin());
}

// Of what a target's reads are compared with.
std::string reference_path(const target_choice& choice, const options& all) {
  if (const auto file = file_behind(choice)) return file->path;
  return all.backing->path;  // check() has seen to it
}

void require_permission(const target_choice& choice, const options& all) {
  if (all.destroy || !std::holds_alternative<socket_choice>(choice.what)) return;
  throw setup_error(EPERM, "will not write to " + choice.name,
                    "nobody knows what its daemon has: --destroy says that it may be lost");
}

std::vector<owned_fd> claim_all(const std::vector<target_choice>& choices, const options& all) {
  std::vector<std::string> paths;
  for (const auto& choice : choices) {
    require_permission(choice, all);
    if (const auto file = file_behind(choice)) paths.push_back(file->path);
  }
  return claim_for_writing(std::move(paths), all.destroy);
}

class benchmark {
 public:
  benchmark(const options& all, const progress_function& progress);
  figures go();

 private:
  struct contestant {
    target_choice choice;
    std::unique_ptr<target> way;
    std::unique_ptr<reference_file> reference;
  };

  void open(const target_choice& choice);
  void require_fit(const contestant& one) const;
  void measure(std::size_t number, unsigned round);
  drive_result measured(contestant& one, work& what, round_figures& round);
  bool stopped() const { return stop_.came(); }

  const options& all_;
  const progress_function& progress_;
  const interruption stop_;
  std::vector<owned_fd> claims_;  // of what is written to
  std::vector<contestant> contestants_;
  std::uint64_t blocks_ = UINT64_MAX;
  figures figures_;
};

benchmark::benchmark(const options& all, const progress_function& progress) : all_(all), progress_(progress) {
  check(all);
  std::vector<target_choice> choices = all.targets;
  if (auto base = base_to_add(all)) choices.insert(choices.begin(), *std::move(base));
  if (writes(all.what)) claims_ = claim_all(choices, all);
  for (const auto& choice : choices) open(choice);
  for (const auto& one : contestants_) require_fit(one);
  figures_.asked = all;
  figures_.span_bytes = blocks_ * all.load.block_bytes;
  figures_.base = base_among(choices);
  for (const auto& choice : choices)
    figures_.targets.push_back({.name = choice.name, .rounds = {}, .latency = {}, .verified = 0});
}

void benchmark::open(const target_choice& choice) {
  contestant one{.choice = choice, .way = open_target(choice, all_), .reference = nullptr};
  if (all_.verify && may_only_read(all_))
    one.reference = std::make_unique<reference_file>(reference_path(choice, all_));
  blocks_ = std::min(blocks_, one.way->bytes() / all_.load.block_bytes);
  random_numbers bytes(all_.seed);
  for (std::uint32_t slot = 0; slot < all_.load.slots(); ++slot) fill_block(one.way->buffer(slot), 0, bytes.next());
  contestants_.push_back(std::move(one));
}

void benchmark::require_fit(const contestant& one) const {
  const auto& name = one.choice.name;
  const std::uint32_t block = all_.load.block_bytes;
  if (block % one.way->block_bytes() != 0)
    throw usage_error("--block " + bytes_text(block) + " is no multiple of the blocks of " + name + ", which have " +
                      std::to_string(one.way->block_bytes()) + " bytes");
  if (one.way->bytes() < block)
    throw usage_error("--block " + bytes_text(block) + " is larger than " + name + ", which has " +
                      std::to_string(one.way->bytes()) + " bytes");
  if (writes(all_.what) && one.way->read_only())
    throw usage_error("--pattern " + std::string(to_string(all_.what)) + " writes, and " + name + " is read-only");
}

figures benchmark::go() {
  for (unsigned round = 0; round < all_.rounds && !stopped(); ++round)
    for (std::size_t i = 0; i < contestants_.size() && !stopped(); ++i)
      measure((round + i) % contestants_.size(), round);  // nobody is always first
  figures_.signal = stop_.signal();
  return std::move(figures_);
}

void benchmark::measure(std::size_t number, unsigned round) {
  contestant& one = contestants_[number];
  target_figures& into = figures_.targets[number];
  progress_("round " + std::to_string(round + 1) + " of " + std::to_string(all_.rounds) + ": " + into.name);

  // Of one round all have the same order of accesses; what they write tells them apart.
  const std::uint64_t seed = all_.seed + round;
  std::vector<bool> written(all_.verify && writes(all_.what) ? blocks_ : 0);
  const checks how{.reference = one.reference.get(),
                   .written = written.empty() ? nullptr : &written,
                   .salt = random_numbers(seed * contestants_.size() + number).next()};
  access_sequence order(all_.what, blocks_, all_.load.block_bytes, seed);
  load_work load(order, how, into, all_.load.block_bytes);
  if (all_.warm_up.count() > 0) drive(*one.way, into.name, all_.load, load, {.time = all_.warm_up, .count = {}}, stop_);

  round_figures figures;
  const auto result = measured(one, load, figures);
  if (result.count > 0) {
    into.rounds.push_back(figures);
    into.latency.add(result.latency);
  }
  if (written.empty() || stopped()) return;
  read_back again(how, into, all_.load.block_bytes);
  drive(*one.way, into.name, all_.load, again, {}, stop_);
}

drive_result benchmark::measured(contestant& one, work& what, round_figures& round) {
  drive_limit limit{.time = all_.duration, .count = {}};
  if (all_.count) limit = {.time = {}, .count = all_.count};
  const auto cost_before = one.way->cost();
  const auto time_before = process_time();
  auto result = drive(*one.way, one.choice.name, all_.load, what, limit, stop_);
  round.process_time = process_time() - time_before;
  const auto cost_after = one.way->cost();
  round.enters = cost_after.enters - cost_before.enters;
  if (cost_after.daemon_time && cost_before.daemon_time)
    round.daemon_time = *cost_after.daemon_time - *cost_before.daemon_time;
  round.count = result.count;
  round.time = result.time;
  return result;
}

}  // namespace

figures run(const options& all, const progress_function& progress) {
  return benchmark(all, progress).go();
}

}  // namespace vloop::bench
