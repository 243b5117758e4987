// SPDX-License-Identifier: MIT
#include "hostile/rig.hpp"

#include <catch2/catch_test_macros.hpp>

#include <linux/virtio_blk.h>
#include <linux/virtio_input.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "devices/blk.hpp"
#include "devices/input.hpp"
#include "devices/input_report.hpp"
#include "devices/rng.hpp"
#include "runtime/task_group.hpp"

namespace vloop::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t guard = 4096;
constexpr auto wait_max = 20s;
constexpr std::uint32_t sector = 512;
constexpr std::uint64_t queue_bytes = 0x4000;  // of a ring's pages

std::unique_ptr<device> make_device(lane l, const temporary_file* file, const hostile_options& options) {
  switch (l) {
    case lane::blk:
      return std::make_unique<blk>(
          blk_options{.path = file->path(), .read_only = options.read_only, .queue_size = hostile_rig::ring_size});
    case lane::rng:
      return std::make_unique<rng>(rng_options{.queue_size = hostile_rig::ring_size});
    case lane::events:
      return std::make_unique<input>(
          input_options{.source = synthetic_options{.rate = 1000}, .queue_size = hostile_rig::ring_size});
    case lane::status:
      return std::make_unique<input>(input_options{.source = synthetic_options{.kind = synthetic_kind::keyboard},
                                                   .queue_size = hostile_rig::ring_size});
  }
  return nullptr;
}

template <class Holds>
bool comes_true(Holds holds) {
  for (const auto deadline = std::chrono::steady_clock::now() + wait_max;
       std::chrono::steady_clock::now() < deadline;) {
    if (holds()) return true;
    std::this_thread::sleep_for(200us);
  }
  return false;
}

// What the worker is asked for it does soon. It holds references to who asks: a test that gave up would be no better
// off.
void await(std::promise<void>& done) {
  const auto answer = done.get_future();
  if (answer.wait_for(wait_max) == std::future_status::ready) return;
  std::fprintf(stderr, "hostile_rig: the worker does not answer\n");
  std::abort();
}

int new_eventfd(int flags) {
  const int fd = ::eventfd(0, EFD_CLOEXEC | flags);
  if (fd < 0) throw std::runtime_error("eventfd");
  return fd;
}

}  // namespace

const char* name_of(lane l) {
  constexpr const char* names[] = {"blk", "rng", "input events", "input status"};
  return names[static_cast<std::size_t>(l)];
}

