// SPDX-License-Identifier: MIT
#include "vhost_user/relay.hpp"

#include <linux/virtio_blk.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "runtime/setup_error.hpp"

namespace vloop::vhost_user {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t memory_file = 0;  // index into device_description::files: the memfd itself

// Up to here the bytes are handed to the transport; what is more it moves itself, in one go, to or from the memfd.
constexpr std::uint32_t copy_bytes_max = 16384;

// How long a queue that was stopped waits for what the daemon has.
constexpr auto drain_max = 5s;
constexpr auto drain_max_of_events = 100ms;  // of a class whose requests wait for something to happen

}  // namespace

// Lives in the frame of carry().
class relay::return_of {
 public:
  explicit return_of(slot& s) : slot_(s) {}
  bool await_ready() const noexcept { return slot_.lost || slot_.now == state::back; }
  void await_suspend(std::coroutine_handle<> waiting) noexcept { slot_.waiting = waiting; }
  void await_resume() const noexcept {}

 private:
  slot& slot_;
};

relay::relay(const relay_options& options, queue& requests, loop& io)
    : options_(options),
      memory_(options.memory->queue(options.index)),
      requests_(requests),
      io_(io),
      ring_(memory_.ring, options.event_index),
      pool_(memory_.buffer_bytes / page_pool::page_bytes),
      slots_(memory_.ring.size),
      slot_of_head_(memory_.ring.size),
      resets_(requests.resets()) {
  for (std::uint16_t i = memory_.ring.size; i > 0; --i) free_slots_.push_back(static_cast<std::uint16_t>(i - 1));
  order_.reserve(memory_.ring.size);
  readable_.reserve(memory_.ring.size);
  writable_.reserve(memory_.ring.size);
  io.add_hook(*this);
}

relay::~relay() {
  assert(in_flight_ == 0 && !pending_);
}

// ---- life ----

task<void> relay::run() {
  group_.spawn(listen());
  for (;;) {
    take_requests();
    if (failure_) break;
    const bool more = co_await requests_.arrival();
    if (!more) break;
  }
  co_await drain();
  lose_all();
  if (pending_) requests_.leave(std::move(*pending_));
  pending_.reset();
  co_await settle();
  if (failure_) std::rethrow_exception(failure_);
}

void relay::started() {
  started_ = true;
  give_ready();
  // What is on a ring that was kept was shown to the daemon before, and where this one wants a kick it has not said
  // yet.
  if (std::exchange(ring_kept_, false) && !failure_ && !closing_) send_kick();
}

void relay::held(std::function<void()> quiet) {
  stop_giving();
  quiet_ = std::move(quiet);
  tell_if_quiet();
}

// Also shows what was given in this turn: it comes back like the rest.
void relay::stop_giving() {
  if (!std::exchange(started_, false)) return;
  if (!failure_ && !closing_ && ring_.publish()) send_kick();
}

// Requests that wait for something to happen don't come back, and nothing has been done for them.
void relay::tell_if_quiet() {
  if (!quiet_) return;
  const auto is_out = [](const slot& s) { return s.now == state::given; };
  if (options_.type->answers_everything && !failure_ && std::any_of(slots_.begin(), slots_.end(), is_out)) return;
  std::exchange(quiet_, nullptr)();
}

// On a new ring the next daemon gets what the last one had again, in the order in which that had it, and before
// anything that it did not have. What the driver gave up by a reset it does not get.
void relay::paused(ring_then ring) {
  if (failure_) return;
  while (collect()) {}
  if (failure_) return;
  started_ = false;
  ring_kept_ = ring == ring_then::as_it_was;
  if (ring_kept_) {
    ring_.interrupts_on();  // listen() has asked to be told of an entry that was taken here
    return;
  }
  ring_ = split_ring_driver(memory_.ring, options_.event_index);
  lose_what_was_reset();
  const auto waiting = static_cast<std::ptrdiff_t>(order_.size());
  for (slot& s : slots_) {
    if (s.now != state::given) continue;
    s.now = state::ready;
    order_.push_back(static_cast<std::uint16_t>(&s - slots_.data()));
  }
  std::rotate(order_.begin(), order_.begin() + waiting, order_.end());
  std::sort(order_.begin(), order_.end() - waiting,
            [this](auto a, auto b) { return slots_[a].given_as < slots_[b].given_as; });
}

