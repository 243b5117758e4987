// SPDX-License-Identifier: MIT
// Lifetimes: a place is filled in after its memory was mapped and emptied before that is unmapped, and nobody touches
// memory whose owner is gone. So a fault in it finds it in its place, and the handler needs no lock.
#include "vhost_user/guarded_memory.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <string>

#include "runtime/setup_error.hpp"

namespace vloop::vhost_user {
namespace {

struct place {
  std::atomic<bool> taken{false};
  std::atomic<std::uintptr_t> begin{0};  // 0: nothing is guarded
  std::atomic<std::uintptr_t> end{0};
  std::atomic<std::size_t> page{0};
  std::atomic<int> told{-1};
};
std::array<place, guarded_memory::most> places;
struct sigaction before;

// A page of zeros where the fault was, and the access is done again. Only what may be called in a signal handler.
bool replace_page(std::uintptr_t address) {
  for (const place& p : places) {
    const std::uintptr_t begin = p.begin.load(std::memory_order_acquire);
    if (begin == 0 || address < begin || address >= p.end.load(std::memory_order_relaxed)) continue;
    const std::size_t page = p.page.load(std::memory_order_relaxed);
    const std::uintptr_t at = address / page * page;
    void* const zeros = ::mmap(reinterpret_cast<void*>(at), page, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    if (zeros == MAP_FAILED) return false;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(p.told.load(std::memory_order_relaxed), &one, sizeof one);
    return true;
  }
  return false;
}

void on_bus_error(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  const bool ours = info->si_code == BUS_ADRERR && replace_page(reinterpret_cast<std::uintptr_t>(info->si_addr));
  errno = error;
  if (ours) return;
  if (before.sa_flags & SA_SIGINFO) return before.sa_sigaction(signal, info, context);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal);
  ::sigaction(SIGBUS, &before, nullptr);  // the access is done again, and ends the process
}

void install_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction ours {};
    ours.sa_sigaction = on_bus_error;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&ours.sa_mask);
    ::sigaction(SIGBUS, &ours, &before);
  });
}

// What a mapping of the file begins at a multiple of.
std::size_t page_of(int fd) {
  struct statfs on {};
  const auto usual = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  if (::fstatfs(fd, &on) != 0 || static_cast<unsigned long>(on.f_type) != HUGETLBFS_MAGIC) return usual;
  return static_cast<std::size_t>(on.f_bsize);
}

// One that is free, and taken now; `most`: there is none.
std::size_t take_place() {
  for (std::size_t i = 0; i < places.size(); ++i)
    if (!places[i].taken.exchange(true)) return i;
  return places.size();
}

void check_file(const char* what, int fd, std::uint64_t offset, std::uint64_t size) {
  // The first question is answered by the kernel alone. Whose answers and pages come from another process (FUSE) could
  // hold us up for as long as that likes.
  if (::fcntl(fd, F_GET_SEALS) < 0)
    throw setup_error(EPROTO, what, "its descriptor is not of memory: a memfd, or a file of tmpfs or hugetlbfs");
  struct stat file {};
  if (::fstat(fd, &file) != 0) throw setup_error(errno, what);
  const auto there = static_cast<std::uint64_t>(file.st_size);
  if (size == 0 || offset > there || size > there - offset)
    throw setup_error(EPROTO, what,
                      "its file has " + std::to_string(there) + " bytes, too few for " + std::to_string(size) + " at " +
                          std::to_string(offset));
}

}  // namespace

guarded_memory::guarded_memory(const char* what, int fd, std::uint64_t offset, std::uint64_t size, int told) {
  check_file(what, fd, offset, size);
  install_handler();
  const std::size_t page = page_of(fd);
  const std::uint64_t front = offset % page;
  const std::size_t length = (front + size + page - 1) / page * page;
  place_ = take_place();
  if (place_ == most) throw setup_error(ENOSPC, what, "too much memory of others is mapped");
  void* const memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
                              static_cast<off_t>(offset - front));
  if (memory == MAP_FAILED) {
    const int error = errno;
    places[place_].taken = false;
    throw setup_error(error, what, "its memory cannot be mapped");
  }
  mapping_ = {static_cast<std::byte*>(memory), length};
  bytes_ = mapping_.subspan(front, size);
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  places[place_].told.store(told, std::memory_order_relaxed);
  places[place_].page.store(page, std::memory_order_relaxed);
  places[place_].end.store(begin + length, std::memory_order_relaxed);
  // Orders the stores above before this one; pairs with the handler's load.
  places[place_].begin.store(begin, std::memory_order_release);
}

guarded_memory::~guarded_memory() {
  places[place_].begin.store(0, std::memory_order_release);
  ::munmap(mapping_.data(), mapping_.size());
  places[place_].taken = false;
}

}  // namespace vloop::vhost_user
