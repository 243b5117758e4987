// SPDX-License-Identifier: MIT
#include "runtime/loop.hpp"

#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>

#include "runtime/setup_error.hpp"
#include "runtime/task_group.hpp"

namespace vloop {
namespace {

using clock = std::chrono::steady_clock;

// TASKRUN_FLAG lets the loop see without a system call that deferred completions wait.
unsigned setup_flags(ring_mode mode) {
  const unsigned common = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  switch (mode) {
    case ring_mode::deferred:
      return common | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
             IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    case ring_mode::cooperative:
      return common | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    case ring_mode::interrupting:
      return common;
  }
  return common;
}

std::string setup_hint(int error) {
  switch (error) {
    case EPERM:
      return "io_uring is switched off or filtered: see sysctl kernel.io_uring_disabled, or the container's seccomp "
             "profile";
    case ENOSYS:
      return "this kernel has no io_uring; 5.19 or newer is needed";
    case ENOMEM:
      return "raise the locked-memory limit: ulimit -l";
    case EMFILE:
    case ENFILE:
      return "too many open files: ulimit -n";
    default:
      return {};
  }
}

/// Makes the ring in the best mode that the kernel has; says which.
ring_mode make_ring(io_uring& ring, const loop_options& options) {
  constexpr std::uint32_t completions_per_entry = 4;
  int error = EINVAL;
  for (ring_mode mode : {ring_mode::deferred, ring_mode::cooperative, ring_mode::interrupting}) {
    if (mode < options.best_mode) continue;
    io_uring_params params{};
    params.flags = setup_flags(mode);
    params.cq_entries =
        options.completion_entries != 0 ? options.completion_entries : completions_per_entry * options.entries;
    error = -io_uring_queue_init_params(options.entries, &ring, &params);
    if (error == 0) return mode;
    if (error != EINVAL) break;  // EINVAL: a flag that this kernel doesn't know
  }
  throw setup_error(error, "cannot make an io_uring ring of " + std::to_string(options.entries) + " entries",
                    setup_hint(error));
}

// A new ring may be mapped where another thread's dead one was. munmap and mmap order the two, but inside liburing,
// where ThreadSanitizer doesn't see it: the releasing increment before a ring goes and the acquiring load after one
// came tell.
std::atomic<unsigned> rings_gone{0};

// How many turns may pass, all of them with work, until each probe is looked at and asks the kernel all the same.
constexpr std::uint64_t turns_between_asking = 64;

// The ring's own state is broken: nothing that was submitted can be trusted to end.
[[noreturn]] void die(const char* what, int error) noexcept {
  std::fprintf(stderr, "vloop: %s: %s\n", what, std::generic_category().message(error).c_str());
  std::abort();
}

std::string flag_names(unsigned flags) {
  struct name {
    unsigned flag;
    const char* text;
  };
  constexpr std::array<name, 5> names{{{IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL"},
                                       {IORING_SETUP_SINGLE_ISSUER, "SINGLE_ISSUER"},
                                       {IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN"},
                                       {IORING_SETUP_COOP_TASKRUN, "COOP_TASKRUN"},
                                       {IORING_SETUP_TASKRUN_FLAG, "TASKRUN_FLAG"}}};
  std::string text;
  for (const auto& [flag, its_name] : names) {
    if ((flags & flag) == 0) continue;
    if (!text.empty()) text += '|';
    text += its_name;
  }
  return text.empty() ? "no flags" : text;
}

const char* what_it_lacks(ring_mode mode) {
  switch (mode) {
    case ring_mode::deferred:
      return "";
    case ring_mode::cooperative:
      return "; fallback: no DEFER_TASKRUN (Linux 6.1)";
    case ring_mode::interrupting:
      return "; fallback: no COOP_TASKRUN (Linux 5.19)";
  }
  return "";
}

}  // namespace

loop::loop(const loop_options& options)
    : thread_(std::this_thread::get_id()),
      shutdown_limit_(options.shutdown_limit),
      mode_(make_ring(ring_, options)),
      wake_(*this),
      spin_(options.spin_limit) {
  static_cast<void>(rings_gone.load(std::memory_order_acquire));
  descriptor_registered_ = io_uring_register_ring_fd(&ring_) == 1;  // saves a file lookup per enter
  wake_fd_ = eventfd(0, EFD_CLOEXEC);
  const int error = wake_fd_ < 0 ? errno : -io_uring_register_files_sparse(&ring_, options.fixed_files + 1);
  if (error != 0) {
    if (wake_fd_ >= 0) close(wake_fd_);
    io_uring_queue_exit(&ring_);
    throw setup_error(error, "cannot set up the io_uring ring's eventfd and file table", setup_hint(error));
  }
  free_slots_.resize(options.fixed_files);
  std::iota(free_slots_.rbegin(), free_slots_.rend(), 1);  // slot 0 is the wake eventfd's
  io_uring_register_files_update(&ring_, 0, &wake_fd_, 1);
  read_wake();
}

loop::~loop() {
  assert(on_this_thread() && "a loop is destroyed on the thread that made it");
  assert(!running_);
  drain();
  // Up to Linux 6.3 a file that was given up is put a second late, and keeps its module in use: only when the whole
  // table is given up does the kernel do it now.
  io_uring_unregister_files(&ring_);
  rings_gone.fetch_add(1, std::memory_order_release);
  io_uring_queue_exit(&ring_);
  close(wake_fd_);
}

std::string loop::description() const {
  return "io_uring with " + flag_names(setup_flags(mode_)) + what_it_lacks(mode_) +
         (descriptor_registered_ ? "" : "; fallback: the ring's descriptor is not registered (Linux 5.18)");
}

void loop::run(task<void> root) {
  assert(on_this_thread() && !running_);
  running_ = true;
  task_group group;
  group.spawn(std::move(root));
  while (group.size() > 0) turn();
  run_hooks();  // what the last turn left in batches still goes out
  enter(0);
  running_ = false;
  group.rethrow();
}

// ---- the turn ----

void loop::turn() noexcept {
  ++counters_.turns;
  run_hooks();
  if (!to_tell_.empty() || has_completions()) {
    ask_now_and_then();
    enter(0);
  } else if (spin_.on() && !probes_.empty()) {
    spin_then_wait();
  } else {
    prepare_sleep();
    enter(1);
  }
  collect();
  tell();
}

void loop::run_hooks() noexcept {
  hooks_.any_of([](turn_hook& hook) {
    hook.at_turn_end();
    return false;
  });
}

void loop::prepare_sleep() noexcept {
  probes_.any_of([](idle_probe& probe) {
    probe.before_sleep();
    return false;
  });
}

// What is prepared goes out before the spin, not after it; with a budget that shrank to nothing there is none, and the
// submission is again the one that sleeps.
void loop::spin_then_wait() noexcept {
  if (spin_.budget() > idle_spin::duration::zero()) enter(0);
  ++counters_.spins;
  // The clock costs more than a look: it is read only after the first ones were in vain.
  bool found = look() || (spin_.budget() > idle_spin::duration::zero() && yield_and_look());
  if (found) {
    spin_.woken_after(idle_spin::duration::zero());
  } else {
    const auto begin = clock::now();
    for (const auto end = begin + spin_.budget(); !found && clock::now() < end;) found = yield_and_look();
    if (!found) {
      prepare_sleep();
      enter(1);
    }
    spin_.woken_after(clock::now() - begin);
  }
  if (!found) return;
  ++counters_.spins_paid;
  ask_now_and_then();
  enter(0);
}

// A loop that never sleeps must still hear what no probe shows, and one that completions keep busy what probes do.
void loop::ask_now_and_then() noexcept {
  if (counters_.turns % turns_between_asking != 0) return;
  flag_is_stale_ = false;  // what came since would not have raised it
  look_at_probes();
  prepare_sleep();
}

bool loop::look() noexcept {
  return look_at_probes() || has_completions();
}

// Whoever we wait for may need this processor. Where it has one of its own, the yield returns at once.
bool loop::yield_and_look() noexcept {
  ::sched_yield();
  return look();
}

bool loop::look_at_probes() noexcept {
  bool found = false;
  probes_.any_of([&found](idle_probe& probe) {
    if (probe.ready()) {
      found = true;
      probe.on_ready();
    }
    return false;  // all of them: one that is always ready must not keep the others waiting
  });
  if (found) run_hooks();
  return found;
}

bool loop::has_completions() const noexcept {
  return io_uring_cq_ready(&ring_) > 0 || kernel_has_completions();
}

// Deferred ones, or such that had no room in the completion ring: entering the kernel brings them.
//
// The kernel raises the flag of deferred ones after it has queued them (io_req_local_work_add), by when this thread may
// have had them already. Then it stays up, and nothing lowers it before others come: a loop that believed it would
// never sleep nor look at its probes again. So it is not believed where asking has brought nothing; sleeping asks as
// well.
bool loop::kernel_has_completions() const noexcept {
  const unsigned flags = IO_URING_READ_ONCE(*ring_.sq.kflags);
  return (flags & IORING_SQ_CQ_OVERFLOW) != 0 || (flag_is_up() && !flag_is_stale_);
}

bool loop::flag_is_up() const noexcept {
  return (IO_URING_READ_ONCE(*ring_.sq.kflags) & IORING_SQ_TASKRUN) != 0;
}

// Submits what is prepared, lets deferred completions run, and sleeps until `wait_for` completions are there.
void loop::enter(unsigned wait_for) noexcept {
  const unsigned prepared = io_uring_sq_ready(&ring_);
  if (wait_for == 0 && prepared == 0 && !kernel_has_completions()) return;
  ++counters_.enters;
  const bool asks = flag_is_up();  // liburing asks for deferred completions where it is
  const int result = wait_for > 0 ? io_uring_submit_and_wait(&ring_, wait_for) : io_uring_submit(&ring_);
  check_entered(result);
  flag_is_stale_ = asks && io_uring_cq_ready(&ring_) == 0 && flag_is_up();
}

void loop::check_entered(int result) noexcept {
  if (result >= 0) {
    counters_.submitted += static_cast<unsigned>(result);
    return;
  }
  // A signal; or too little memory, or too many completions waiting, for more submissions now: the next turn goes on.
  if (result == -EINTR || result == -EAGAIN || result == -EBUSY || result == -ENOMEM || result == -ETIME) return;
  die("io_uring_enter failed", -result);
}

void loop::collect() noexcept {
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* entry = nullptr;
  io_uring_for_each_cqe(&ring_, head, entry) {
    auto* const done = static_cast<completion*>(io_uring_cqe_get_data(entry));
    assert((entry->flags & IORING_CQE_F_MORE) == 0 && "operations that complete more than once are not supported");
    done->result_ = entry->res;
    to_tell_.push_back(*done);
    ++count;
  }
  io_uring_cq_advance(&ring_, count);
  counters_.completed += count;
}

// Only what is in the list now: what coroutines add meanwhile (next_turn) belongs to the next turn.
void loop::tell() noexcept {
  for (completion* done = to_tell_.take(); done != nullptr;) {
    completion* const next = done->next_;
    done->in_flight_ = false;
    --in_flight_;
    done->when_done_(*done);
    done = next;
  }
}

void loop::told_list::push_back(completion& c) noexcept {
  c.next_ = nullptr;
  (first_ ? last_->next_ : first_) = &c;
  last_ = &c;
}

completion* loop::told_list::take() noexcept {
  return std::exchange(first_, nullptr);
}

// ---- preparing operations ----

io_uring_sqe* loop::begin_prepare(completion& done) noexcept {
  assert(on_this_thread() && "operations are started on the loop's thread");
  if (closing_) {
    complete_later(done, -ECANCELED);
    return nullptr;
  }
  assert(!done.in_flight_ && "an operation is started while it is in flight");
  reserve(1);
  io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
  assert(entry != nullptr);
  done.in_flight_ = true;
  ++in_flight_;
  return entry;
}

void loop::reserve(unsigned count) noexcept {
  assert(count <= ring_.sq.ring_entries && "more linked operations than the ring has entries");
  while (io_uring_sq_space_left(&ring_) < count) {
    enter(0);
    collect();  // frees completion entries, should the kernel be waiting for these; they are told in their turn
  }
}

void loop::complete_later(completion& done, std::int32_t result) noexcept {
  assert(!done.in_flight_);
  done.in_flight_ = true;
  ++in_flight_;
  done.result_ = result;
  to_tell_.push_back(done);
}

// ---- other threads ----

void loop::post_job(std::unique_ptr<job> work) {
  inbox_.put(std::move(work), [this] {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
    assert(written == sizeof one);
  });
}

void loop::read_wake() noexcept {
  prepare(wake_, [this](io_uring_sqe& entry) {
    io_uring_prep_read(&entry, 0, &wake_.count_, sizeof wake_.count_, current_position);
    entry.flags |= IOSQE_FIXED_FILE;
  });
}

void loop::wake_read::told(completion& done) noexcept {
  loop& self = static_cast<wake_read&>(done).owner_;
  if (self.closing_) return;
  self.counters_.posts += self.inbox_.run_all();
  self.read_wake();
}

// ---- the end ----

// Cancels and collects until nothing refers to anybody's memory any more. Said again each round: an operation may have
// been between two states when it was said first.
void loop::drain() noexcept {
  struct sweep final : completion {
    sweep() noexcept : completion([](completion&) noexcept {}) {}
  };
  sweep cancel_all;
  const auto deadline = clock::now() + shutdown_limit_;
  while (in_flight_ > 0 && clock::now() < deadline) {
    if (!cancel_all.in_flight()) {
      closing_ = false;
      prepare(cancel_all, [](io_uring_sqe& entry) {
        io_uring_prep_cancel64(&entry, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
      });
      closing_ = true;
    }
    __kernel_timespec pause = to_timespec(std::chrono::milliseconds(20));
    io_uring_cqe* ignored = nullptr;
    ++counters_.enters;
    check_entered(io_uring_submit_and_wait_timeout(&ring_, &ignored, 1, &pause, nullptr));
    collect();
    tell();
  }
  // Whoever waits would be freed while the kernel still writes to its buffers.
  if (in_flight_ > 0) die("operations are still in flight when their loop is destroyed", ETIMEDOUT);
}

// ---- registered files ----

fixed_file loop::register_file(int fd) {
  assert(on_this_thread());
  if (free_slots_.empty()) throw setup_error(ENFILE, "cannot register a file with the ring", "all slots are taken");
  const int index = free_slots_.back();
  const int result = io_uring_register_files_update(&ring_, static_cast<unsigned>(index), &fd, 1);
  if (result < 0) throw setup_error(-result, "cannot register descriptor " + std::to_string(fd) + " with the ring");
  free_slots_.pop_back();
  return fixed_file{*this, index};
}

void loop::unregister_file(int index) noexcept {
  assert(on_this_thread() && "a registered file is given up on its loop's thread");
  int none = -1;
  io_uring_register_files_update(&ring_, static_cast<unsigned>(index), &none, 1);
  free_slots_.push_back(index);
}

fixed_file::~fixed_file() {
  if (owner_) owner_->unregister_file(index_);
}

// ---- operations ----

namespace {

const io_uring_sqe& on(file_ref file, io_uring_sqe& entry) noexcept {
  if (file.fixed()) entry.flags |= IOSQE_FIXED_FILE;
  return entry;
}

}  // namespace

operation loop::nop() {
  io_uring_sqe e{};
  io_uring_prep_nop(&e);
  return operation{*this, e};
}

operation loop::read(file_ref file, std::span<std::byte> buffer, std::uint64_t offset) {
  io_uring_sqe e{};
  io_uring_prep_read(&e, file.number(), buffer.data(), static_cast<unsigned>(buffer.size()), offset);
  return operation{*this, on(file, e)};
}

operation loop::write(file_ref file, std::span<const std::byte> buffer, std::uint64_t offset) {
  io_uring_sqe e{};
  io_uring_prep_write(&e, file.number(), buffer.data(), static_cast<unsigned>(buffer.size()), offset);
  return operation{*this, on(file, e)};
}

operation loop::readv(file_ref file, std::span<const iovec> buffers, std::uint64_t offset) {
  io_uring_sqe e{};
  io_uring_prep_readv(&e, file.number(), buffers.data(), static_cast<unsigned>(buffers.size()), offset);
  return operation{*this, on(file, e)};
}

operation loop::writev(file_ref file, std::span<const iovec> buffers, std::uint64_t offset) {
  return writev2(file, buffers, offset, 0);
}

operation loop::writev2(file_ref file, std::span<const iovec> buffers, std::uint64_t offset, int rw_flags) {
  io_uring_sqe e{};
  io_uring_prep_writev2(&e, file.number(), buffers.data(), static_cast<unsigned>(buffers.size()), offset, rw_flags);
  return operation{*this, on(file, e)};
}

operation loop::fsync(file_ref file, unsigned flags) {
  io_uring_sqe e{};
  io_uring_prep_fsync(&e, file.number(), flags);
  return operation{*this, on(file, e)};
}

operation loop::fallocate(file_ref file, int mode, std::uint64_t offset, std::uint64_t length) {
  io_uring_sqe e{};
  io_uring_prep_fallocate(&e, file.number(), mode, static_cast<off_t>(offset), static_cast<off_t>(length));
  return operation{*this, on(file, e)};
}

operation loop::poll_add(file_ref file, unsigned events) {
  io_uring_sqe e{};
  io_uring_prep_poll_add(&e, file.number(), events);
  return operation{*this, on(file, e)};
}

operation loop::timeout(std::chrono::nanoseconds time) {
  io_uring_sqe e{};
  io_uring_prep_timeout(&e, nullptr, 0, 0);
  return operation{*this, e, time, false};
}

operation loop::sleep(std::chrono::nanoseconds time) {
  io_uring_sqe e{};
  io_uring_prep_timeout(&e, nullptr, 0, 0);
  return operation{*this, e, time, true};
}

operation loop::cancel(const completion& target) {
  io_uring_sqe e{};
  io_uring_prep_cancel64(&e, reinterpret_cast<std::uintptr_t>(&target), 0);
  return operation{*this, e};
}

operation loop::cancel_fd(file_ref file) {
  io_uring_sqe e{};
  io_uring_prep_cancel_fd(&e, file.number(),
                          IORING_ASYNC_CANCEL_ALL | (file.fixed() ? IORING_ASYNC_CANCEL_FD_FIXED : 0U));
  return operation{*this, e};
}

}  // namespace vloop