void relay::lose_what_was_reset() {
  note_reset();
  if (pending_ && pending_of_ != resets_) {
    requests_.leave(std::move(*pending_));
    pending_.reset();
  }
  std::erase_if(order_, [this](auto i) { return slots_[i].now == state::ready && slots_[i].of_reset != resets_; });
  for (slot& s : slots_)
    if ((s.now == state::ready || s.now == state::given) && s.of_reset != resets_) lose(s);
}

// True if the driver reset the queue since this was last asked.
bool relay::note_reset() {
  return std::exchange(resets_, requests_.resets()) != requests_.resets();
}

void relay::lose(slot& s) {
  s.lost = true;
  if (const auto waiting = std::exchange(s.waiting, {})) waiting.resume();
}

void relay::failed(std::exception_ptr why) {
  if (failure_) return;
  failure_ = std::move(why);
  lose_all();
  tell_if_quiet();
  if (draining_) group_.spawn(drained_.stop(io_));
  requests_.wake();
}

void relay::fail(const std::string& why) {
  failed(
      std::make_exception_ptr(setup_error(EPROTO, options_.daemon + ": queue " + std::to_string(options_.index), why)));
}

void relay::lose_all() {
  for (slot& s : slots_)
    if (s.now == state::ready || s.now == state::given) lose(s);
}

// What was taken is finished, if the daemon finishes it in time.
task<void> relay::drain() {
  if (failure_ || (in_flight_ == 0 && !pending_)) co_return;
  draining_ = true;
  operation timer = io_.sleep(options_.type->answers_everything ? drain_max : drain_max_of_events);
  co_await drained_.until(timer);
  draining_ = false;
}

task<void> relay::settle() {
  closing_ = true;
  co_await calls_.stop(io_);
  co_await group_.join();
  if (kick_.in_flight()) co_await io_.cancel(kick_);
  while (kick_.in_flight()) co_await io_.next_turn();
}

// ---- from the driver ----

void relay::take_requests() {
  for (;;) {
    if (failure_) return;
    if (pending_) {
      request r = std::move(*pending_);
      pending_.reset();
      if (place(r)) continue;
      pending_.emplace(std::move(r));
      return;
    }
    auto next = requests_.try_next();
    if (!next) return;
    pending_.emplace(std::move(*next));
    if (note_reset()) {
      stop_giving();
      options_.driver_was_reset();
    }
    pending_of_ = resets_;
  }
}

// False: there is no room for it now. Otherwise it is on its way, or answered.
bool relay::place(request& r) {
  if (refuse_misfit(r)) return true;
  if (free_slots_.empty()) return false;
  slot s;
  s.now = state::fetching;
  s.of_reset = pending_of_;
  s.readable = r.readable();
  s.writable = r.writable();
  s.pages = page_pool::pages_for(data_out(s)) + page_pool::pages_for(data_in(s));
  if (s.pages > 0) {
    const auto run = pool_.take(s.pages);
    if (!run) return false;
    s.first_page = *run;
  }
  const std::uint16_t index = free_slots_.back();
  free_slots_.pop_back();
  slots_[index] = s;
  order_.push_back(index);
  ++in_flight_;
  group_.spawn(carry(std::move(r), slots_[index]));
  return true;
}

// As many as give() makes.
std::uint64_t relay::descriptors_for(const request& r) const {
  slot s;
  s.readable = r.readable();
  s.writable = r.writable();
  const std::uint64_t most = options_.piece_bytes_max;
  const auto pieces = [most](std::uint32_t bytes) { return (bytes + most - 1) / most; };
  return pieces(head_of(s)) + pieces(data_out(s)) + pieces(data_in(s)) + (options_.type->has_status ? 1 : 0);
}

