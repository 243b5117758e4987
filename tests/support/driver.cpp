// SPDX-License-Identifier: MIT
#include "support/driver.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <stdexcept>

namespace vloop::test {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t descriptors_max = 512;  // of one indirect table

// Cuts `part` into buffers of the given sizes; the last one takes what is left.
std::vector<split_ring_driver::buffer> cut(const shared_memory& memory, std::span<const std::byte> part,
                                           const std::vector<std::uint32_t>& sizes) {
  std::vector<split_ring_driver::buffer> buffers;
  for (const std::uint32_t size : sizes) {
    if (size >= part.size()) break;
    buffers.push_back({.address = memory.address_of(part.data()), .length = size});
    part = part.subspan(size);
  }
  if (!part.empty())
    buffers.push_back({.address = memory.address_of(part.data()), .length = static_cast<std::uint32_t>(part.size())});
  return buffers;
}

}  // namespace

driver::driver(shared_memory& memory, const driver_options& options) : memory_(memory), options_(options) {
  ring_ = split_ring::at(memory.allocate(split_ring::bytes(options.queue_size), page).data(), options.queue_size);
  engine_.emplace(ring_, options.event_index);
  kick_fd_ = ::eventfd(0, EFD_CLOEXEC);
  interrupt_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (kick_fd_ < 0 || interrupt_fd_ < 0) throw std::runtime_error("eventfd");
  slots_.resize(options.queue_size);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    // A page before the data holds what is cut off its front, two more what misalignment and status need.
    slots_[i].memory = memory.allocate(options.request_bytes_max + 3 * page, page);
    if (options.indirect) slots_[i].table = memory.allocate(descriptors_max * sizeof(vring_desc), 16);
  }
  reset();
}

driver::~driver() {
  ::close(kick_fd_);
  ::close(interrupt_fd_);
}

void driver::reset() {
  engine_.emplace(ring_, options_.event_index);
  slot_by_head_.assign(options_.queue_size, 0);
  free_slots_.clear();
  for (std::size_t i = slots_.size(); i > 0; --i) {
    slots_[i - 1].in_use = false;
    free_slots_.push_back(static_cast<std::uint16_t>(i - 1));
  }
  in_flight_ = 0;
}

driver::ticket driver::offer(std::span<const std::byte> readable, std::uint32_t writable, const cuts& how) {
  if (readable.size() + writable > options_.request_bytes_max)
    throw std::runtime_error("request too large for the test");
  if (free_slots_.empty()) throw std::runtime_error("no free request slot");
  const std::uint16_t index = free_slots_.back();
  slot& s = slots_[index];
  // A header of 16 bytes is put before a page boundary, so that the data behind it begins on one.
  const std::size_t header = std::min<std::size_t>(readable.size(), 16);
  std::byte* const r = s.memory.data() + page - header + how.misalignment;
  std::copy(readable.begin(), readable.end(), r);
  const std::size_t data_end = page + how.misalignment + readable.size() - header;
  std::byte* const w = s.memory.data() + (data_end + page - 1) / page * page + (data_end % page ? how.misalignment : 0);
  s.writable = {w, writable};
  std::fill(s.writable.begin(), s.writable.end(), std::byte{0xee});  // what was not written stays recognisable

  const auto readable_buffers = cut(memory_, {r, readable.size()}, how.readable);
  const auto writable_buffers = cut(memory_, s.writable, how.writable);
  const auto head = options_.indirect
                        ? engine_->add_indirect(readable_buffers, writable_buffers,
                                                {reinterpret_cast<vring_desc*>(s.table.data()), descriptors_max},
                                                memory_.address_of(s.table.data()))
                        : engine_->add(readable_buffers, writable_buffers);
  if (!head) throw std::runtime_error("no free descriptors");
  free_slots_.pop_back();
  slot_by_head_[*head] = index;
  s.owner = ++generation_ * slots_.size() + index;
  s.in_use = true;
  s.done = false;
  ++in_flight_;
  return s.owner;
}

