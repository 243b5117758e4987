// SPDX-License-Identifier: MIT
#include "stress_thread.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

namespace vloop::raw {

void hostile_thread::map_page() {
  const auto offset =
      roll_.one_in(8) ? roll_.number() / page_bytes * page_bytes : roll_.pick({VLOOP_MMAP_AVAIL, VLOOP_MMAP_STATS});
  const int protection = roll_.one_in(4) ? static_cast<int>(roll_.below(8)) : PROT_READ;
  void* page = ::mmap(nullptr, roll_.one_in(8) ? 2 * page_bytes : page_bytes, protection,
                      roll_.pick({MAP_SHARED, MAP_PRIVATE}), w_.queues.pick(roll_), static_cast<off_t>(offset));
  counted(page == MAP_FAILED ? -errno : 0);
  if (page == MAP_FAILED) return;
  const std::scoped_lock hold(w_.lock);
  if (w_.pages.size() < pages_kept) {
    w_.pages.push_back(page);
  } else {
    auto& old = w_.pages[roll_.below(pages_kept)];
    ::munmap(old, page_bytes);
    old = page;
  }
}

// Never to write there: beside what a request lets the device write lies memory that the kernel works with.
void hostile_thread::look_through_window() {
  const std::uint64_t bytes = std::uint64_t{4U << roll_.below(5)} * VLOOP_WINDOW_SLICE;
  void* window = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, w_.queues.pick(roll_), VLOOP_MMAP_WINDOW);
  counted(window == MAP_FAILED ? -errno : 0);
  if (window == MAP_FAILED) return;
  std::array<int, 2> ends{};
  const bool piped = ::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0;
  for (int i = 0; i < 32; ++i) {
    const auto* at = static_cast<const std::byte*>(window) +
                     roll_.below(bytes / VLOOP_WINDOW_SLICE) * VLOOP_WINDOW_SLICE + roll_.below(8) * page_bytes;
    if (piped && roll_.one_in(2))
      counted(result_of(::write(ends[1], at, 64)));
    else [[maybe_unused]]
      const std::byte seen = *static_cast<const volatile std::byte*>(at);
  }
  if (roll_.one_in(2)) ::munmap(static_cast<std::byte*>(window) + page_bytes, page_bytes);  // in two from here on
  ::munmap(window, bytes);
  if (!piped) return;
  ::close(ends[0]);
  ::close(ends[1]);
}

// With the lock, so that nobody else's memory comes to lie there meanwhile.
void hostile_thread::abuse_page() {
  const std::scoped_lock hold(w_.lock);
  if (w_.pages.empty()) return;
  auto& page = w_.pages[roll_.below(w_.pages.size())];
  switch (roll_.below(6)) {
    case 0:
      ::mprotect(page, page_bytes, static_cast<int>(roll_.below(8)));
      return;
    case 1:
      ::madvise(page, page_bytes, static_cast<int>(roll_.below(26)));
      return;
    case 2: {
      void* moved = ::mremap(page, page_bytes, page_bytes * (1 + roll_.below(2)), static_cast<int>(roll_.below(2)));
      if (moved != MAP_FAILED) page = moved;
      return;
    }
    case 3:
      ::mlock(page, page_bytes);
      return;
    case 4: {
      // Pages that a pipe holds on to.
      std::array<int, 2> ends{};
      if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return;
      const iovec from{page, page_bytes};
      [[maybe_unused]] const auto spliced = ::vmsplice(ends[1], &from, 1, SPLICE_F_NONBLOCK | SPLICE_F_GIFT);
      ::munmap(page, page_bytes);
      page = w_.pages.back();
      w_.pages.pop_back();
      ::close(ends[0]);
      ::close(ends[1]);
      return;
    }
    default:
      ::munmap(page, page_bytes);
      page = w_.pages.back();
      w_.pages.pop_back();
  }
}

}  // namespace vloop::raw
