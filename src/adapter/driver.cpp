// SPDX-License-Identifier: MIT
//
// Drivers for devices of this process. A request's data goes through pages of the memfd: what the program hands over is
// memory that no device may see.
//
// Lifetimes: a slot belongs to a request from submit() until its head comes back, or until the device has ended; only
// then are its pages given to another. The driver_request object that the program holds may be dropped before: the
// slot then has no owner, and what comes back is not copied to anybody.
#include "vloop/driver.hpp"

#include <linux/virtio_blk.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "adapter/device_spec.hpp"
#include "adapter/local_device.hpp"
#include "adapter/public_options.hpp"
#include "devices/owned_fd.hpp"
#include "runtime/setup_error.hpp"
#include "vhost_user/page_pool.hpp"

namespace vloop {
namespace detail {

struct driver_loop_state {
  driver_loop_state();
  ~driver_loop_state() { assert(cores.empty() && "a driver_loop is destroyed before its drivers"); }
  driver_loop_state(const driver_loop_state&) = delete;
  driver_loop_state& operator=(const driver_loop_state&) = delete;

  void add(driver_core& core, int interrupt_fd);
  void remove(driver_core& core, int interrupt_fd) noexcept;
  void to_be_resumed(driver_request& done);
  void forget(const driver_request& dropped) noexcept;
  void resume_all();
  std::size_t poll();
  std::size_t wait(int milliseconds);  // -1: no limit

  const std::thread::id thread = std::this_thread::get_id();
  owned_fd epoll;
  std::vector<driver_core*> cores;
  std::deque<driver_request*> ready;
};

// One device and what is under way to it.
class driver_core {
 public:
  // What a request is made of; the parts that are empty are left out.
  struct parts {
    std::size_t queue = 0;
    std::span<const std::byte> header{};
    std::span<const std::byte> out{};
    std::span<std::byte> in{};
    bool has_status = false;
  };

  driver_core(driver_loop_state& io, std::unique_ptr<device> served, std::uint32_t buffer_bytes);
  ~driver_core() { close(); }
  driver_core(const driver_core&) = delete;
  driver_core& operator=(const driver_core&) = delete;

  driver_request submit(const parts& what);
  std::size_t collect();
  // Ends everything, and resumes who waits: drivers call it while all of theirs is still there. Idempotent.
  void close() noexcept;

  driver_loop_state& io() { return io_; }
  const device_description& description() const { return device_.description(); }

  void adopt(std::size_t queue, std::uint16_t number, driver_request* owner) {
    queues_[queue].slots[number].owner = owner;
  }

 private:
  // In a slot's head: the header at its front, the status byte where no header reaches.
  static constexpr std::uint64_t status_offset = vhost_user::head_bytes - 1;

  struct slot {
    driver_request* owner = nullptr;  // null: dropped, or nothing is under way
    bool busy = false;
    bool has_status = false;
    std::uint32_t first_page = 0;
    std::uint32_t pages = 0;
    std::size_t moves = 0;  // bytes of data, either way
    std::span<std::byte> in;
  };
  struct queue_state {
    queue_state(std::uint16_t size, std::uint32_t buffer_bytes);
    std::vector<slot> slots;
    std::vector<std::uint16_t> free;
    std::vector<std::uint16_t> slot_of_head;
    vhost_user::page_pool pool;
  };

  bool make_room(queue_state& q, const parts& what, std::uint16_t& taken);
  void offer(const parts& what, std::uint16_t number);
  std::uint64_t head_at(std::size_t queue, std::uint16_t number) const;
  std::uint64_t data_at(std::size_t queue, const slot& s) const;
  std::size_t collect(std::size_t queue);
  void came_back(std::size_t queue, std::uint16_t number, std::uint32_t written);
  std::int32_t outcome(std::size_t queue, std::uint16_t number, std::uint32_t written) const;
  std::size_t finish_all(std::int32_t result);
  void finish(slot& s, std::int32_t result);