guarded_memory::guarded_memory(std::size_t bytes) {
  void* const p =
      ::mmap(nullptr, bytes + 2 * guard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::runtime_error("mmap");
  all_ = {static_cast<std::byte*>(p), bytes + 2 * guard};
  bytes_ = all_.subspan(guard, bytes);
  if (::mprotect(all_.data(), guard, PROT_NONE) != 0 ||
      ::mprotect(bytes_.data() + bytes_.size(), guard, PROT_NONE) != 0)
    throw std::runtime_error("mprotect");
}

guarded_memory::~guarded_memory() {
  ::munmap(all_.data(), all_.size());
}

// ---- life ----

hostile_rig::hostile_rig(lane l, const hostile_options& options)
    : lane_(l),
      queue_(l == lane::status ? input::status_queue : 0),
      file_(l == lane::blk ? std::make_unique<temporary_file>(disk_sectors * sector) : nullptr),
      device_(make_device(l, file_.get(), options)),
      regions_{{near_at, guarded_memory(near_bytes)},
               {next_at, guarded_memory(next_bytes)},
               {far_at, guarded_memory(far_bytes)}},
      ring_at_(near_at + queue_ * queue_bytes),
      ring_(ring_at(ring_at_)),
      kick_fd_(new_eventfd(0)),
      interrupt_fd_(new_eventfd(EFD_NONBLOCK)),
      idle_fd_(new_eventfd(0)),
      worker_(0, loop_options{}) {
  if (file_) file_->write(0, pattern(disk_sectors * sector, 1));
  for (const region& each : regions_) map_.add({.address = each.address, .memory = each.memory.bytes()});
  device_->start(device_->describe().features);
  std::promise<void> serving;
  worker_.spawn([this, &serving, options](loop& io) { return serve(io, serving, options); });
  await(serving);
}

hostile_rig::~hostile_rig() {
  worker_.post([this] {
    for (auto& port : ports_) port->stop();
  });
  worker_.stop();
  for (const int fd : {kick_fd_, interrupt_fd_, idle_fd_}) ::close(fd);
}

adapter::memory_port_options hostile_rig::port_options(std::size_t queue, const hostile_options& options) {
  adapter::memory_port_options o;
  o.index = static_cast<std::uint16_t>(queue);
  o.memory = &map_;
  o.ring = ring_at(near_at + queue * queue_bytes);
  o.event_index = options.event_index;
  o.indirect = options.indirect;
  o.kick_fd = queue == queue_ ? kick_fd_ : idle_fd_;
  o.interrupt_fd = interrupt_fd_;
  o.files = device_->describe().files;
  return o;
}

task<void> hostile_rig::serve(loop& io, std::promise<void>& serving, hostile_options options) {
  task_group queues;
  for (std::size_t i = 0; i < device_->describe().queues.size(); ++i)
    ports_.push_back(std::make_unique<adapter::memory_port>(io, port_options(i, options)));
  for (auto& port : ports_) {
    port->start();
    queues.spawn(serve_one(*port, io));
  }
  serving.set_value();
  co_await queues.join();
  ports_.clear();
}

task<void> hostile_rig::serve_one(adapter::memory_port& port, loop& io) {
  co_await device_->serve(port.requests(), io);
  co_await port.drained();
}

// ---- the driver's pen ----

const hostile_rig::region& hostile_rig::region_at(std::uint64_t address) const {
  for (const region& each : regions_)
    if (address >= each.address && address - each.address < each.memory.bytes().size()) return each;
  throw std::runtime_error("the test names memory that is not there");
}

std::byte* hostile_rig::at(std::uint64_t address) {
  const region& its = region_at(address);
  return its.memory.bytes().data() + (address - its.address);
}

split_ring hostile_rig::ring_at(std::uint64_t address) {
  return {.descriptors = reinterpret_cast<vring_desc*>(at(address)),
          .available = reinterpret_cast<vring_avail*>(at(address + available_offset)),
          .used = reinterpret_cast<vring_used*>(at(address + used_offset)),
          .size = ring_size};
}

hostile_rig::chain hostile_rig::valid() const {
  switch (lane_) {
    case lane::blk:
      return {r(page(0), sizeof(virtio_blk_outhdr)), w(page(1), sector), w(page(2), 1)};  // type 0, sector 0: zeroed
    case lane::rng:
      return {w(page(1), 64)};
    case lane::events:
      return {w(page(1), sizeof(virtio_input_event))};
    case lane::status:
      return {r(page(1), sizeof(virtio_input_event))};
  }
  return {};
}

std::uint32_t hostile_rig::valid_length() const {
  switch (lane_) {
    case lane::blk:
      return sector + 1;
    case lane::rng:
      return 64;
    case lane::events:
      return sizeof(virtio_input_event);
    case lane::status:
      return 0;
  }
  return 0;
}

vring_desc hostile_rig::more(std::uint64_t address, std::uint32_t length) const {
  return lane_ == lane::status ? r(address, length) : w(address, length);
}

void hostile_rig::write(const chain& c, std::uint16_t first) {
  for (std::size_t i = 0; i < c.size(); ++i) {
    vring_desc d = c[i];
    if (i + 1 < c.size()) {
      d.flags |= VRING_DESC_F_NEXT;
      d.next = static_cast<std::uint16_t>(first + i + 1);
    }
    desc(first + i) = d;
  }
}

void hostile_rig::write_table(const chain& c, std::uint64_t table, std::uint16_t named_by) {
  for (std::size_t i = 0; i < c.size(); ++i) {
    vring_desc d = c[i];
    if (i + 1 < c.size()) {
      d.flags |= VRING_DESC_F_NEXT;
      d.next = static_cast<std::uint16_t>(i + 1);
    }
    std::memcpy(at(table + i * sizeof d), &d, sizeof d);
  }
  desc(named_by) = {table, static_cast<std::uint32_t>(c.size() * sizeof(vring_desc)), VRING_DESC_F_INDIRECT, 0};
}

void hostile_rig::offer(std::uint16_t head) {
  ring_.available->ring[available_ % ring_size] = head;
  move_index(1);
}

void hostile_rig::move_index(std::uint16_t by) {
  available_ = static_cast<std::uint16_t>(available_ + by);
  std::atomic_ref(ring_.available->idx).store(available_, std::memory_order_release);
}

void hostile_rig::kick() {
  const std::uint64_t one = 1;
  if (::write(kick_fd_, &one, sizeof one) != sizeof one) throw std::runtime_error("kick");
}

void hostile_rig::submit(const chain& c) {
  write(c);
  offer(0);
  kick();
}

// ---- what came of it ----

bool hostile_rig::anything_used() {
  return std::atomic_ref(ring_.used->idx).load(std::memory_order_acquire) != used_;
}

hostile_rig::used_entry hostile_rig::next_used() {
  if (!comes_true([this] { return anything_used(); })) throw std::runtime_error("nothing was given back in time");
  const vring_used_elem& entry = ring_.used->ring[used_++ % ring_size];
  return {entry.id, entry.len};
}

ring_error hostile_rig::error() {
  ring_error seen = ring_error::none;
  on_worker([&seen](adapter::memory_port& port) { seen = port.error(); });
  return seen;
}

adapter::memory_port_counters hostile_rig::counters() {
  adapter::memory_port_counters seen;
  on_worker([&seen](adapter::memory_port& port) { seen = port.counters(); });
  return seen;
}

void hostile_rig::wait_for(std::uint64_t adapter::memory_port_counters::*counter) {
  if (!comes_true([this, counter] { return counters().*counter > 0; })) throw std::runtime_error("nothing was counted");
}

void hostile_rig::expect_rejected(ring_error why) {
  ring_error seen = ring_error::none;
  comes_true([this, &seen] {
    seen = error();
    return seen != ring_error::none;
  });
  INFO("the driver broke its ring: " << to_string(seen));
  CHECK(seen == why);
}

void hostile_rig::expect_served(unsigned count) {
  for (unsigned i = 0; i < count; ++i) CHECK(next_used().written == valid_length());
  CHECK(error() == ring_error::none);
}

// An events queue fills buffers in the order of their coming, which may include some of before; eight are enough for
// any report of the mouse to begin.
void hostile_rig::expect_a_valid_request_served() {
  chain c = valid();
  for (vring_desc& d : c) d.addr += 0x8000;  // other pages than the case's
  if (lane_ != lane::events) {
    std::memset(at(c[0].addr), 0, c[0].len);
    if (lane_ == lane::blk) *at(c[2].addr) = std::byte{0xee};
    write(c, first_valid);
    offer(first_valid);
    kick();
    const used_entry back = next_used();
    CHECK(back.head == first_valid);
    CHECK(back.written == valid_length());
    if (lane_ == lane::blk) {
      CHECK(status_at(c[2].addr) == VIRTIO_BLK_S_OK);
      CHECK(std::memcmp(at(c[1].addr), file_->read(0, sector).data(), sector) == 0);
    }
  } else {
    for (std::uint16_t i = first_valid; i < ring_size; ++i) {
      c[0].addr += 16;
      write(c, i);
      offer(i);
    }
    kick();
    used_entry back = next_used();
    while (back.head < first_valid) back = next_used();  // what a case left there
    CHECK(back.written == valid_length());
    report_entry told;
    std::memcpy(&told, at(desc(back.head).addr), sizeof told);
    CHECK((told.type == EV_REL || told.type == EV_KEY || told.type == EV_SYN));
  }
  CHECK(error() == ring_error::none);
}

// ---- what the transport is told by the driver ----

void hostile_rig::on_worker(const std::function<void(adapter::memory_port&)>& work) {
  std::promise<void> done;
  worker_.post([&] {
    work(*ports_[queue_]);
    done.set_value();
  });
  await(done);
}

task<void> hostile_rig::reset_port(adapter::memory_port& port, std::promise<void>& done) {
  co_await port.reset();
  done.set_value();
}

void hostile_rig::reset_only() {
  std::promise<void> done;
  worker_.spawn([this, &done](loop&) { return reset_port(*ports_[queue_], done); });
  await(done);
}

void hostile_rig::fresh_ring() {
  std::memset(ring_.descriptors, 0, split_ring::descriptors_bytes(ring_size));
  std::memset(ring_.available, 0, split_ring::available_bytes(ring_size));
  std::memset(ring_.used, 0, split_ring::used_bytes(ring_size));
  available_ = used_ = 0;
}

void hostile_rig::make_ready() {
  on_worker([](adapter::memory_port& port) { port.start(); });
}

void hostile_rig::reset() {
  reset_only();
  fresh_ring();
  make_ready();
}

bool hostile_rig::move_ring(std::uint64_t to) {
  const split_ring there = ring_at(to);
  bool moved = false;
  on_worker([&](adapter::memory_port& port) { moved = port.set_ring(there); });
  if (!moved) return false;
  ring_at_ = to;
  ring_ = there;
  fresh_ring();
  return true;
}

void hostile_rig::remove_region(std::uint64_t address) {
  on_worker([&](adapter::memory_port&) { map_.remove(address, region_at(address).memory.bytes().size()); });
}

void hostile_rig::add_region(std::uint64_t address) {
  on_worker(
      [&](adapter::memory_port&) { map_.add({.address = address, .memory = region_at(address).memory.bytes()}); });
}

}  // namespace vloop::test
