// SPDX-License-Identifier: MIT
// The window: what is in flight can be reached in place, and nothing else, whatever its holder tries.
#include "cases.hpp"
#include "process.hpp"
#include "rng.hpp"
#include "window.hpp"

#include <fcntl.h>
#include <liburing.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <csetjmp>
#include <cstdlib>
#include <random>

namespace vloop::raw {

namespace {

constexpr std::byte ours{0x3c}, late{0xee}, theirs{0x11};

std::byte load(const std::byte* at) {
  return *static_cast<const volatile std::byte*>(at);
}

void store(std::byte* at, std::byte value) {
  *static_cast<volatile std::byte*>(at) = value;
}

// ---- signals ----

sigjmp_buf after_signal;

void jump(int signal) {
  ::siglongjmp(after_signal, signal);
}

// The signal that it ends with, or 0. Of one thread only.
template <class Touch>
int signal_of(Touch&& touch) {
  struct sigaction action {};
  action.sa_handler = jump;
  action.sa_flags = SA_NODEFER;
  ::sigaction(SIGBUS, &action, nullptr);
  ::sigaction(SIGSEGV, &action, nullptr);
  const int signal = sigsetjmp(after_signal, 1);
  if (signal == 0) touch();
  ::signal(SIGBUS, SIG_DFL);
  ::signal(SIGSEGV, SIG_DFL);
  return signal;
}

// ---- a disk whose user reads into memory that is not page-aligned ----

class odd_read {
 public:
  static constexpr std::size_t skip = 512;