  driver_loop_state& io_;
  adapter::local_device device_;
  std::vector<queue_state> queues_;
  bool closed_ = false;
};

// ---- the loop ----

driver_loop_state::driver_loop_state() : epoll(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll) throw setup_error(errno, "cannot make an epoll descriptor", "too many open files: ulimit -n");
}

void driver_loop_state::add(driver_core& core, int interrupt_fd) {
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  wanted.data.fd = interrupt_fd;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, interrupt_fd, &wanted) != 0)
    throw setup_error(errno, "cannot watch a device's interrupts");
  cores.push_back(&core);
}

void driver_loop_state::remove(driver_core& core, int interrupt_fd) noexcept {
  std::erase(cores, &core);
  ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, interrupt_fd, nullptr);
}

void driver_loop_state::to_be_resumed(driver_request& done) {
  done.ready_ = this;
  ready.push_back(&done);
}

void driver_loop_state::forget(const driver_request& dropped) noexcept {
  std::erase(ready, &dropped);
}

// Whoever is resumed may drop requests that were about to be resumed, submit more, or destroy a driver.
void driver_loop_state::resume_all() {
  while (!ready.empty()) {
    driver_request* const done = ready.front();
    ready.pop_front();
    done->ready_ = nullptr;
    std::exchange(done->waiting_, {}).resume();
  }
}

// All that has ended is collected before anybody is resumed.
std::size_t driver_loop_state::poll() {
  assert(thread == std::this_thread::get_id() && "a driver_loop belongs to the thread that made it");
  std::size_t ended = 0;
  for (driver_core* const core : cores) ended += core->collect();
  resume_all();
  return ended;
}

std::size_t driver_loop_state::wait(int milliseconds) {
  if (const std::size_t ended = poll(); ended > 0) return ended;
  epoll_event came{};
  if (::epoll_wait(epoll.get(), &came, 1, milliseconds) < 0 && errno != EINTR)
    throw std::system_error(errno, std::generic_category(), "waiting for devices");
  return poll();
}

// ---- one device ----

driver_core::queue_state::queue_state(std::uint16_t size, std::uint32_t buffer_bytes)
    : slots(size), slot_of_head(size), pool(buffer_bytes / vhost_user::page_pool::page_bytes) {
  for (std::uint16_t i = size; i > 0; --i) free.push_back(static_cast<std::uint16_t>(i - 1));
}

driver_core::driver_core(driver_loop_state& io, std::unique_ptr<device> served, std::uint32_t buffer_bytes)
    : io_(io), device_(std::move(served), buffer_bytes) {
  for (std::size_t i = 0; i < description().queues.size(); ++i)
    queues_.emplace_back(description().queues[i].size, device_.memory().queue(i).buffer_bytes);
  io_.add(*this, device_.interrupt_fd());
}

std::uint64_t driver_core::head_at(std::size_t queue, std::uint16_t number) const {
  return device_.memory().queue(queue).heads_offset + std::uint64_t{number} * vhost_user::head_bytes;
}

std::uint64_t driver_core::data_at(std::size_t queue, const slot& s) const {
  return device_.memory().queue(queue).buffers_offset + std::uint64_t{s.first_page} * vhost_user::page_pool::page_bytes;
}

driver_request driver_core::submit(const parts& what) {
  assert(io_.thread == std::this_thread::get_id() && "a driver belongs to the thread of its driver_loop");
  if (closed_) return driver_request(-ECANCELED);
  if (device_.failed()) return driver_request(-ENODEV);
  std::uint16_t number = 0;
  if (!make_room(queues_[what.queue], what, number)) return driver_request(-EAGAIN);
  offer(what, number);
  return driver_request(*this, what.queue, number);
}

bool driver_core::make_room(queue_state& q, const parts& what, std::uint16_t& taken) {
  constexpr std::uint16_t descriptors_max = 3;  // header, data, status
  const std::size_t moves = what.out.size() + what.in.size();
  if (q.free.empty() || device_.driver(what.queue).free_descriptors() < descriptors_max) return false;
  const std::uint32_t pages = vhost_user::page_pool::pages_for(moves);
  const auto first = pages > 0 ? q.pool.take(pages) : std::optional<std::uint32_t>(0);
  if (!first) return false;
  taken = q.free.back();
  q.free.pop_back();
  q.slots[taken] = {.owner = nullptr,
                    .busy = true,
                    .has_status = what.has_status,
                    .first_page = *first,
                    .pages = pages,
                    .moves = moves,
                    .in = what.in};
  return true;
}

