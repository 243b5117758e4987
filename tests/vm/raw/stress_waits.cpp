// SPDX-License-Identifier: MIT
#include "stress_thread.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <chrono>

namespace vloop::raw {

// Only the thread that may be held up waits.
void hostile_thread::wait_somewhere() {
  if (!may_wait_) return;
  std::array<vloop_record, 4> records;
  pollfd wanted{w_.queues.pick(roll_), POLLIN, 0};
  switch (roll_.below(4)) {
    case 0:
      counted(result_of(::read(w_.queues.pick(roll_), records.data(), sizeof(records))));
      return;
    case 1:
      counted(result_of(::read(w_.devices.pick(roll_), records.data(), sizeof(records))));
      return;
    case 2:
      ::poll(&wanted, 1, static_cast<int>(roll_.below(50)));
      return;
    default: {
      // Our own disks as backing files, and as users.
      const auto node = disk_node(static_cast<std::uint32_t>(roll_.below(devices_max)));
      const int fd = node.empty() ? -1 : ::open(node.c_str(), roll_.pick({O_RDWR, O_RDONLY}) | O_CLOEXEC);
      if (fd < 0) return;
      if (roll_.one_in(2) && ::pread(fd, records.data(), sizeof(records), 4096) < 0) counted(-EIO);
      w_.files.add(fd);
    }
  }
}

void hostile_thread::fork_child() {
  if (!roll_.one_in(16)) return;
  const auto life = std::chrono::microseconds(roll_.below(20000));
  const bool exec = roll_.one_in(4);
  const int queue = w_.queues.pick(roll_), device = w_.devices.pick(roll_);
  const pid_t child = ::fork();
  if (child != 0) return;
  // Other threads' locks may be held for ever here: nothing but calls.
  std::array<vloop_record, 4> records;
  const iovec to{records.data(), sizeof(records)};
  for (const auto end = clock::now() + life; clock::now() < end;) {
    [[maybe_unused]] const auto got = ::preadv2(queue, &to, 1, -1, RWF_NOWAIT);
    ::ioctl(device, VLOOP_START);
    vloop_op op{};
    [[maybe_unused]] const auto begun = ::write(queue, &op, sizeof(op));
  }
  if (exec) ::execl("/bin/true", "true", nullptr);
  ::_exit(0);
}

}  // namespace vloop::raw