// What could never be given to the daemon.
bool relay::refuse_misfit(request& r) {
  const device_type& type = *options_.type;
  const std::uint64_t bytes = std::uint64_t{r.readable()} + r.writable();
  const bool whole = !type.has_status || (r.writable() > 0 && r.readable() >= type.head_bytes);
  if (whole && bytes > 0 && bytes + 2 * page_pool::page_bytes <= memory_.buffer_bytes &&
      descriptors_for(r) <= memory_.ring.size)
    return false;
  requests_.complete(std::move(r), {.present = type.has_status, .ok = VIRTIO_BLK_S_IOERR, .error = VIRTIO_BLK_S_IOERR});
  return true;
}

task<void> relay::carry(request r, slot& s) {
  const bool fetched = co_await fetch(r, s);
  if (fetched) {
    s.now = state::ready;
    s.lost = failure_ || closing_;  // nobody listens any more
    give_ready();
    co_await return_of(s);
  } else {
    std::erase(order_, static_cast<std::uint16_t>(&s - slots_.data()));
  }
  if (s.lost || failure_) {
    requests_.leave(std::move(r));
  } else {
    co_await answer(std::move(r), s, fetched);
  }
  release(s);
}

// One copy, into memory that the daemon sees. The first bytes are those that came with the request.
task<bool> relay::fetch(request& r, slot& s) {
  const auto front = r.front();
  const std::uint32_t head = head_of(s);
  assert(front.size() >= head);
  if (head > 0) std::memcpy(options_.memory->at(head_at(s), head).data(), front.data(), head);
  const std::uint32_t rest = data_out(s);
  const auto to = options_.memory->at(out_at(s), rest);
  if (front.size() == s.readable) {
    std::copy(front.begin() + head, front.end(), to.begin());
    co_return true;
  }
  const transfer wanted = rest <= copy_bytes_max ? copy_out(to, head) : move_to(memory_file, out_at(s), rest, head);
  const std::int32_t got = co_await r.run(wanted);
  co_return succeeded(wanted, got);
}

task<void> relay::answer(request r, slot& s, bool fetched) {
  std::uint32_t bytes = fetched ? s.written : 0;
  answer_status status;
  if (options_.type->has_status) {
    // Read once. What no disk says is an error; so is the value that stood there before.
    const auto said = static_cast<std::uint8_t>(std::atomic_ref(status_of(s)).load(std::memory_order_relaxed));
    const bool known = fetched && said <= VIRTIO_BLK_S_UNSUPP;
    status = {.present = true, .ok = known ? said : std::uint8_t{VIRTIO_BLK_S_IOERR}, .error = VIRTIO_BLK_S_IOERR};
    // Daemons differ in what they count; a disk that says OK has filled all of it.
    bytes = status.ok == VIRTIO_BLK_S_OK ? data_in(s) : 0;
  }
  if (bytes == 0) {
    requests_.complete(std::move(r), status);
  } else if (bytes <= copy_bytes_max) {
    requests_.answer(std::move(r), copy_in(options_.memory->at(in_at(s), bytes)), status);
  } else {
    const transfer back = move_from(memory_file, in_at(s), bytes);
    const std::int32_t got = co_await r.run(back);
    if (!succeeded(back, got)) status.ok = status.error;
    requests_.complete(std::move(r), status);
  }
}

void relay::release(slot& s) {
  if (s.pages > 0) pool_.give_back(s.first_page, s.pages);
  s = slot{};
  free_slots_.push_back(static_cast<std::uint16_t>(&s - slots_.data()));
  --in_flight_;
  if (draining_) {
    if (pending_) take_requests();
    if (in_flight_ == 0 && !pending_) group_.spawn(drained_.stop(io_));
  } else {
    requests_.wake();
  }
}

// ---- where things are ----

std::uint32_t relay::head_of(const slot& s) const {
  return std::min(options_.type->head_bytes, s.readable);
}
std::uint64_t relay::head_at(const slot& s) const {
  return memory_.heads_offset + static_cast<std::uint64_t>(&s - slots_.data()) * head_bytes;
}
std::uint64_t relay::out_at(const slot& s) const {
  return memory_.buffers_offset + std::uint64_t{s.first_page} * page_pool::page_bytes;
}
std::uint64_t relay::in_at(const slot& s) const {
  return out_at(s) + std::uint64_t{page_pool::pages_for(data_out(s))} * page_pool::page_bytes;
}
std::byte& relay::status_of(const slot& s) const {
  return options_.memory->at(head_at(s) + head_bytes - 1, 1).front();
}

