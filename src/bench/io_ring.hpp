// SPDX-License-Identifier: MIT
// io_uring with nothing around it, so that what is measured is the target: one thread, one enter for all that was
// prepared and for the wait. Calls of io_uring_enter are counted.
#pragma once

#include <liburing.h>

#include <cstdint>

namespace vloop::bench {

class io_ring {
 public:
  // Throws setup_error.
  explicit io_ring(unsigned entries);
  ~io_ring();
  io_ring(const io_ring&) = delete;
  io_ring& operator=(const io_ring&) = delete;

  // `fd` is then known as file 0, to entries with IOSQE_FIXED_FILE. Throws setup_error.
  void register_file(int fd);

  // fill(entry) calls io_uring_prep_X; the completion is known by `tag`, which is not ~0.
  template <class Fill>
  void prepare(std::uint64_t tag, Fill fill) {
    io_uring_sqe& entry = free_entry();
    fill(&entry);
    entry.user_data = tag;
  }

  // Submits without a wait; with one, of turn_max at most. Throws setup_error where the kernel refuses.
  void submit();
  void submit_and_wait();

  // Calls visit(tag, result) for each completion there is.
  template <class Visit>
  void collect(Visit visit) {
    unsigned head = 0, count = 0;
    io_uring_cqe* entry = nullptr;
    io_uring_for_each_cqe(&ring_, head, entry) {
      ++count;
      if (entry->user_data == tick_tag) {
        ticking_ = false;
      } else {
        visit(std::uint64_t{entry->user_data}, std::int32_t{entry->res});
      }
    }
    io_uring_cq_advance(&ring_, count);
  }

  std::uint64_t enters() const { return enters_; }

 private:
  static constexpr std::uint64_t tick_tag = ~std::uint64_t{0};

  io_uring_sqe& free_entry();
  void entered(int result);

  io_uring ring_{};
  bool ticking_ = false;  // a timeout is under way: what bounds a wait, without a system call of its own
  std::uint64_t enters_ = 0;
};

}  // namespace vloop::bench
