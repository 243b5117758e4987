// SPDX-License-Identifier: MIT
#include "descriptor_mail.hpp"
#include "stress_thread.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vloop::raw {

void hostile_thread::use_ring() {
  if (!ring_works_) return;
  for (auto n = 1 + roll_.below(4); n > 0; --n) {
    auto* sqe = ::io_uring_get_sqe(&ring_);
    if (sqe == nullptr) break;
    const int fd = roll_.one_in(4) ? w_.devices.pick(roll_) : w_.queues.pick(roll_);
    switch (roll_.below(6)) {
      case 0:
        ::io_uring_prep_poll_add(sqe, fd, POLLIN);
        break;
      case 1:
        ::io_uring_prep_cancel64(sqe, roll_.below(4), static_cast<int>(roll_.below(4)));
        break;
      case 2: {
        auto* op = reinterpret_cast<vloop_op*>(w_.shared.data() + page_bytes);
        *op = some_op();
        ::io_uring_prep_write(sqe, fd, op, sizeof(*op), 0);
        break;
      }
      default:
        ::io_uring_prep_read(sqe, fd, w_.shared.data() + 2 * page_bytes + roll_.below(8) * 256, 256, 0);
    }
    sqe->flags |= static_cast<__u8>(roll_.one_in(4) ? IOSQE_ASYNC : 0);
    sqe->user_data = roll_.below(4);
  }
  counted(::io_uring_submit(&ring_));
  io_uring_cqe* cqe = nullptr;
  while (::io_uring_peek_cqe(&ring_, &cqe) == 0) ::io_uring_cqe_seen(&ring_, cqe);
  if (!roll_.one_in(64)) return;
  ::io_uring_queue_exit(&ring_);
  ring_works_ = ::io_uring_queue_init(16, &ring_, 0) == 0;
}

void hostile_thread::pass_on() {
  send_descriptor(w_.mail[0], (roll_.one_in(2) ? w_.devices : w_.queues).pick(roll_), MSG_DONTWAIT);
}

void hostile_thread::receive() {
  const int fd = receive_descriptor(w_.mail[1], MSG_DONTWAIT);
  // Of either kind: the calls of the other are refused.
  if (fd >= 0) (roll_.one_in(2) ? w_.devices : w_.queues).add(fd);
}

void hostile_thread::close_one() {
  if (roll_.one_in(4)) {
    const int copy = ::fcntl(w_.queues.pick(roll_), F_DUPFD_CLOEXEC, 3);
    if (copy >= 0) w_.queues.add(copy);
    return;
  }
  const int fd = (roll_.one_in(3) ? w_.devices : w_.queues).take(roll_);
  if (fd >= 0) ::close(fd);
}

void hostile_thread::disturb_file() {
  const int fd = w_.files.pick(roll_);
  switch (roll_.below(5)) {
    case 0: {
      [[maybe_unused]] const int done = ::ftruncate(fd, static_cast<off_t>(roll_.below(disk_sectors * sector_bytes)));
      return;
    }
    case 1: {
      [[maybe_unused]] const int done = ::ftruncate(fd, disk_sectors * sector_bytes);
      return;
    }
    case 2:
      ::fcntl(fd, F_SETFL, roll_.pick({0, O_APPEND, O_DIRECT, O_NONBLOCK}));
      return;
    case 3:
      ::fcntl(w_.queues.pick(roll_), F_SETFL, roll_.pick({0, O_NONBLOCK}));
      return;
    default:
      ::fcntl(w_.devices.pick(roll_), F_SETFL, roll_.pick({0, O_NONBLOCK, O_ASYNC}));
  }
}

}  // namespace vloop::raw