  odd_read(const std::string& node, std::size_t bytes)
      : bytes_(bytes), memory_(static_cast<std::byte*>(std::aligned_alloc(page_bytes, 16 * page_bytes))) {
    std::fill_n(memory_, 16 * page_bytes, stale);
    thread_ = std::thread([this, node] {
      const owned_fd fd(::open(node.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
      result_ = result_of(::pread(fd.get(), memory_ + skip, bytes_, 0));
    });
  }
  odd_read(const odd_read&) = delete;
  odd_read& operator=(const odd_read&) = delete;
  ~odd_read() {
    if (thread_.joinable()) thread_.join();
    std::free(memory_);
  }

  void expect_read(std::byte value) {
    thread_.join();
    equal("the user's read", result_, static_cast<long>(bytes_));
    const auto is = [](std::byte wanted) { return [wanted](std::byte b) { return b == wanted; }; };
    expect(std::all_of(memory_, memory_ + skip, is(stale)), "the bytes before are as they were");
    expect(std::all_of(memory_ + skip, memory_ + skip + bytes_, is(value)), "the bytes are those written in place");
    expect(std::all_of(memory_ + skip + bytes_, memory_ + 16 * page_bytes, is(stale)), "the bytes behind are too");
  }

 private:
  std::size_t bytes_;
  std::byte* memory_;
  long result_ = 0;
  std::thread thread_;
};

void fill(const window& shown, const vloop_record& request, std::byte value) {
  std::size_t left = request.writable - 1;
  for (const auto& one : shown.chain(request)) {
    if (!one.writable) continue;
    const auto bytes = std::min(one.length, left);
    std::fill_n(one.base, bytes, value);
    left -= bytes;
  }
}

void requests_are_served_in_place() {
  window_disk d;
  {
    const auto served = d.serve();
    for (const std::size_t bytes : {512UL, 4096UL, 65536UL}) {
      equal("a write", transfer::write(d.node(), 1024, bytes, ours).result(), static_cast<long>(bytes));
      const auto back = transfer::read(d.node(), 1024, bytes);
      equal("a read", back.result(), static_cast<long>(bytes));
      expect(back.data_is(ours, 0, bytes), "what was written");
    }
  }
  odd_read odd(d.node(), 9 * 512);
  const auto request = d.q().next_request();
  fill(d.shown(), request, ours);
  equal("an answer", d.q().write(in_place_answer(request)), sizeof(vloop_op));
  odd.expect_read(ours);
  const auto stats = d.q().map_stats();
  const auto faults = stats.as<vloop_queue_stats>().window_faults, taken = stats.as<vloop_queue_stats>().taken;
  expect(faults > 0 && faults <= taken, "one fault puts all of a request in");
}

void a_page_that_is_touched_after_completion_is_a_dummy() {
  window_disk d;
  const auto user = transfer::read(d.node(), 0, page_bytes);
  const auto request = d.q().next_request();
  const auto data = d.shown().data(request, true);
  fill(d.shown(), request, ours);
  equal("an answer", d.q().write(in_place_answer(request)), sizeof(vloop_op));
  equal("the user's read", user.result(), page_bytes);
  expect(load(data.base) == std::byte{0}, "a page that was in flight reads as zero");
  store(data.base, late);
  expect(load(data.base) == late, "what a late server writes, it finds");
  expect(user.data_is(ours, 0, page_bytes), "the user's memory is as it was when the request was answered");
  expect(load(d.shown().slice(d.ring() - 1)) != ours, "a page that never was in flight can be read");
}

void a_dummy_does_not_hide_the_next_request() {
  window_disk d;
  for (std::uint32_t head = 0; head < d.ring(); ++head)
    for (std::size_t page = 0; page < 8; ++page) store(d.shown().slice(head) + page * page_bytes, late);
  odd_read odd(d.node(), 9 * 512);
  const auto request = d.q().next_request();
  fill(d.shown(), request, ours);
  equal("an answer", d.q().write(in_place_answer(request)), sizeof(vloop_op));
  odd.expect_read(ours);
}

void what_the_device_only_reads_cannot_be_written() {
  window_disk d;
  const auto user = transfer::write(d.node(), 0, page_bytes, theirs);
  const auto request = d.q().next_request();
  const auto data = d.shown().data(request, false);
  const auto zeros = open_or_throw("/dev/zero", O_RDONLY);
  equal("a write into it", signal_of([&] { store(data.base, late); }), SIGBUS);
  expect(load(data.base) == theirs, "it can be read");
  equal("a write into it once it is there", signal_of([&] { store(data.base, late); }), SIGBUS);
  equal("a read(2) into it", result_of(::read(zeros.get(), data.base, 16)), -EFAULT);
  auto* const page = reinterpret_cast<void*>(address_of(data.base) & ~(page_bytes - 1));
  for (const int protection : {PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC})
    equal("mprotect", result_of(::mprotect(page, page_bytes, protection)), -EACCES);
  equal("a write into it after all that", signal_of([&] { store(data.base, late); }), SIGBUS);
  expect(user.data_is(theirs, 0, page_bytes), "the user's memory is as it was");
  equal("an answer", d.answer(request), sizeof(vloop_op));
  equal("the user's write", user.result(), page_bytes);
}

void a_window_mapped_for_reading_stays_so() {
  window_disk d;
  const window other(d.q(), d.ring(), PROT_READ);
  equal("a second window", other.error(), 0);
  const auto user = transfer::read(d.node(), 0, page_bytes);
  const auto request = d.q().next_request();
  const auto data = other.data(request, true);
  one_of("a write into it", signal_of([&] { store(data.base, late); }), {SIGSEGV});
  expect(load(data.base) == stale, "it can be read");
  one_of("a write into it once it is there", signal_of([&] { store(data.base, late); }), {SIGSEGV});
  equal("mprotect for writing", result_of(::mprotect(other.base(), page_bytes, PROT_READ | PROT_WRITE)), -EACCES);
  equal("an answer", d.answer(request), sizeof(vloop_op));
  equal("the user's read", user.result(), page_bytes);
}

// A write to a file that goes on when its request has gone must not take zeroes for data.
void a_call_with_memory_that_is_not_in_flight_fails() {
  window_disk d;
  const auto file = memory_file(page_bytes);
  const auto user = transfer::write(d.node(), 0, page_bytes, theirs);
  const auto request = d.q().next_request();
  const auto data = d.shown().data(request, false);
  equal("a write of what is in flight", result_of(::pwrite(file.get(), data.base, page_bytes, 0)), page_bytes);
  std::byte there{};
  equal("the file", result_of(::pread(file.get(), &there, 1, page_bytes - 1)), 1);
  expect(there == theirs, "the file has the user's bytes");
  equal("an answer", d.answer(request), sizeof(vloop_op));
  equal("the user's write", user.result(), page_bytes);
  equal("a write of what was in flight", result_of(::pwrite(file.get(), data.base, page_bytes, 0)), -EFAULT);
  equal("a read into it", result_of(::pread(file.get(), data.base, page_bytes, 0)), -EFAULT);
  equal("a write of what never was", result_of(::pwrite(file.get(), d.shown().slice(d.ring() - 1), 1, 0)), -EFAULT);
}

// Whatever keeps a page beyond the call would keep it beyond the request.
void nothing_pins_the_window() {
  window_disk d;
  const auto user = transfer::write(d.node(), 0, page_bytes, theirs);
  const auto request = d.q().next_request();
  const auto data = d.shown().data(request, false);
  expect(load(data.base) == theirs, "the page is there");
  const iovec buffer{data.base, page_bytes};
  io_uring ring{};
  equal("an io_uring", ::io_uring_queue_init(2, &ring, 0), 0);
  equal("a registered buffer", ::io_uring_register_buffers(&ring, &buffer, 1), -EFAULT);
  ::io_uring_queue_exit(&ring);
  int ends[2];
  expect(::pipe(ends) == 0, "a pipe");
  equal("vmsplice", result_of(::vmsplice(ends[1], &buffer, 1, 0)), -EFAULT);
  std::byte copy{};
  const iovec to{&copy, 1}, from{data.base, 1};
  equal("process_vm_readv", result_of(::process_vm_readv(::getpid(), &to, 1, &from, 1, 0)), -EFAULT);
  const auto memory = open_or_throw("/proc/self/mem", O_RDWR);
  one_of("a read of /proc/self/mem",
         result_of(::pread(memory.get(), &copy, 1, static_cast<off_t>(address_of(data.base)))), {-EIO, -EFAULT});
  equal("an answer", d.answer(request), sizeof(vloop_op));
  equal("the user's write", user.result(), page_bytes);
}

void windows_of_other_sizes_and_places_are_refused() {
  device d(with_window(blk_shape(disk_sectors)));
  const auto q = d.open_queue(0);
  const std::uint32_t ring = 64;
  const auto map = [&](std::uint64_t offset, std::uint64_t bytes, int protection, int flags) {
    return mapping(q.fd(), offset, bytes, protection, flags).error();
  };
  constexpr int both = PROT_READ | PROT_WRITE;
  const auto whole = window_bytes(ring);
  equal("a window", map(VLOOP_MMAP_WINDOW, whole, both, MAP_SHARED), 0);
  for (const auto bytes : {page_bytes, whole - page_bytes, whole + page_bytes, 2 * whole})
    equal("a window of another size", map(VLOOP_MMAP_WINDOW, bytes, both, MAP_SHARED), -EINVAL);
  for (const auto offset : {VLOOP_MMAP_WINDOW - page_bytes, VLOOP_MMAP_WINDOW + page_bytes, VLOOP_MMAP_WINDOW + whole,
                            VLOOP_MMAP_WINDOW << 1, VLOOP_MMAP_DESCS + page_bytes})
    equal("a window elsewhere", map(offset, whole, both, MAP_SHARED), -EINVAL);
  equal("a private window", map(VLOOP_MMAP_WINDOW, whole, both, MAP_PRIVATE), -EINVAL);
  equal("an executable window", map(VLOOP_MMAP_WINDOW, whole, both | PROT_EXEC, MAP_SHARED), -EPERM);
  equal("the descriptors", map(VLOOP_MMAP_DESCS, page_bytes, PROT_READ, MAP_SHARED), 0);
  equal("writable descriptors", map(VLOOP_MMAP_DESCS, page_bytes, both, MAP_SHARED), -EPERM);
  equal("two pages of descriptors", map(VLOOP_MMAP_DESCS, 2 * page_bytes, PROT_READ, MAP_SHARED), -EINVAL);
  const mapping page(q.fd(), VLOOP_MMAP_DESCS);
  equal("mprotect of the descriptors", result_of(::mprotect(page.address(), page_bytes, both)), -EACCES);

  device without(blk_shape(disk_sectors));
  const auto other = without.open_queue(0);
  equal("a window of a device without", window(other, ring).error(), -EINVAL);
  auto shape = blk_shape(disk_sectors);
  shape.arg.flags = 2;
  equal("an unknown flag", create(std::move(shape)), -EINVAL);
}

void a_window_is_neither_stretched_nor_inherited() {
  window_disk d;
  const auto user = transfer::read(d.node(), 0, page_bytes);
  const auto request = d.q().next_request();
  const auto data = d.shown().data(request, true);
  expect(load(data.base) == stale, "the user's memory, as it is before the read");
  const auto whole = window_bytes(d.ring());
  const auto remap = [&](void* from, std::size_t bytes, std::size_t to) {
    void* moved = ::mremap(from, bytes, to, MREMAP_MAYMOVE);
    return moved == MAP_FAILED ? -static_cast<long>(errno) : 0L;
  };
  equal("a window that grows", remap(d.shown().base(), whole, whole + page_bytes), -EFAULT);
  equal("a copy of it", remap(d.shown().base(), 0, whole), -EFAULT);
  equal("a child that gets it after all", result_of(::madvise(d.shown().base(), whole, MADV_DOFORK)), -EINVAL);
  process::run([&] { equal("a touch by a child", signal_of([&] { load(data.base); }), SIGSEGV); }).join();
  expect(load(data.base) == stale, "the server still has it");
  equal("an answer", d.answer(request), sizeof(vloop_op));
  equal("the user's read", user.result(), page_bytes);
}

// Twice mapped, and one of them moved: all of them are cut off.
void every_mapping_is_cut_off() {
  window_disk d;
  const auto whole = window_bytes(d.ring());
  window second(d.q(), d.ring());
  equal("a second window", second.error(), 0);
  mapping third(d.q().fd(), VLOOP_MMAP_WINDOW, whole, PROT_READ | PROT_WRITE);
  equal("a third window", third.error(), 0);
  const auto user = transfer::read(d.node(), 0, page_bytes);
  const auto request = d.q().next_request();
  const auto at = d.shown().data(request, true).base - d.shown().base();
  auto* place = static_cast<std::byte*>(third.address()) + at;
  expect(load(place) == stale && load(second.base() + at) == stale, "both show the user's memory");
  auto* const page = reinterpret_cast<std::byte*>(address_of(place) & ~(page_bytes - 1));
  auto* const elsewhere =
      static_cast<std::byte*>(::mmap(nullptr, page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  expect(::mremap(page, page_bytes, page_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) == elsewhere,
         "a page that moves");
  place = elsewhere + (place - page);
  expect(load(place) == stale, "the page that moved shows it too");
  fill(d.shown(), request, ours);
  expect(load(place) == ours, "all show the same");
  equal("an answer", d.q().write(in_place_answer(request)), sizeof(vloop_op));
  equal("the user's read", user.result(), page_bytes);
  for (auto* one : {d.shown().base() + at, second.base() + at, place}) {
    expect(load(one) != ours, "a mapping is cut off");
    store(one, late);
  }
  expect(user.data_is(ours, 0, page_bytes), "the user's memory is as it was when the request was answered");
}

void rules_of_operations_with_a_window() {
  window_disk d;
  const auto file = memory_file(disk_sectors * sector_bytes);
  equal("SET_FILE", d.dev().set_file(0, file.get()), 0);
  const auto user = transfer::read(d.node(), 0, page_bytes);
  const auto request = d.q().next_request();
  equal("an answer by a transfer from a file", d.q().write(good_answer(request)), -EINVAL);
  auto op = op_for(request, VLOOP_VERB_SYNC_FILE, answer);
  equal("an answer by a sync", d.q().write(op), -EINVAL);
  op = in_place_answer(request);
  op.length = request.writable;
  equal("bytes in place over the status byte", d.q().write(op), -EINVAL);
  op.skip = 1;
  op.length = 16;
  equal("bytes in place behind a hole", d.q().write(op), -EINVAL);
  op = op_for(request, VLOOP_VERB_FILE_TO_REQUEST);
  op.length = 512;
  equal("a transfer that keeps the request", d.q().write(op), sizeof(op));
  equal("its DONE", d.q().next_done(), 512);
  // What nobody claims to have written is not shown to the user.
  fill(d.shown(), request, ours);
  op = op_for(request, VLOOP_VERB_IN_PLACE, answer_silently);
  op.skip = 512;
  op.length = 512;
  equal("an answer", d.q().write(op), sizeof(op));
  equal("the user's read", user.result(), page_bytes);
  expect(user.data_is(ours, 0, 1024) && user.data_is(std::byte{0}, 1024, page_bytes), "what was claimed, and zeroes");

  disk without;
  const auto other = transfer::read(without.node(), 0, 512);
  const auto plain = without.q().next_request();
  equal("bytes in place without a window", without.q().write(in_place_answer(plain)), -EINVAL);
  equal("an answer", without.q().write(good_answer(plain)), sizeof(op));
  equal("the read", other.result(), 512);
}

// Unbinding takes the driver's memory back while its request is in the server's hands.
void a_reset_takes_the_window_away() {
  entropy rng(with_window(rng_shape()));
  const window shown(rng.q(), 8);
  equal("the window", shown.error(), 0);
  const auto file = memory_file(page_bytes);
  for (int round = 0; round < 10; ++round) {
    const auto request = rng.q().next_request();
    const auto data = shown.data(request, true);
    store(data.base, ours);
    expect(load(data.base) == ours, "the buffer is there");
    rng.unbind();
    equal("a write of the buffer that was", result_of(::pwrite(file.get(), data.base, 1, 0)), -EFAULT);
    expect(load(data.base) == std::byte{0} || round > 0, "a page of before the reset reads as zero");
    store(data.base, late);
    rng.bind();
  }
  const auto request = rng.q().next_request();
  std::fill_n(shown.data(request, true).base, 8, ours);
  auto op = op_for(request, VLOOP_VERB_IN_PLACE, VLOOP_OP_COMPLETE | VLOOP_OP_DETACH);
  op.length = 8;
  equal("an answer", rng.q().write(op), sizeof(op));
}

device_shape recoverable_with_window() {
  auto shape = blk_shape(disk_sectors);
  shape.arg.on_exit = VLOOP_EXIT_REISSUE;
  return shape;
}

void the_next_server_has_the_window_for_itself() {
  const control module;
  window_disk d(recoverable_with_window());
  const auto user = transfer::read(d.node(), 0, page_bytes);
  const auto before = d.q().next_request();
  const auto data = d.shown().data(before, true);
  store(data.base, late);
  equal("DETACH", d.dev().detach(), 0);
  const auto file = memory_file(page_bytes);
  equal("a read into the old window", result_of(::pread(file.get(), data.base, 16, 0)), -EFAULT);
  expect(load(data.base) == std::byte{0}, "the old window has nothing while nobody serves");
  equal("a new window of the old descriptor", window(d.q(), d.ring()).error(), -ENODEV);

  const auto next = attach(module, d.dev().id());
  auto q = next.open_queue(0);
  const window shown(q, d.ring());
  equal("the next server's window", shown.error(), 0);
  const auto again = q.next_request();
  equal("the request that comes again", again.head, before.head);
  fill(shown, again, ours);
  expect(load(data.base) == std::byte{0}, "the old window has nothing while the next serves");
  store(data.base, late);
  equal("an answer", q.write(in_place_answer(again)), sizeof(vloop_op));
  equal("the user's read", user.result(), page_bytes);
  expect(user.data_is(ours, 0, page_bytes), "the user has what the next server wrote");

  const auto last = transfer::read(d.node(), 0, page_bytes);
  const auto asked = q.next_request();
  const auto there = shown.data(asked, true);
  store(there.base, ours);
  equal("STOP by force", module.stop(d.dev().id(), VLOOP_STOP_FORCE), 0);
  equal("the read that nobody answers", last.result(), -EIO);
  store(there.base, late);
  const auto bytes = last.data();
  expect(std::find(bytes.begin(), bytes.end(), late) == bytes.end(), "what is written after the end is not the user's");
  wait_until_gone(d.dev().id());
}

// ---- rights ----

void give_up_rawio() {
  __user_cap_header_struct who{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct has[2];
  expect(::syscall(SYS_capget, &who, has) == 0, "the capabilities");
  for (auto* set : {&has[0].effective, &has[0].permitted, &has[0].inheritable}) *set &= ~(1U << CAP_SYS_RAWIO);
  expect(::syscall(SYS_capset, &who, has) == 0, "a process without CAP_SYS_RAWIO");
}

void without_the_right_there_is_no_window() {
  const control module;
  window_disk d(recoverable_with_window());
  const auto id = d.dev().id();
  process::run([&] {
    give_up_rawio();
    equal("creating a window", create(with_window(blk_shape(disk_sectors))), -EPERM);
    equal("creating a device without one", create(blk_shape(disk_sectors)), 0);
    equal("a window of a descriptor from before", window(d.q(), d.ring()).error(), -EPERM);
    equal("its descriptors", mapping(d.q().fd(), VLOOP_MMAP_DESCS).error(), -EPERM);
    equal("ATTACH", control().attach(id), -EPERM);
  }).join();
  equal("a window of who has the right", window(d.q(), d.ring()).error(), 0);
  equal("STOP by force", module.stop(id, VLOOP_STOP_FORCE), 0);
  wait_until_gone(id);
}

// ---- races ----

// Threads touch the window without end; what is theirs no longer must not change. They write to the second page of a
// slice only: that is the data of a read, while the last one has the status byte, and around it the driver's own
// memory.
void touching_races_with_completion() {
  constexpr unsigned touchers = 3, heads = 8;
  const auto seconds = std::chrono::seconds(4);
  window_disk d(blk_shape(disk_sectors, 1, heads));
  std::atomic<bool> stop = false;
  std::atomic<long> changed = 0, rounds = 0;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < touchers; ++i) {
    threads.emplace_back([&, i] {
      std::minstd_rand random(i + 1);
      const auto file = memory_file(page_bytes);
      while (!stop) {
        std::byte* const at = d.shown().slice(random() % heads) + page_bytes;
        if (random() % 8 == 0) [[maybe_unused]]
          const auto written = ::pwrite(file.get(), at, 64, 0);
        else [[maybe_unused]]
          const auto got = ::pread(file.get(), at + 1024, 64, 0);
        load(at);
      }
    });
  }
  for (unsigned i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      auto* const memory = static_cast<std::byte*>(std::aligned_alloc(page_bytes, 2 * page_bytes));
      const owned_fd fd(::open(d.node().c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
      while (!stop) {
        if (::pread(fd.get(), memory, 2 * page_bytes, i * 8192) != 2 * page_bytes) ++changed;
        std::fill_n(memory, 2 * page_bytes, theirs);
        std::this_thread::yield();
        if (!std::all_of(memory, memory + 2 * page_bytes, [](std::byte b) { return load(&b) == theirs; })) ++changed;
        ++rounds;
      }
      std::free(memory);
    });
  }
  {
    const auto served = d.serve();
    std::this_thread::sleep_for(seconds);
    stop = true;
    for (auto& one : threads) one.join();
  }
  equal("reads whose memory was changed afterwards, or that failed", changed, 0);
  expect(rounds > 20, "reads that ended");
}

constexpr named_case cases[] = {
    {"requests_are_served_in_place", requests_are_served_in_place},
    {"a_page_that_is_touched_after_completion_is_a_dummy", a_page_that_is_touched_after_completion_is_a_dummy},
    {"a_dummy_does_not_hide_the_next_request", a_dummy_does_not_hide_the_next_request},
    {"what_the_device_only_reads_cannot_be_written", what_the_device_only_reads_cannot_be_written},
    {"a_window_mapped_for_reading_stays_so", a_window_mapped_for_reading_stays_so},
    {"a_call_with_memory_that_is_not_in_flight_fails", a_call_with_memory_that_is_not_in_flight_fails},
    {"nothing_pins_the_window", nothing_pins_the_window},
    {"windows_of_other_sizes_and_places_are_refused", windows_of_other_sizes_and_places_are_refused},
    {"a_window_is_neither_stretched_nor_inherited", a_window_is_neither_stretched_nor_inherited},
    {"every_mapping_is_cut_off", every_mapping_is_cut_off},
    {"rules_of_operations_with_a_window", rules_of_operations_with_a_window},
    {"a_reset_takes_the_window_away", a_reset_takes_the_window_away},
    {"the_next_server_has_the_window_for_itself", the_next_server_has_the_window_for_itself},
    {"without_the_right_there_is_no_window", without_the_right_there_is_no_window},
    {"touching_races_with_completion", touching_races_with_completion},
};

}  // namespace

std::span<const named_case> window_cases() {
  return cases;
}

}  // namespace vloop::raw