void driver_core::offer(const parts& what, std::uint16_t number) {
  using buffer = split_ring_driver::buffer;
  const vhost_user::shared_memory& memory = device_.memory();
  queue_state& q = queues_[what.queue];
  const std::uint64_t head = head_at(what.queue, number);
  const std::uint64_t data = data_at(what.queue, q.slots[number]);
  buffer readable[2], writable[2];
  std::size_t readables = 0, writables = 0;
  const auto put = [&](std::uint64_t at, std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    std::memcpy(memory.at(at, bytes.size()).data(), bytes.data(), bytes.size());
    readable[readables++] = {memory.address_of(at), static_cast<std::uint32_t>(bytes.size())};
  };
  put(head, what.header);
  put(data, what.out);
  if (!what.in.empty()) writable[writables++] = {memory.address_of(data), static_cast<std::uint32_t>(what.in.size())};
  if (what.has_status) writable[writables++] = {memory.address_of(head + status_offset), 1};

  split_ring_driver& ring = device_.driver(what.queue);
  const auto as = ring.add(std::span(readable).first(readables), std::span(writable).first(writables));
  q.slot_of_head[*as] = number;  // there was room: make_room() looked
  if (ring.publish()) device_.kick(what.queue);
}

// Interrupts are asked for behind the last answer that was seen; what came before that took effect is seen here.
std::size_t driver_core::collect() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(device_.interrupt_fd(), &count, sizeof count);  // -EAGAIN: there was none
  std::size_t ended = 0;
  for (std::size_t queue = 0; queue < queues_.size(); ++queue) ended += collect(queue);
  if (device_.failed()) ended += finish_all(-ENODEV);
  return ended;
}

std::size_t driver_core::collect(std::size_t queue) {
  split_ring_driver& ring = device_.driver(queue);
  std::size_t ended = 0;
  do {
    while (const auto used = ring.collect()) {
      assert(used->valid && "a device of this process broke its ring");
      const std::uint16_t number = queues_[queue].slot_of_head[used->head];
      if (!queues_[queue].slots[number].busy) continue;  // was given up when the device failed
      came_back(queue, number, used->written);
      ++ended;
    }
  } while (ring.interrupts_on());
  return ended;
}

std::int32_t driver_core::outcome(std::size_t queue, std::uint16_t number, std::uint32_t written) const {
  const slot& s = queues_[queue].slots[number];
  if (!s.has_status) return static_cast<std::int32_t>(std::min<std::size_t>(written, s.in.size()));
  switch (static_cast<std::uint8_t>(device_.memory().at(head_at(queue, number) + status_offset, 1)[0])) {
    case VIRTIO_BLK_S_OK:
      return static_cast<std::int32_t>(s.moves);
    case VIRTIO_BLK_S_UNSUPP:
      return -EOPNOTSUPP;
    default:
      return -EIO;
  }
}

void driver_core::came_back(std::size_t queue, std::uint16_t number, std::uint32_t written) {
  queue_state& q = queues_[queue];
  slot& s = q.slots[number];
  const std::int32_t result = outcome(queue, number, written);
  if (s.owner && result > 0 && !s.in.empty())
    std::memcpy(s.in.data(), device_.memory().at(data_at(queue, s), s.in.size()).data(),
                static_cast<std::size_t>(result));
  if (s.pages > 0) q.pool.give_back(s.first_page, s.pages);
  q.free.push_back(number);
  finish(s, result);
}

void driver_core::finish(slot& s, std::int32_t result) {
  s.busy = false;
  driver_request* const owner = std::exchange(s.owner, nullptr);
  if (!owner) return;
  owner->core_ = nullptr;
  owner->result_ = result;
  if (owner->waiting_) io_.to_be_resumed(*owner);
}

