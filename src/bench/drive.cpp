// SPDX-License-Identifier: MIT
#include "bench/drive.hpp"

#include <cerrno>
#include <vector>

#include "runtime/setup_error.hpp"

namespace vloop::bench {
namespace {

using clock = std::chrono::steady_clock;

class driver {
 public:
  driver(target& on, const std::string& name, const load_shape& load, work& what, const drive_limit& limit,
         const interruption& stop)
      : on_(on), name_(name), load_(load), work_(what), limit_(limit), stop_(stop), slots_(load.slots()) {}

  drive_result run();

 private:
  struct slot {
    access what{};
    clock::time_point begun{};
  };

  bool may_begin() const;
  void begin(std::uint32_t number);
  void end(const ended_access& one);
  void refuse(const access& what, std::int32_t result) const;

  target& on_;
  const std::string& name_;
  const load_shape& load_;
  work& work_;
  const drive_limit& limit_;
  const interruption& stop_;
  std::vector<slot> slots_;
  std::vector<std::uint32_t> begun_now_;  // in this turn: they get their time together
  clock::time_point start_{};
  clock::time_point now_{};
  std::uint64_t begun_ = 0;
  std::uint32_t under_way_ = 0;
  bool more_ = true;
  drive_result result_;
};

drive_result driver::run() {
  begun_now_.reserve(slots_.size());
  start_ = now_ = clock::now();
  for (std::uint32_t i = 0; i < slots_.size(); ++i) begin(i);
  clock::time_point last_end = start_;
  while (under_way_ > 0) {
    const auto handed_over = clock::now();
    for (const std::uint32_t i : begun_now_) slots_[i].begun = handed_over;
    begun_now_.clear();
    const auto ended = on_.turn();
    now_ = clock::now();
    if (!ended.empty()) last_end = now_;
    if (now_ - last_end > answer_max)
      throw setup_error(ETIMEDOUT, name_ + ": requests are under way, and none has ended for " +
                                       std::to_string(answer_max.count()) + " s");
    for (const ended_access& one : ended) end(one);
    for (const ended_access& one : ended) begin(one.slot);
  }
  result_.time = last_end - start_;
  return std::move(result_);
}

bool driver::may_begin() const {
  if (!more_ || stop_.came()) return false;
  if (limit_.count && begun_ >= *limit_.count) return false;
  return !limit_.time || now_ - start_ < *limit_.time;
}

void driver::begin(std::uint32_t number) {
  if (!may_begin()) return;
  const auto what = work_.next();
  if (!what) {
    more_ = false;
    return;
  }
  if (what->write) work_.fill(*what, on_.buffer(number));
  on_.prepare(number, *what);
  slots_[number].what = *what;
  begun_now_.push_back(number);
  ++begun_;
  ++under_way_;
}

void driver::end(const ended_access& one) {
  const slot& s = slots_[one.slot];
  --under_way_;
  if (one.result != static_cast<std::int32_t>(load_.block_bytes)) refuse(s.what, one.result);
  result_.latency.add(static_cast<std::uint64_t>((now_ - s.begun).count()));
  ++result_.count;
  if (!s.what.write) work_.look_at(s.what, on_.buffer(one.slot));
}

void driver::refuse(const access& what, std::int32_t result) const {
  const std::string tried =
      name_ + ": " + (what.write ? "write to" : "read from") + " byte " + std::to_string(what.offset);
  if (result < 0) throw setup_error(-result, tried + " failed");
  throw setup_error(EIO, tried + " ended after " + std::to_string(result) + " bytes");
}

}  // namespace

drive_result drive(target& on, const std::string& name, const load_shape& load, work& what, const drive_limit& limit,
                   const interruption& stop) {
  return driver(on, name, load, what, limit, stop).run();
}

}  // namespace vloop::bench
