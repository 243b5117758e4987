// SPDX-License-Identifier: MIT
// The two pages that a process can map are the module's: by no way can they be written to, or their mapping be
// stretched.
#include "cases.hpp"
#include "disk.hpp"
#include "process.hpp"

#include <liburing.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

namespace vloop::raw {

namespace {

constexpr std::uint64_t offsets[] = {VLOOP_MMAP_AVAIL, VLOOP_MMAP_STATS};

long protect(void* page, int protection) {
  return result_of(::mprotect(page, page_bytes, protection));
}

void mappings_that_ask_for_more_are_refused() {
  device d(blk_shape(disk_sectors));
  const auto q = d.open_queue(0);
  for (const auto offset : offsets) {
    for (const int flags : {MAP_SHARED, MAP_PRIVATE}) {
      equal("a writable mapping", mapping(q.fd(), offset, page_bytes, PROT_READ | PROT_WRITE, flags).error(), -EPERM);
      equal("a mapping for writing only", mapping(q.fd(), offset, page_bytes, PROT_WRITE, flags).error(), -EPERM);
      equal("an executable mapping", mapping(q.fd(), offset, page_bytes, PROT_READ | PROT_EXEC, flags).error(), -EPERM);
    }
  }
}

void mappings_stay_read_only() {
  device d(blk_shape(disk_sectors));
  const auto q = d.open_queue(0);
  for (const auto offset : offsets) {
    for (const int flags : {MAP_SHARED, MAP_PRIVATE}) {
      const mapping page(q.fd(), offset, page_bytes, PROT_READ, flags);
      equal("a mapping", page.error(), 0);
      equal("mprotect for writing", protect(page.address(), PROT_READ | PROT_WRITE), -EACCES);
      equal("mprotect for execution", protect(page.address(), PROT_READ | PROT_EXEC), -EACCES);
      equal("mprotect for nothing", protect(page.address(), PROT_NONE), 0);
      equal("mprotect for reading", protect(page.address(), PROT_READ), 0);
      process::run([&] {
        equal("mprotect in a child", protect(page.address(), PROT_READ | PROT_WRITE), -EACCES);
      }).join();
    }
  }
}

// Not by force either: what a debugger may write to, and what the kernel writes to on our behalf.
void mappings_cannot_be_written_by_force() {
  device d(blk_shape(disk_sectors));
  const auto q = d.open_queue(0);
  const std::uint64_t value = 0x4141414141414141;
  const auto memory = open_or_throw("/proc/self/mem", O_RDWR);
  const auto zeros = open_or_throw("/dev/zero", O_RDONLY);
  for (const auto offset : offsets) {
    for (const int flags : {MAP_SHARED, MAP_PRIVATE}) {
      const mapping page(q.fd(), offset, page_bytes, PROT_READ, flags);
      equal("a mapping", page.error(), 0);
      const auto& word = page.as<std::uint64_t>();
      const std::uint64_t before = word;
      const auto at = static_cast<off_t>(address_of(page.address()));
      one_of("a write to /proc/self/mem", result_of(::pwrite(memory.get(), &value, sizeof(value), at)),
             {-EIO, -EFAULT});
      equal("a read into it", result_of(::read(zeros.get(), page.address(), sizeof(value))), -EFAULT);
      const iovec from{const_cast<std::uint64_t*>(&value), sizeof(value)}, to{page.address(), sizeof(value)};
      equal("process_vm_writev", result_of(::process_vm_writev(::getpid(), &from, 1, &to, 1, 0)), -EFAULT);
      const iovec buffer{page.address(), page_bytes};
      io_uring ring{};
      equal("an io_uring", ::io_uring_queue_init(2, &ring, 0), 0);
      equal("a registered buffer", ::io_uring_register_buffers(&ring, &buffer, 1), -EFAULT);
      ::io_uring_queue_exit(&ring);

      auto child = process::run([] {
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::raise(SIGSTOP);
      });
      int status = 0;
      expect(::waitpid(child.pid(), &status, 0) == child.pid() && WIFSTOPPED(status), "a child that is traced");
      one_of("a debugger's write", result_of(::ptrace(PTRACE_POKEDATA, child.pid(), page.address(), value)),
             {-EIO, -EFAULT});
      ::ptrace(PTRACE_CONT, child.pid(), nullptr, nullptr);
      child.join();
      expect(word == before, "the page is as it was");
    }
  }
}

void mappings_cannot_be_stretched() {
  device d(blk_shape(disk_sectors));
  const auto q = d.open_queue(0);
  for (const auto offset : offsets) {
    const mapping page(q.fd(), offset);
    equal("a mapping", page.error(), 0);
    const auto remap = [&](std::size_t from, std::size_t to) {
      void* moved = ::mremap(page.address(), from, to, MREMAP_MAYMOVE);
      return moved == MAP_FAILED ? -static_cast<long>(errno) : 0L;
    };
    equal("mremap to two pages", remap(page_bytes, 2 * page_bytes), -EFAULT);
    equal("mremap as a copy", remap(0, page_bytes), -EFAULT);
    expect(page.as<std::uint64_t>() < UINT64_MAX, "the page can be read");
    // This may take the old mapping away before it fails.
    one_of("another page in its place", result_of(::remap_file_pages(page.address(), page_bytes, 0, 1, 0)),
           {-EINVAL, -ENOSYS});
  }
}

// The pages are the module's: they outlive the descriptor, the device and its driver.
void mappings_outlive_their_device() {
  disk d;
  const mapping avail(d.q().fd(), VLOOP_MMAP_AVAIL), stats(d.q().fd(), VLOOP_MMAP_STATS);
  const auto size = stats.as<vloop_queue_stats>().size;
  const auto id = d.dev().id();
  d.close();
  wait_until_gone(id);
  equal("the statistics after the end", static_cast<long>(stats.as<vloop_queue_stats>().size), static_cast<long>(size));
  expect(avail.as<std::uint64_t>() <= UINT64_MAX, "the ring after the end can be read");
  equal("mprotect after the end", protect(avail.address(), PROT_READ | PROT_WRITE), -EACCES);
}

constexpr named_case cases[] = {
    {"mappings_that_ask_for_more_are_refused", mappings_that_ask_for_more_are_refused},
    {"mappings_stay_read_only", mappings_stay_read_only},
    {"mappings_cannot_be_written_by_force", mappings_cannot_be_written_by_force},
    {"mappings_cannot_be_stretched", mappings_cannot_be_stretched},
    {"mappings_outlive_their_device", mappings_outlive_their_device},
};

}  // namespace

std::span<const named_case> mapping_cases() {
  return cases;
}

}  // namespace vloop::raw