// The device is gone or as good as gone: slots and pages are not used again.
std::size_t driver_core::finish_all(std::int32_t result) {
  std::size_t ended = 0;
  for (queue_state& q : queues_) {
    for (slot& s : q.slots) {
      if (!s.busy) continue;
      finish(s, result);
      ++ended;
    }
  }
  return ended;
}

void driver_core::close() noexcept {
  if (closed_) return;
  device_.stop();
  collect();
  closed_ = true;
  finish_all(-ECANCELED);
  io_.remove(*this, device_.interrupt_fd());
  io_.resume_all();
}

}  // namespace detail

// ---- driver_request ----

driver_request::driver_request(detail::driver_core& core, std::size_t queue, std::uint16_t slot) noexcept
    : core_(&core), queue_(queue), slot_(slot) {
  core.adopt(queue, slot, this);
}

driver_request::driver_request(driver_request&& other) noexcept {
  take_over(other);
}

driver_request& driver_request::operator=(driver_request&& other) noexcept {
  if (this == &other) return *this;
  let_go();
  take_over(other);
  return *this;
}

driver_request::~driver_request() {
  let_go();
}

void driver_request::take_over(driver_request& other) noexcept {
  assert(!other.waiting_ && "a request is moved while a coroutine waits for it");
  core_ = std::exchange(other.core_, nullptr);
  queue_ = other.queue_;
  slot_ = other.slot_;
  result_ = other.result_;
  if (core_) core_->adopt(queue_, slot_, this);
}

void driver_request::stop_waiting() noexcept {
  waiting_ = {};
  if (ready_) std::exchange(ready_, nullptr)->forget(*this);
}

void driver_request::let_go() noexcept {
  stop_waiting();
  if (core_) core_->adopt(queue_, slot_, nullptr);
}

std::int32_t driver_request::wait() {
  while (!done()) core_->io().wait(-1);
  return result_;
}

// ---- driver_loop ----

driver_loop::driver_loop() : state_(std::make_unique<detail::driver_loop_state>()) {}
driver_loop::~driver_loop() = default;

std::size_t driver_loop::poll() {
  return state_->poll();
}

std::size_t driver_loop::wait() {
  return state_->wait(-1);
}

// Others than the ending of a request wake too: an interrupt that came for what was seen already.
std::size_t driver_loop::wait(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const std::size_t ended = state_->wait(static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000)));
    if (ended > 0 || left.count() <= 0) return ended;
  }
}

int driver_loop::descriptor() const noexcept {
  return state_->epoll.get();
}

// ---- disk_driver ----

namespace {

constexpr std::uint32_t disk_buffer_bytes = 4 << 20;  // four of the largest requests
constexpr std::uint32_t small_requests = adapter::local_device::page_for_each_entry;

std::unique_ptr<device> make_disk(const disk& what) {
  require(what.queues == 1, "disk_driver: queues is not 1");
  return std::make_unique<blk>(checked(what));
}

std::unique_ptr<device> make_input(std::string_view source) {
  try {
    return build_device(parse_device_spec("input=" + std::string(source)));
  } catch (const usage_error& wrong) {
    throw std::invalid_argument(wrong.what());
  }
}

virtio_blk_config config_of(const device_description& of) {
  virtio_blk_config config{};
  std::memcpy(&config, of.config.data(), std::min(sizeof config, of.config.size()));
  return config;
}

}  // namespace

struct disk_driver::state {
  state(detail::driver_loop_state& io, const disk& what)
      : core(io, make_disk(what), disk_buffer_bytes),
        config(config_of(core.description())),
        read_only(what.read_only) {}

  // 0, or what is wrong with such a request.
  std::int32_t problem(std::uint64_t offset, std::size_t bytes) const {
    if (bytes > request_bytes_max) return -EMSGSIZE;
    if (bytes == 0 || (offset | bytes) % sector_bytes != 0) return -EINVAL;
    const std::uint64_t sector = offset / sector_bytes, sectors = bytes / sector_bytes;
    return sector > config.capacity || sectors > config.capacity - sector ? -EINVAL : 0;
  }

