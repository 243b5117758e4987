// SPDX-License-Identifier: MIT
// Lifetimes: the kernel may use a request's memory from submit_move() or submit_sync() until the slot's completion is
// told. A slot is given back to the driver only after that, and drained() and reset() wait for it, so that no byte of
// the driver's memory is touched once the driver may think it its own again.
#include "adapter/memory_port.hpp"

#include <liburing.h>
#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>

namespace vloop::adapter {
namespace {

// How often a ring is looked at whose driver does not kick.
constexpr std::chrono::nanoseconds look_interval = std::chrono::milliseconds(1);

// An interrupt's descriptor that takes no more is the driver's own doing: so long it is waited for at the end.
constexpr unsigned interrupt_patience_ms = 500;

}  // namespace

// ---- life ----

memory_port::memory_port(loop& io, const memory_port_options& options)
    : io_(io),
      options_(options),
      how_{.ring = options.ring,
           .event_index = options.event_index,
           .indirect = options.indirect,
           .kick_fd = options.kick_fd,
           .interrupt_fd = options.interrupt_fd},
      ring_(options.ring),
      available_(options.ring.available, options.ring.size),
      used_(options.ring, options.event_index),
      segments_(std::make_unique_for_overwrite<segment[]>(std::size_t{options.segments_max} * options.ring.size)),
      slots_(std::make_unique<slot[]>(options.ring.size)),
      kick_(*this),
      kick_poll_(*this, &memory_port::kick_polled),
      cancel_(*this, &memory_port::kick_cancelled),
      cancel_interrupt_(*this, &memory_port::note_if_idle),
      next_turn_(*this, &memory_port::go_on_taking),
      interrupt_(*this, &memory_port::interrupt_written),
      queue_(options.index, options.ring.size, *this) {
  assert(options.segments_max > 0 && options.segments_max <= UIO_MAXIOV);
  for (std::uint16_t head = 0; head < options.ring.size; ++head) {
    slots_[head].port = this;
    slots_[head].head = head;
    slots_[head].segments = {&segments_[std::size_t{head} * options.segments_max], options.segments_max};
  }
  for (const file_description& file : options.files) {
    port_file& added = files_.emplace_back(port_file{.described = file, .main = {}, .buffered = {}});
    if (file.fd >= 0) added.main = io.register_file(file.fd);
    if (file.buffered_fd >= 0) added.buffered = io.register_file(file.buffered_fd);
  }
  io.add_hook(*this);
  io.add_probe(*this);
}

memory_port::~memory_port() {
  assert(idle() && !interrupt_.in_flight() && "a port is destroyed while something of it is under way");
}

void memory_port::start() {
  if (state_ != state::stopped) return;
  state_ = state::serving;
  read_kick();
  // What came before the kick's read was there: looked at in the next turn, since devices may not be waiting yet.
  look_in_next_turn();
}

// While stopped nothing is under way: reset() waited for that.
bool memory_port::set_ring(const split_ring& ring) {
  ring_set_up how = how_;
  how.ring = ring;
  how.next_available = how.next_used = 0;
  return set_up(how);
}

bool memory_port::set_up(const ring_set_up& how) {
  if (state_ != state::stopped || how.ring.size > options_.ring.size) return false;
  how_ = how;
  ring_ = how.ring;
  available_ = available_reader(ring_.available, ring_.size, how.next_available);
  used_ = used_writer(ring_, how.event_index, how.next_used);
  error_ = ring_error::none;
  kick_waits_ = true;
  return true;
}

void memory_port::tell(int interrupt_fd) {
  how_.interrupt_fd = interrupt_fd;
}

void memory_port::stop() {
  if (state_ == state::ended) return;
  state_ = state::ended;
  cancel_kick();
  queue_.stop();
}

task<void> memory_port::drained() {
  assert(state_ == state::ended);
  withdraw_untouched();  // what an input device had no use for stays the driver's
  if (pushed_ && taken_ == 0) publish();
  co_await until_idle();
  co_await until_interrupted();
  // Whoever called note_if_idle(), or resumed the device that is waited for, is still on the stack below.
  co_await io_.next_turn();
}

void memory_port::withdraw_untouched() {
  while (const auto untouched = queue_.withdraw())
    if (slot* const s = find(*untouched)) untake(*s);
}

// Its id is stale from here on.
void memory_port::untake(slot& s) {
  if (how_.log) how_.log->untake(s.head);
  s.taken = false;
  --taken_;
  ++untouched_;
}

// A device that is asked for nothing more answers in order what it does without a transfer under way; what it still
// waits for elsewhere (an entropy source) may take for ever, and is asked for again by whoever goes on.
task<std::uint16_t> memory_port::pause() {
  if (serving()) {
    state_ = state::pausing;
    untouched_ = static_cast<std::uint16_t>(std::exchange(how_.again, {}).size());
    cancel_kick();
    withdraw_untouched();
    note_if_idle();
  }
  co_await until_idle();
  if (pushed_) publish();
  co_await until_interrupted();
  co_await io_.next_turn();  // as in drained()
  const auto next = static_cast<std::uint16_t>(available_.next() - std::exchange(untouched_, std::uint16_t{0}));
  available_ = available_reader(ring_.available, ring_.size, next);
  if (state_ == state::pausing) state_ = state::stopped;  // stop() may have come meanwhile
  co_return next;
}

task<void> memory_port::reset() {
  assert(state_ != state::ended);
  state_ = state::resetting;
  pushed_ = false;
  shown_ = counters_.answers;  // answers that the driver did not see yet are as void as the requests
  cancel_kick();
  queue_.reset();
  for (std::uint16_t head = 0; head < options_.ring.size; ++head) {
    slot& s = slots_[head];
    if (!s.taken) continue;
    if (s.busy) {
      s.orphaned = true;
    } else {
      s.taken = false;  // from here on its id is stale
      --taken_;
    }
  }
  co_await until_idle();
  co_await until_interrupted();
  co_await io_.next_turn();  // as in drained()
  how_.log = nullptr;
  how_.again.clear();
  available_ = available_reader(ring_.available, ring_.size);
  used_ = used_writer(ring_, how_.event_index);
  error_ = ring_error::none;
  if (state_ == state::resetting) state_ = state::stopped;  // stop() may have come meanwhile
}

// Whoever waits first lends the event; a reset and the end of the port may wait together.
task<void> memory_port::until_idle() {
  while (!idle()) {
    if (idle_) {
      co_await idle_->wait();
    } else {
      event nothing_left;
      idle_ = &nothing_left;
      co_await nothing_left.wait();
    }
  }
}

bool memory_port::idle() const {
  return taken_ == 0 && busy_ == 0 && !kick_.in_flight() && !kick_poll_.in_flight() && !cancel_.in_flight() &&
         !next_turn_.in_flight();
}

// Its driver may have left no room to be told in: then it is not told.
task<void> memory_port::until_interrupted() {
  for (unsigned ms = 0; interrupt_.in_flight() || cancel_interrupt_.in_flight(); ++ms) {
    if (ms == interrupt_patience_ms) {
      interrupt_owed_ = false;
      io_.prepare(cancel_interrupt_, [this](io_uring_sqe& entry) {
        io_uring_prep_cancel64(&entry, reinterpret_cast<std::uintptr_t>(&interrupt_), 0);
      });
    }
    if (ms == 0) {
      co_await io_.next_turn();
    } else {
      co_await io_.sleep(std::chrono::milliseconds(1));
    }
  }
}

void memory_port::note_if_idle() {
  if (state_ == state::pausing && busy_ == 0 && taken_ > 0)
    for (std::uint16_t head = 0; head < ring_.size; ++head)
      if (slots_[head].taken) untake(slots_[head]);
  if (!idle_) return;
  if (pushed_ && taken_ == 0 && state_ == state::ended) publish();  // the last one: no turn may follow
  if (idle()) std::exchange(idle_, nullptr)->set();
}

// ---- taking requests ----

void memory_port::read_kick() {
  if (how_.kick_fd < 0) {
    kick_.interval = to_timespec(look_interval);
    io_.prepare(kick_, [this](io_uring_sqe& entry) { io_uring_prep_timeout(&entry, &kick_.interval, 0, 0); });
    return;
  }
  if (!kick_waits_) {
    io_.reserve(2);
    io_.prepare(kick_poll_, [this](io_uring_sqe& entry) {
      io_uring_prep_poll_add(&entry, how_.kick_fd, POLLIN);
      entry.flags |= IOSQE_IO_LINK;
    });
  }
  io_.prepare(kick_, [this](io_uring_sqe& entry) {
    io_uring_prep_read(&entry, how_.kick_fd, &kick_.value, sizeof kick_.value, loop::current_position);
  });
}

// Where the poll waits, the read behind it is cancelled with it.
void memory_port::cancel_kick() {
  if (!kick_.in_flight() || cancel_.in_flight()) return;
  const completion& waiting = kick_poll_.in_flight() ? static_cast<completion&>(kick_poll_) : kick_;
  io_.prepare(cancel_, [&waiting](io_uring_sqe& entry) {
    io_uring_prep_cancel64(&entry, reinterpret_cast<std::uintptr_t>(&waiting), 0);
  });
}

// The poll may have been over before it could be cancelled, and the read may wait after all.
void memory_port::kick_polled() {
  if (state_ != state::serving) cancel_kick();
  note_if_idle();
}

void memory_port::kick_cancelled() {
  if (state_ != state::serving && !kick_waits_ && !kick_poll_.in_flight()) cancel_kick();
  note_if_idle();
}

void memory_port::kick_read::told(completion& done) noexcept {
  memory_port& self = static_cast<kick_read&>(done).port;
  if (self.state_ != state::serving) return self.note_if_idle();
  const bool looks = self.how_.kick_fd < 0;
  if (done.result() > 0) {
    ++self.counters_.kicks;
  } else if (done.result() == -EAGAIN && !looks) {
    self.kick_waits_ = false;
  } else if (done.result() != -EINTR && !(looks && done.result() == -ETIME)) {
    spdlog::error("queue {}: its kicks cannot be read: {}", self.options_.index,
                  std::generic_category().message(-done.result()));
    return;  // never read again: a descriptor that fails at once would spin here
  }
  self.read_kick();
  self.take_available();
}

void memory_port::plain::told(completion& done) noexcept {
  auto& self = static_cast<plain&>(done);
  (self.port.*self.after)();
}

void memory_port::go_on_taking() {
  take_available();
  note_if_idle();
}

// What a device before this one had taken. False: the ring is broken.
bool memory_port::take_again() {
  for (const std::uint16_t head : std::exchange(how_.again, {})) {
    if (head >= ring_.size) return broke(ring_error::bad_head), false;
    if (!take(head) || state_ != state::serving) return false;
  }
  return true;
}

void memory_port::take_available() {
  left_waiting_ = false;
  if (state_ != state::serving || !take_again()) return;
  used_.refuse_kicks();
  // One queue's worth in a turn: a driver that offers as fast as we answer must not keep the loop from its others.
  for (std::uint16_t bound = ring_.size; bound > 0; --bound) {
    const available_reader::head head = available_.take();
    if (head.error != ring_error::none) return broke(head.error);
    if (!head.some) return;
    if (!take(head.value) || state_ != state::serving) return;
  }
  look_in_next_turn();
}

void memory_port::look_in_next_turn() {
  if (!next_turn_.in_flight()) io_.prepare(next_turn_, [](io_uring_sqe& entry) { io_uring_prep_nop(&entry); });
}

// While the loop is awake it looks by itself, and a kick would cost its driver a system call for nothing.
void memory_port::before_sleep() noexcept {
  if (state_ != state::serving) return;
  used_.ask_for_kick(available_.next());
  if (available_.has_new()) look_in_next_turn();
}

bool memory_port::take(std::uint16_t head) {
  slot& s = slots_[head];
  if (s.taken || s.answer > shown_) return broke(ring_error::head_in_use), false;  // virtio 1.2, 2.7.13.1
  const ring_error error = walk_chain(ring_, head, *options_.memory, how_.indirect, s.segments, s.parts);
  if (error != ring_error::none) return broke(error), false;
  if (how_.log) how_.log->take(head);
  s.taken = true;
  s.seq = next_seq_++;
  s.filled = 0;
  ++taken_;
  ++counters_.requests;

  fetched f;
  f.id = {.head = head, .seq = s.seq};
  f.readable = s.parts.readable;
  f.writable = s.parts.writable;
  f.inline_size = static_cast<std::uint8_t>(std::min<std::size_t>(f.readable, fetched::inline_capacity));
  copy_out_of(s.readable(), 0, std::span(f.inline_bytes).first(f.inline_size));
  queue_.deliver(f);
  return true;
}

void memory_port::broke(ring_error why) {
  state_ = state::broken;
  error_ = why;
  cancel_kick();
  if (tell_error_) return tell_error_(why);
  spdlog::warn("queue {}: the driver broke its ring: {}; nothing more is taken until it resets the queue",
               options_.index, to_string(why));
}

// ---- transfers ----

memory_port::slot* memory_port::find(const request_id& id) {
  if (id.head >= ring_.size) return nullptr;
  slot& s = slots_[id.head];
  return s.taken && s.seq == id.seq ? &s : nullptr;
}

void memory_port::run(const request_id& id, const transfer& t, transfer_waiter& waiter) {
  slot* const s = find(id);
  if (!s) return waiter.done(-ECANCELED);
  assert(!s->busy && "a request has one transfer at a time");
  s->waiter = &waiter;
  begin(*s, t);
}

void memory_port::answer(const request_id& id, const transfer& t, answer_status status) {
  slot* const s = find(id);
  if (!s) return;  // the queue was reset
  assert(!s->busy && "a request is answered after its transfers");
  s->waiter = nullptr;
  s->status = status;
  begin(*s, t);
}

void memory_port::leave(const request_id& id) {
  slot* const s = find(id);
  if (!s) return;
  assert(!s->busy && "a request is left after its transfers");
  s->taken = false;
  --taken_;
  note_if_idle();
}

void memory_port::begin(slot& s, const transfer& t) {
  s.what = t;
  s.moved = 0;
  s.buffered = false;
  s.busy = true;
  ++busy_;
  const std::uint32_t part = into_request(t.what) ? s.parts.writable : s.parts.readable;
  const bool moves = t.what != verb::none && t.what != verb::sync;
  const bool uses_file = t.what == verb::file_to_request || t.what == verb::request_to_file || t.what == verb::sync;
  if (uses_file && t.file >= files_.size()) return finish(s, -EBADF);
  if (moves && (t.skip > part || t.length > part - t.skip)) return finish(s, -EINVAL);
  if (t.what == verb::sync) return submit_sync(s);
  if (!moves || t.length == 0) return finish(s, 0);
  if (uses_file) return submit_move(s);

  const std::span memory(static_cast<std::byte*>(t.memory), t.length);
  if (t.what == verb::copy_to_request)
    copy_into(s.writable(), t.skip, memory);
  else
    copy_out_of(s.readable(), t.skip, memory);
  s.moved = t.length;
  finish(s, static_cast<std::int32_t>(t.length));
}

// Direct I/O wants memory and position aligned; a driver in a virtual machine need not know that.
bool memory_port::fits_direct(const port_file& file, const slot& s, std::span<const segment> pieces) const {
  const file_description& d = file.described;
  const std::uint64_t at = s.what.offset + s.moved;
  const std::uint64_t length = s.what.length - s.moved;
  if (((at | length) & (d.offset_alignment - 1)) != 0) return false;
  return std::ranges::all_of(pieces, [&d](const segment& p) {
    return ((reinterpret_cast<std::uintptr_t>(p.base) | p.length) & (d.memory_alignment - 1)) == 0;
  });
}

void memory_port::submit_move(slot& s) {
  const bool read = s.what.what == verb::file_to_request;
  const port_file& file = files_[s.what.file];
  const auto pieces = s.pieces.make(read ? s.writable() : s.readable(), s.what.skip + s.moved, s.what.length - s.moved);
  if (file.buffered && file.described.direct && !fits_direct(file, s, pieces)) s.buffered = true;
  io_.prepare(s, [&](io_uring_sqe& entry) {
    const int number = (s.buffered ? file.buffered : file.main).index();
    const auto count = static_cast<unsigned>(pieces.size());
    const std::uint64_t at = s.what.offset + s.moved;
    if (!file.main) return io_uring_prep_nop(&entry);
    if (read) {
      io_uring_prep_readv(&entry, number, as_iovecs(pieces), count, at);
    } else {
      io_uring_prep_writev2(&entry, number, as_iovecs(pieces), count, at, s.what.dsync ? RWF_DSYNC : 0);
    }
    entry.flags |= IOSQE_FIXED_FILE;
  });
}

void memory_port::submit_sync(slot& s) {
  const port_file& file = files_[s.what.file];
  if (!file.main) return finish(s, 0);
  io_.prepare(s, [&file](io_uring_sqe& entry) {
    io_uring_prep_fsync(&entry, file.main.index(), IORING_FSYNC_DATASYNC);
    entry.flags |= IOSQE_FIXED_FILE;
  });
}

void memory_port::slot::told(completion& done) noexcept {
  slot& s = static_cast<slot&>(done);
  s.port->advance(s, done.result());
}

void memory_port::advance(slot& s, std::int32_t result) {
  s.pieces.undo();
  if (s.what.what == verb::sync) return finish(s, result);
  const port_file& file = files_[s.what.file];
  if (result == -EINVAL && file.described.direct && file.buffered && !s.buffered) {
    s.buffered = true;  // the file system's rules are stricter than it says
    return submit_move(s);
  }
  if (result < 0) return finish(s, result);
  s.moved += file.main ? static_cast<std::uint32_t>(result) : s.what.length - s.moved;
  if (result > 0 && s.moved < s.what.length) return submit_move(s);  // short: the rest, until done or end of file
  finish(s, static_cast<std::int32_t>(s.moved));
}

void memory_port::finish(slot& s, std::int32_t result) {
  s.busy = false;
  --busy_;
  if (into_request(s.what.what) && s.moved > 0 && !s.orphaned) {
    fill_with_zeros(s.writable(), s.filled, s.what.skip);  // no byte before the last one written stays unwritten
    s.filled = std::max(s.filled, s.what.skip + s.moved);
  }
  if (std::exchange(s.orphaned, false)) {
    s.taken = false;
    --taken_;
  }
  if (transfer_waiter* const waiter = std::exchange(s.waiter, nullptr)) {
    waiter->done(result);
  } else if (s.taken) {
    give_back(s, succeeded(s.what, result));
  }
  note_if_idle();
}

void memory_port::give_back(slot& s, bool ok) {
  std::uint32_t written = s.filled;
  if (s.status.present && s.parts.writable > 0) {
    const std::uint32_t last = s.parts.writable - 1;
    fill_with_zeros(s.writable(), s.filled, last);
    const std::uint8_t status = ok ? s.status.ok : s.status.error;
    for_each_piece(s.writable(), last, 1, [status](auto bytes) { bytes[0] = std::byte{status}; });
    written = s.parts.writable;
  }
  s.taken = false;
  --taken_;
  if (how_.log) how_.log->giving_back(s.head);
  used_.add(s.head, written);
  pushed_ = true;
  s.answer = ++counters_.answers;
}

// ---- interrupts ----

// All that was answered in a turn is shown and announced at once. A loop that is too busy to look at its probes hears
// of new requests one turn later.
void memory_port::at_turn_end() noexcept {
  if (pushed_) publish();
  if (!ready()) {
    left_waiting_ = false;
  } else if (std::exchange(left_waiting_, true)) {
    look_in_next_turn();
  }
}

void memory_port::publish() {
  pushed_ = false;
  shown_ = counters_.answers;  // first: as soon as the driver sees them it may offer the heads again
  used_.publish();
  if (how_.log) how_.log->gave_back(used_.next());
  interrupt();
}

void memory_port::interrupt() {
  if (!used_.notification_wanted() || how_.interrupt_fd < 0) return;
  if (interrupt_.in_flight()) {
    interrupt_owed_ = true;
    return;
  }
  write_interrupt();
}

void memory_port::write_interrupt() {
  ++counters_.interrupts;
  io_.prepare(interrupt_, [this](io_uring_sqe& entry) {
    io_uring_prep_write(&entry, how_.interrupt_fd, &one_, sizeof one_, loop::current_position);
  });
}

void memory_port::interrupt_written() {
  if (std::exchange(interrupt_owed_, false) && how_.interrupt_fd >= 0) write_interrupt();
  note_if_idle();
}

}  // namespace vloop::adapter
