// SPDX-License-Identifier: MIT
#include "access_counter.hpp"

#include "check.hpp"

#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vloop::raw {

namespace {

constexpr std::size_t word_bytes = 8;

}  // namespace

access_counter::access_counter(std::uint64_t address) {
  perf_event_attr event{};
  event.type = PERF_TYPE_BREAKPOINT;
  event.size = sizeof(event);
  event.bp_type = HW_BREAKPOINT_RW;
  event.bp_addr = address;
  event.bp_len = HW_BREAKPOINT_LEN_8;
  event.disabled = 1;
  event.exclude_hv = 1;
  fd_ = owned_fd(static_cast<int>(::syscall(SYS_perf_event_open, &event, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  expect(static_cast<bool>(fd_), "watching a word: " + result_text(-errno));
}

void access_counter::start() const {
  equal("PERF_EVENT_IOC_RESET", result_of(::ioctl(fd_.get(), PERF_EVENT_IOC_RESET, 0)), 0);
  equal("PERF_EVENT_IOC_ENABLE", result_of(::ioctl(fd_.get(), PERF_EVENT_IOC_ENABLE, 0)), 0);
}

long access_counter::stop() const {
  std::uint64_t count = 0;
  equal("PERF_EVENT_IOC_DISABLE", result_of(::ioctl(fd_.get(), PERF_EVENT_IOC_DISABLE, 0)), 0);
  equal("the count", result_of(::read(fd_.get(), &count, sizeof(count))), sizeof(count));
  return static_cast<long>(count);
}

std::vector<long> accesses(std::span<const std::byte> bytes, const std::function<void()>& run) {
  const auto first = reinterpret_cast<std::uintptr_t>(bytes.data());
  expect(first % word_bytes == 0, "aligned memory");
  std::vector<long> counts;
  for (std::size_t at = 0; at < bytes.size(); at += word_bytes) {
    const access_counter word(first + at);
    word.start();
    run();
    counts.push_back(word.stop());
  }
  return counts;
}

}  // namespace vloop::raw