  detail::driver_core core;
  const virtio_blk_config config;
  const bool read_only;
};

disk_driver::disk_driver(driver_loop& io, const disk& what) : state_(std::make_unique<state>(*io.state_, what)) {}

disk_driver::~disk_driver() {
  state_->core.close();
}

std::uint64_t disk_driver::bytes() const noexcept {
  return state_->config.capacity * sector_bytes;
}

std::uint32_t disk_driver::block_size() const noexcept {
  return state_->config.blk_size;
}

bool disk_driver::read_only() const noexcept {
  return state_->read_only;
}

driver_request disk_driver::read(std::uint64_t offset, std::span<std::byte> into) {
  const std::int32_t problem = state_->problem(offset, into.size());
  const blk_header header{.type = VIRTIO_BLK_T_IN, .ioprio = 0, .sector = offset / sector_bytes};
  if (problem != 0) return driver_request(problem);
  return state_->core.submit({.header = std::as_bytes(std::span(&header, 1)), .in = into, .has_status = true});
}

driver_request disk_driver::write(std::uint64_t offset, std::span<const std::byte> from) {
  const std::int32_t problem = state_->read_only ? -EROFS : state_->problem(offset, from.size());
  const blk_header header{.type = VIRTIO_BLK_T_OUT, .ioprio = 0, .sector = offset / sector_bytes};
  if (problem != 0) return driver_request(problem);
  return state_->core.submit({.header = std::as_bytes(std::span(&header, 1)), .out = from, .has_status = true});
}

driver_request disk_driver::flush() {
  const blk_header header{.type = VIRTIO_BLK_T_FLUSH, .ioprio = 0, .sector = 0};
  return state_->core.submit({.header = std::as_bytes(std::span(&header, 1)), .has_status = true});
}

// ---- entropy_driver ----

struct entropy_driver::state {
  state(detail::driver_loop_state& io, const entropy& what)
      : core(io, std::make_unique<rng>(checked(what)), small_requests) {}
  detail::driver_core core;
};

entropy_driver::entropy_driver(driver_loop& io, const entropy& what)
    : state_(std::make_unique<state>(*io.state_, what)) {}

entropy_driver::~entropy_driver() {
  state_->core.close();
}

driver_request entropy_driver::read(std::span<std::byte> into) {
  if (into.empty()) return driver_request(-EINVAL);
  return state_->core.submit({.in = into.first(std::min(into.size(), request_bytes_max))});
}

// ---- input_driver ----

struct input_driver::state {
  state(detail::driver_loop_state& io, std::string_view source)
      : core(io, make_input(source), small_requests), events(buffers()) {
    for (std::size_t i = 0; i < events.size(); ++i) offered.push_back(offer(i));
  }

  // The driver's books want room for three descriptors for each request: the last two entries of the ring stay empty.
  std::size_t buffers() const { return core.description().queues[input::event_queue].size - 2u; }

  driver_request offer(std::size_t i) {
    return core.submit({.queue = input::event_queue, .in = std::as_writable_bytes(std::span(&events[i], 1))});
  }

  detail::driver_core core;
  std::vector<input_event> events;      // where the buffers' contents go
  std::vector<driver_request> offered;  // each for the event of the same number
  std::size_t next = 0;                 // the one that is filled first
};

input_driver::input_driver(driver_loop& io, std::string_view source)
    : state_(std::make_unique<state>(*io.state_, source)) {}

input_driver::~input_driver() {
  state_->core.close();
}

// The driver may be destroyed while this waits: then nothing of it is touched any more.
driver_task<std::optional<input_event>> input_driver::next() {
  state& s = *state_;
  driver_request& filled = s.offered[s.next];
  const std::int32_t bytes = co_await filled;
  if (bytes != sizeof(input_event)) co_return std::nullopt;
  const input_event event = s.events[s.next];
  filled = s.offer(s.next);
  s.next = (s.next + 1) % s.events.size();
  co_return event;
}

driver_request input_driver::send(const input_event& what) {
  return state_->core.submit({.queue = input::status_queue, .out = std::as_bytes(std::span(&what, 1))});
}

}  // namespace vloop