// ---- to the daemon ----

// In the order in which they were taken: a stream's bytes must not change places.
void relay::give_ready() {
  if (!started_ || failure_ || closing_) return;
  while (!order_.empty()) {
    slot& s = slots_[order_.front()];
    if (s.now == state::fetching || !give(s)) return;
    order_.erase(order_.begin());
  }
}

void relay::add_pieces(std::vector<split_ring_driver::buffer>& to, std::uint64_t at, std::uint32_t bytes) const {
  while (bytes > 0) {
    const std::uint32_t piece = std::min(bytes, options_.piece_bytes_max);
    to.push_back({.address = shared_memory::address_of(at), .length = piece});
    at += piece;
    bytes -= piece;
  }
}

bool relay::give(slot& s) {
  readable_.clear();
  writable_.clear();
  add_pieces(readable_, head_at(s), head_of(s));
  add_pieces(readable_, out_at(s), data_out(s));
  add_pieces(writable_, in_at(s), data_in(s));
  if (options_.type->has_status) {
    constexpr std::byte nothing_said{0xff};
    status_of(s) = nothing_said;
    add_pieces(writable_, head_at(s) + head_bytes - 1, 1);
  }
  const auto head = ring_.add(readable_, writable_);
  if (!head) return false;  // until some come back
  slot_of_head_[*head] = static_cast<std::uint16_t>(&s - slots_.data());
  s.now = state::given;
  s.given_as = ++gifts_;
  return true;
}

void relay::at_turn_end() noexcept {
  if (started_ && !failure_ && !closing_ && ring_.publish()) send_kick();
}

// Through the ring, as any write that might wait: the daemon has the same eventfd, and could have filled it.
void relay::send_kick() {
  if (kick_.in_flight()) {
    kick_owed_ = true;
    return;
  }
  io_.prepare(kick_, [this](io_uring_sqe& entry) {
    io_uring_prep_write(&entry, options_.events->kick.get(), &one_, sizeof one_, loop::current_position);
  });
}

void relay::kicked() {
  if (std::exchange(kick_owed_, false) && !closing_) send_kick();
}

// ---- from the daemon ----

task<void> relay::listen() {
  std::array<std::byte, sizeof(std::uint64_t)> count;
  while (!closing_ && !failure_) {
    const bool more = collect();
    if (closing_ || failure_) break;
    if (more || ring_.interrupts_on()) {
      co_await io_.next_turn();
      continue;
    }
    operation reading = io_.read(options_.events->call.get(), count);
    const std::int32_t got = co_await calls_.until(reading);
    if (got == -EAGAIN) {  // the daemon has made the eventfd, which is its own too, one that does not wait
      operation waiting = io_.poll_add(options_.events->call.get(), POLLIN);
      co_await calls_.until(waiting);
    } else if (got < 0 && got != -EINTR && got != -ECANCELED) {
      fail("its interrupts cannot be read: " + std::generic_category().message(-got));
    }
  }
}

bool relay::fills_enough(const slot& s) const {
  if (options_.type->answers == filling::whole) return s.written == s.writable;
  return options_.type->answers == filling::any || s.written > 0;
}

// At most as many as the ring has, so that a fast daemon does not keep the loop. True: there may be more.
bool relay::collect() {
  for (std::uint32_t i = 0; i < memory_.ring.size; ++i) {
    const auto used = ring_.collect();
    if (!used) return false;
    if (!used->valid) {
      fail("it gave back a request that it was not given");
      return false;
    }
    slot& s = slots_[slot_of_head_[used->head]];
    // Daemons in wide use count what they read as well: no more was written than there is room for.
    s.written = std::min(used->written, s.writable);
    if (!fills_enough(s)) {
      fail("its answer of " + std::to_string(s.written) + " bytes is too short for a driver of its class");
      return false;
    }
    s.now = state::back;
    tell_if_quiet();
    if (const auto waiting = std::exchange(s.waiting, {})) waiting.resume();
    give_ready();
    if (failure_ || closing_) return false;
  }
  return true;
}

}  // namespace vloop::vhost_user
