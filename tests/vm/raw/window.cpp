// SPDX-License-Identifier: MIT
#include "window.hpp"

#define VIRTIO_RING_NO_LEGACY  // else it is no C++
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>

#include <algorithm>

namespace vloop::raw {

namespace {

constexpr milliseconds look_interval{20};

std::size_t descriptors_bytes(std::uint32_t ring) {
  const std::size_t bytes = ring * sizeof(vring_desc);
  return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

}  // namespace

device_shape with_window(device_shape shape) {
  shape.arg.flags |= VLOOP_CREATE_WINDOW;
  return shape;
}

window::window(const queue& q, std::uint32_t ring, int protection)
    : ring_(ring),
      descriptors_(q.fd(), VLOOP_MMAP_DESCS, descriptors_bytes(ring)),
      memory_(q.fd(), VLOOP_MMAP_WINDOW, window_bytes(ring), protection) {}

long window::error() const {
  return descriptors_.error() != 0 ? descriptors_.error() : memory_.error();
}

std::vector<piece> window::chain(const vloop_record& request) const {
  const auto* table = static_cast<const vring_desc*>(descriptors_.address());
  std::vector<piece> pieces;
  for (std::uint32_t index = request.head; pieces.size() < ring_; index = table[index].next) {
    expect(index < ring_, "a descriptor of the table");
    const vring_desc& d = table[index];
    expect(d.addr <= window_bytes(ring_) - d.len, "an address in the window");
    pieces.push_back({base() + d.addr, d.len, (d.flags & VRING_DESC_F_WRITE) != 0});
    if ((d.flags & VRING_DESC_F_NEXT) == 0) return pieces;
  }
  throw failure("a chain that ends");
}

piece window::data(const vloop_record& request, bool writable) const {
  piece found{nullptr, 0, writable};
  for (const auto& one : chain(request))
    if (one.writable == writable && one.length > found.length) found = one;
  expect(found.base != nullptr, "a piece of data");
  return found;
}

vloop_op in_place_answer(const vloop_record& request) {
  auto op = op_for(request, VLOOP_VERB_IN_PLACE, answer_silently);
  op.length = request.writable - 1;
  return op;
}

// ---- disk ----

window_disk::window_disk(device_shape shape)
    : ring_(shape.queues[0].size),
      device_(with_window(std::move(shape))),
      queue_(device_.open_queue(0)),
      window_(queue_, ring_),
      bytes_(disk_sectors * sector_bytes) {
  equal("the window", window_.error(), 0);
  equal("START", device_.start(), 0);
  const auto probe = serve();
  within(patience, "a disk that is live", [&] { return device_.info().state == VLOOP_STATE_LIVE; });
  node_ = disk_node(device_.id());
  expect(!node_.empty() && exists(node_), "the disk's node");
}

long window_disk::answer(const vloop_record& request) {
  virtio_blk_outhdr header{};
  std::memcpy(&header, request.data, sizeof(header));
  auto op = op_for(request, VLOOP_VERB_NONE, answer_silently);
  if (header.type == VIRTIO_BLK_T_IN) op = in_place_answer(request);
  if (header.type > VIRTIO_BLK_T_FLUSH) op.status_ok = VIRTIO_BLK_S_UNSUPP;
  if (header.type > VIRTIO_BLK_T_OUT) return queue_.write(op);

  const bool read = header.type == VIRTIO_BLK_T_IN;
  std::size_t skip = read ? 0 : sizeof(header);
  std::size_t left = read ? request.writable - 1 : request.readable - sizeof(header);
  expect(header.sector * sector_bytes + left <= bytes_.size(), "a request inside the disk");
  std::byte* at = bytes_.data() + header.sector * sector_bytes;
  for (const auto& one : window_.chain(request)) {
    if (one.writable != read) continue;
    const auto cut = std::min(skip, one.length);
    const auto bytes = std::min(one.length - cut, left);
    if (read)
      std::memcpy(one.base + cut, at, bytes);
    else
      std::memcpy(at, one.base + cut, bytes);
    at += bytes;
    left -= bytes;
    skip -= cut;
  }
  return queue_.write(op);
}

void window_disk::server::run(window_disk& disk) {
  while (!stop_) {
    if (!disk.q().wait(look_interval)) continue;
    for (const auto& record : disk.q().read_all())
      if (record.type == VLOOP_RECORD_REQUEST)
        one_of("a good answer", disk.answer(record), {sizeof(vloop_op), -ESTALE, -ENODEV});
  }
}

void window_disk::close() {
  window_ = window();
  queue_.close();
  device_.close();
}

}  // namespace vloop::raw