void driver::publish() {
  if (engine_->publish()) kick();
}

driver::ticket driver::submit(std::span<const std::byte> readable, std::uint32_t writable, const cuts& how) {
  const ticket t = offer(readable, writable, how);
  publish();
  return t;
}

void driver::kick() {
  const std::uint64_t one = 1;
  if (::write(kick_fd_, &one, sizeof one) != sizeof one) throw std::runtime_error("kick");
  ++kicks_;
}

void driver::collect() {
  while (const auto used = engine_->collect()) {
    if (!used->valid) throw std::runtime_error("the device gave back a head that is not in flight");
    slot& s = slots_[slot_by_head_[used->head]];
    if (used->written > s.writable.size()) throw std::runtime_error("the device claims more than is writable");
    s.done = true;
    s.written = used->written;
    --in_flight_;
  }
}

driver::slot& driver::slot_of(ticket t) {
  slot& s = slots_[t % slots_.size()];
  if (!s.in_use || s.owner != t) throw std::runtime_error("this ticket was finished before");
  return s;
}

bool driver::finished(ticket t) {
  collect();
  return slot_of(t).done;
}

driver::answer driver::finish(ticket t, std::chrono::milliseconds limit) {
  slot& s = slot_of(t);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  collect();
  while (!s.done) {
    if (engine_->interrupts_on()) {
      collect();
      continue;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd p{.fd = interrupt_fd_, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&p, 1, static_cast<int>(left.count())) == 0)
      throw std::runtime_error("the device did not answer in time");
    std::uint64_t count = 0;
    if (::read(interrupt_fd_, &count, sizeof count) == sizeof count) interrupts_ += count;
    collect();
  }
  s.in_use = false;
  free_slots_.push_back(static_cast<std::uint16_t>(t % slots_.size()));
  return {.written = s.written, .writable = s.writable};
}

// ---- blk ----

blk_driver::ticket blk_driver::raw(std::uint32_t type, std::uint64_t sector, std::span<const std::byte> data,
                                   std::uint32_t writable, const driver::cuts& how) {
  const virtio_blk_outhdr header{.type = type, .ioprio = 0, .sector = sector};
  std::vector<std::byte> readable(sizeof header + data.size());
  std::memcpy(readable.data(), &header, sizeof header);
  std::copy(data.begin(), data.end(), readable.begin() + sizeof header);
  return driver_.submit(readable, writable, how);
}

blk_driver::ticket blk_driver::read(std::uint64_t sector, std::uint32_t bytes, const driver::cuts& how) {
  driver::cuts cuts = how;
  if (cuts.writable.empty()) cuts.writable = {bytes};  // the status byte in a descriptor of its own, as Linux sends it
  return raw(VIRTIO_BLK_T_IN, sector, {}, bytes + 1, cuts);
}

blk_driver::ticket blk_driver::write(std::uint64_t sector, std::span<const std::byte> data, const driver::cuts& how) {
  driver::cuts cuts = how;
  if (cuts.readable.empty()) cuts.readable = {sizeof(virtio_blk_outhdr)};
  return raw(VIRTIO_BLK_T_OUT, sector, data, 1, cuts);
}

blk_driver::ticket blk_driver::flush() {
  return raw(VIRTIO_BLK_T_FLUSH, 0, {}, 1);
}
blk_driver::ticket blk_driver::get_id(std::uint32_t room) {
  return raw(VIRTIO_BLK_T_GET_ID, 0, {}, room + 1);
}

blk_driver::outcome blk_driver::finish(ticket t) {
  const driver::answer a = driver_.finish(t);
  outcome o;
  o.written = a.written;
  if (!a.writable.empty()) {
    o.status = static_cast<std::uint8_t>(a.writable.back());
    o.data.assign(a.writable.begin(), a.writable.end() - 1);
  }
  return o;
}

}  // namespace vloop::test
