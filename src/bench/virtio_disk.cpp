// SPDX-License-Identifier: MIT
#include "bench/virtio_disk.hpp"

#include <linux/virtio_blk.h>
#include <poll.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "runtime/setup_error.hpp"

namespace vloop::bench {
namespace {

constexpr std::uint64_t page_bytes = 4096;  // buffers begin at one: direct I/O wants that
constexpr std::uint32_t descriptors_besides_data = 2;
constexpr std::uint32_t ring_entries_min = 4;
constexpr std::uint32_t sector_bytes = 512;
// Where in its head the status byte is: where the header does not reach.
constexpr std::uint64_t status_offset = vhost_user::head_bytes - 1;
constexpr std::uint8_t no_status = 0xff;

// Tags of completions: an interrupt's is its index.
constexpr std::uint64_t kick_tag = std::uint64_t{1} << 32;
constexpr std::uint64_t trouble_tag = std::uint64_t{1} << 33;

constexpr std::uint64_t one_kick = 1;
constexpr std::uint64_t no_position = ~std::uint64_t{0};

std::uint64_t stride_of(const load_shape& load) {
  return (load.block_bytes + page_bytes - 1) / page_bytes * page_bytes;
}

// All that a turn can prepare: linked entries must not be torn apart.
unsigned uring_entries(std::size_t queues, std::size_t interrupts, std::size_t troubles) {
  return static_cast<unsigned>(queues + 2 * interrupts + troubles + 1);
}

}  // namespace

std::uint32_t virtio_disk::ring_entries(const load_shape& load, std::uint32_t pieces) {
  return std::max(ring_entries_min, std::bit_ceil(load.depth * (pieces + descriptors_besides_data)));
}

std::uint32_t virtio_disk::buffer_bytes(const load_shape& load) {
  return static_cast<std::uint32_t>(load.depth * stride_of(load));
}

virtio_disk::virtio_disk(const vhost_user::shared_memory& memory, options what)
    : memory_(memory),
      options_(std::move(what)),
      slots_(options_.load.slots()),
      interrupts_(options_.interrupt_fds.size()),
      ring_(uring_entries(options_.queues.size(), options_.interrupt_fds.size(), options_.trouble_fds.size())) {
  for (std::size_t i = 0; i < options_.queues.size(); ++i) slot_of_head_.emplace_back(memory.queue(i).ring.size);
  ended_.reserve(slots_.size());
  for (const int fd : options_.trouble_fds)
    ring_.prepare(trouble_tag, [fd](io_uring_sqe* entry) { ::io_uring_prep_poll_add(entry, fd, POLLIN | POLLRDHUP); });
}

// ---- one request ----

std::uint64_t virtio_disk::head_at(std::uint32_t slot) const {
  const auto& queue = memory_.queue(slot / options_.load.depth);
  return queue.heads_offset + std::uint64_t{slot % options_.load.depth} * vhost_user::head_bytes;
}

std::uint64_t virtio_disk::data_at(std::uint32_t slot) const {
  const auto& queue = memory_.queue(slot / options_.load.depth);
  return queue.buffers_offset + slot % options_.load.depth * stride_of(options_.load);
}

std::span<std::byte> virtio_disk::buffer(std::uint32_t slot) const {
  return memory_.at(data_at(slot), options_.load.block_bytes);
}

void virtio_disk::add_pieces(std::vector<split_ring_driver::buffer>& to, std::uint32_t slot) const {
  std::uint64_t address = vhost_user::shared_memory::address_of(data_at(slot));
  for (std::uint32_t left = options_.load.block_bytes; left > 0;) {
    const std::uint32_t piece = std::min(left, options_.piece_bytes_max);
    to.push_back({.address = address, .length = piece});
    address += piece;
    left -= piece;
  }
}

void virtio_disk::prepare(std::uint32_t slot, const access& what) {
  const std::uint64_t head = head_at(slot);
  const virtio_blk_outhdr header{.type = static_cast<__virtio32>(what.write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN),
                                 .ioprio = 0,
                                 .sector = what.offset / sector_bytes};
  std::memcpy(memory_.at(head, sizeof header).data(), &header, sizeof header);
  memory_.at(head + status_offset, 1).front() = std::byte{no_status};
  readable_.assign(1, {.address = vhost_user::shared_memory::address_of(head), .length = sizeof header});
  writable_.clear();
  add_pieces(what.write ? readable_ : writable_, slot);
  writable_.push_back({.address = vhost_user::shared_memory::address_of(head + status_offset), .length = 1});

  const std::size_t queue = slot / options_.load.depth;
  const auto as = options_.queues[queue].ring->add(readable_, writable_);
  if (!as) throw setup_error(ENOSPC, options_.name + ": its ring is too small for the depth");
  slot_of_head_[queue][*as] = slot;
  slots_[slot].write = what.write;
}

std::int32_t virtio_disk::outcome(std::uint32_t slot, std::uint32_t written) const {
  const auto status = std::to_integer<std::uint8_t>(memory_.at(head_at(slot) + status_offset, 1).front());
  if (status == VIRTIO_BLK_S_UNSUPP) return -EOPNOTSUPP;
  if (status != VIRTIO_BLK_S_OK) return -EIO;
  const std::uint32_t block = options_.load.block_bytes;
  if (slots_[slot].write || written > block) return static_cast<std::int32_t>(block);
  return static_cast<std::int32_t>(written);  // less than was asked for
}

// ---- a turn ----

std::span<const ended_access> virtio_disk::turn() {
  ended_.clear();
  kick();
  listen();
  if (ask_for_interrupts()) {
    ring_.submit();
  } else {
    ring_.submit_and_wait();
  }
  ring_.collect([this](std::uint64_t tag, std::int32_t result) { note(tag, result); });
  for (std::size_t queue = 0; queue < options_.queues.size(); ++queue) collect(queue);
  return ended_;
}

// A kick that worked makes no completion: it would end the sleep that follows.
void virtio_disk::kick() {
  for (const auto& queue : options_.queues) {
    if (!queue.ring->publish()) continue;
    ring_.prepare(kick_tag, [&queue](io_uring_sqe* entry) {
      ::io_uring_prep_write(entry, queue.kick_fd, &one_kick, sizeof one_kick, no_position);
      entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
    });
  }
}

void virtio_disk::listen() {
  for (std::size_t i = 0; i < interrupts_.size(); ++i) {
    interrupt& one = interrupts_[i];
    if (one.listening) continue;
    one.listening = true;
    const int fd = options_.interrupt_fds[i];
    if (one.does_not_wait) {
      ring_.prepare(i, [fd](io_uring_sqe* entry) {
        ::io_uring_prep_poll_add(entry, fd, POLLIN);
        entry->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
      });
    }
    ring_.prepare(i, [fd, &one](io_uring_sqe* entry) {
      ::io_uring_prep_read(entry, fd, &one.count, sizeof one.count, no_position);
    });
  }
}

// True: something came meanwhile that no interrupt will tell of.
bool virtio_disk::ask_for_interrupts() {
  bool came = false;
  for (const auto& queue : options_.queues) came |= queue.ring->interrupts_on();
  return came;
}

void virtio_disk::note(std::uint64_t tag, std::int32_t result) {
  if (tag == trouble_tag) {
    troubled_ = true;
  } else if (tag == kick_tag) {
    if (result < 0) throw setup_error(-result, options_.name + ": cannot kick it");
  } else {
    interrupt& one = interrupts_[tag];
    one.listening = false;
    if (result == -EAGAIN) {  // a daemon has made the eventfd, which is its own too, one that does not wait
      one.does_not_wait = true;
    } else if (result < 0 && result != -EINTR && result != -ECANCELED)
      throw setup_error(-result, options_.name + ": cannot wait for its interrupts");
  }
}

void virtio_disk::collect(std::size_t queue) {
  split_ring_driver& ring = *options_.queues[queue].ring;
  while (const auto used = ring.collect()) {
    if (!used->valid) throw setup_error(EPROTO, options_.name + ": it gave back what it was not given");
    const std::uint32_t slot = slot_of_head_[queue][used->head];
    ended_.push_back({.slot = slot, .result = outcome(slot, used->written)});
  }
}

}  // namespace vloop::bench
