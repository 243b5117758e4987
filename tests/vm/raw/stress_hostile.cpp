// SPDX-License-Identifier: MIT
#include "stress_hostile.hpp"

#include "disk.hpp"
#include "stress_thread.hpp"
#include "user.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace vloop::raw {

namespace {

constexpr rlim_t descriptors_max = 200;  // so that they run out now and then
constexpr unsigned threads = 5;

// Serves well what it can get hold of, so that there are disks at all.
void be_diligent(world& w, std::uint64_t seed) {
  dice roll(seed);
  std::array<vloop_record, 16> records;
  const iovec to{records.data(), sizeof(records)};
  for (;;) {
    vloop_queue_fd arg{};
    arg.index = static_cast<__u32>(roll.below(3));
    arg.flags = VLOOP_QUEUE_NOWAIT;
    const long fd = call(w.devices.pick(roll), VLOOP_QUEUE_FD, &arg);
    if (fd >= 0) w.queues.add(static_cast<int>(fd));
    for (int i = 0; i < 8; ++i) {
      const int queue = w.queues.pick(roll);
      const auto got = ::preadv2(queue, &to, 1, -1, RWF_NOWAIT);
      if (got <= 0) continue;
      for (const auto& record : std::span(records).first(static_cast<std::size_t>(got) / sizeof(vloop_record))) {
        if (record.type != VLOOP_RECORD_REQUEST) continue;
        ++w.count.fetched;
        const auto op = some_answer(record, w.shared.data());
        if (::write(queue, &op, sizeof(op)) > 0) ++w.count.answered;
      }
    }
    std::this_thread::yield();
  }
}

void make_files(world& w) {
  for (int i = 0; i < 3; ++i) w.files.add(::memfd_create("stress", MFD_CLOEXEC));
  w.files.add(::open("stress-backing", O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  w.files.add(::open("stress-backing", O_RDWR | O_DIRECT | O_CLOEXEC));
  w.files.add(::open("stress-backing", O_RDONLY | O_CLOEXEC));
  dice any(1);
  for (int i = 0; i < 12; ++i)
    [[maybe_unused]] const int done = ::ftruncate(w.files.pick(any), disk_sectors * sector_bytes);
}

}  // namespace

void be_hostile(std::uint64_t seed, tally& count) {
  dice roll(seed);
  ::setpgid(0, 0);
  // Children are nobody's business.
  ::signal(SIGCHLD, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{descriptors_max, descriptors_max};
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (roll.one_in(3)) become(nobody);

  static world* w = new world(count);
  w->half_there = static_cast<std::byte*>(
      ::mmap(nullptr, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ::munmap(w->half_there + page_bytes, page_bytes);
  expect(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->mail.data()) == 0, "a pair of sockets");
  for (int i = 0; i < 2; ++i) w->controls.add(::open("/dev/vloop", O_RDWR | O_CLOEXEC));
  make_files(*w);
  for (unsigned t = 0; t < threads; ++t) {
    std::thread([seed = roll.bits(), t] {
      if (t == 0) be_diligent(*w, seed);
      for (hostile_thread one(*w, seed, t == 1);;) one.step();
    }).detach();
  }
  // Most are killed; some end by themselves.
  std::this_thread::sleep_for(milliseconds(roll.one_in(3) ? roll.below(3000) : 3600000));
  ::_exit(0);
}

}  // namespace vloop::raw
