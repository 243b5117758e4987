// SPDX-License-Identifier: MIT
// Numbers that are out of range, or get there by wrapping: each is refused, and changes nothing.
#include "cases.hpp"
#include "disk.hpp"

#include <linux/hdreg.h>
#include <linux/virtio_blk.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <climits>

namespace vloop::raw {

namespace {

constexpr std::uint32_t large = 128 << 10;  // bytes of a read that is more than one copy may move

// The operation is refused, and the request is as it was.
void refused(const queue& q, const vloop_op& op, const char* what, long error = -EINVAL) {
  equal(what, q.write(op), error);
}

void ranges_of_an_operation() {
  disk d;
  const auto reader = transfer::read(d.node(), 0, large);
  const auto request = d.q().next_request();
  equal("writable bytes of the read", request.writable, large + 1);

  auto fill = op_for(request, VLOOP_VERB_FILE_TO_REQUEST, answer_silently);
  fill.length = large + 1;
  refused(d.q(), fill, "a transfer over the status byte");
  fill.length = UINT_MAX;
  refused(d.q(), fill, "a length of 2^32 - 1");
  fill.length = 1U << 31;
  refused(d.q(), fill, "a length of 2^31");
  fill.skip = UINT_MAX - 511;
  fill.length = 512;
  refused(d.q(), fill, "skip and length that wrap to 0");
  fill.skip = 1;
  refused(d.q(), fill, "a hole before the data");
  fill.skip = 0;
  for (const std::uint64_t offset : {~0ULL, ~0ULL - 511, 1ULL << 63, (1ULL << 63) - 1}) {
    fill.offset = offset;
    refused(d.q(), fill, "a file offset beyond 2^63");
  }

  auto drain = op_for(request, VLOOP_VERB_REQUEST_TO_FILE, answer_silently);
  drain.length = sizeof(virtio_blk_outhdr) + 1;
  refused(d.q(), drain, "more than the readable bytes");
  drain.skip = sizeof(virtio_blk_outhdr);
  drain.length = 1;
  refused(d.q(), drain, "bytes behind the readable ones");
  drain.skip = UINT_MAX;
  drain.length = 2;
  refused(d.q(), drain, "readable bytes by wrapping");

  std::vector<std::byte> memory(VLOOP_COPY_MAX + 1);
  auto copy = op_for(request, VLOOP_VERB_COPY_TO_REQUEST, answer_silently);
  copy.address = address_of(memory.data());
  copy.length = VLOOP_COPY_MAX + 1;
  refused(d.q(), copy, "a copy of more than the maximum");
  copy.verb = VLOOP_VERB_COPY_FROM_REQUEST;
  copy.flags = 0;
  copy.length = sizeof(virtio_blk_outhdr) + 1;
  refused(d.q(), copy, "a copy of more than the readable bytes");
  copy.skip = UINT_MAX;
  copy.length = 2;
  refused(d.q(), copy, "copied bytes by wrapping");

  auto nothing = op_for(request, VLOOP_VERB_NONE, answer_silently);
  nothing.skip = 1;
  refused(d.q(), nothing, "skipping without moving");
  nothing.skip = 0;
  nothing.verb = VLOOP_VERB_SYNC_FILE + 1;
  refused(d.q(), nothing, "an unknown verb");
  nothing.verb = VLOOP_VERB_NONE;
  nothing.flags |= 1U << 31;
  refused(d.q(), nothing, "an unknown flag");
  nothing.flags = answer_silently;
  nothing.reserved[1] = 1;
  refused(d.q(), nothing, "a reserved field");

  equal("the good answer", d.q().write(good_answer(request)), sizeof(vloop_op));
  equal("the read", reader.result(), large);
  expect(reader.data_is(std::byte{0}, 0, large), "nothing of what was refused reached the reader");
}

// The table's entry 0 and the queue's head 0 exist: what is clamped instead of refused would hit them.
void heads_and_files_that_are_not_there() {
  disk d(blk_shape(disk_sectors, 1, 8));
  const auto reader = transfer::read(d.node(), 0, 512);
  const auto request = d.q().next_request();
  auto op = good_answer(request);
  for (const unsigned head : {8U, 9U, 0x8000U, 0xffffU}) {
    op.head = static_cast<std::uint16_t>(head);
    refused(d.q(), op, "a head that the queue does not have");
  }
  op.head = request.head;
  for (const unsigned file : {1U, 16U, 17U, 0x100U, 0xffffU}) {
    op.file = static_cast<std::uint16_t>(file);
    refused(d.q(), op, "a file that the table does not have", -EBADF);
  }
  op.file = 0;
  equal("the good answer", d.q().write(op), sizeof(op));
  equal("the read", reader.result(), 512);
}

void calls_on_a_device() {
  device d(blk_shape(disk_sectors));
  for (const std::uint32_t index : {1U, 64U, 1U << 16, 1U << 31, UINT_MAX})
    equal("a queue that is not there", d.queue_fd(index), -EINVAL);
  equal("an unknown flag of QUEUE_FD", d.queue_fd(0, 1U << 31), -EINVAL);
  const auto file = memory_file(page_bytes);
  for (const std::uint32_t index : {16U, 17U, 1U << 16, 1U << 31, UINT_MAX})
    equal("an entry that the table does not have", d.set_file(index, file.get()), -EINVAL);
  for (const int fd : {-2, INT_MIN}) equal("a descriptor that cannot be", d.set_file(0, fd), -EINVAL);
  equal("a descriptor that is not open", d.set_file(0, INT_MAX), -EBADF);
  equal("an unknown call", call(d.fd(), _IO(VLOOP_IOC_MAGIC, 0x7f)), -ENOTTY);
}

void numbers_of_a_new_device() {
  const control module;
  equal("a device that can be", create(blk_shape(disk_sectors)), 0);
  for (const std::uint32_t size : {0U, 2U, 3U, 63U, 2048U, 1U << 31, UINT_MAX}) {
    auto shape = rng_shape();  // of a disk the class wants more than that
    shape.queues[0].size = size;
    equal("a ring of an impossible size", create(std::move(shape)), -EINVAL);
  }
  equal("a device without a queue", create(blk_shape(disk_sectors, 0)), -EINVAL);
  equal("a device of 65 queues", create(blk_shape(disk_sectors, 65)), -EINVAL);

  auto shape = blk_shape(disk_sectors);
  shape.config.resize(VLOOP_CONFIG_MAX + 1);
  equal("a config space that is too large", create(shape), -EINVAL);
  shape = blk_shape(disk_sectors);
  shape.queues[0].reserved[4] = 1;
  equal("a reserved field of a queue", create(shape), -EINVAL);
  shape = blk_shape(disk_sectors);
  shape.arg.flags = VLOOP_CREATE_WINDOW << 1;
  equal("an unknown flag", create(shape), -EINVAL);
  shape = blk_shape(disk_sectors);
  shape.arg.reserved[3] = 1;
  equal("a reserved field", create(shape), -EINVAL);
}

// Where CREATE is told to find what it reads: nowhere, in the kernel, at the end of memory.
void addresses_of_a_new_device() {
  const control module;
  for (const std::uint64_t address :
       {0ULL, 0xffff888000000000ULL, 0xffffffff81000000ULL, 0xfffffffffffffff0ULL, 0x7ffffffff000ULL}) {
    auto shape = blk_shape(disk_sectors);
    vloop_create arg = shape.arg;
    arg.num_queues = 1;
    arg.queues = address;
    equal("queues at an address that is not ours", call(module.fd(), VLOOP_CREATE, &arg), -EFAULT);
    arg.queues = address_of(shape.queues.data());
    arg.config_len = 8;
    arg.config = address;
    equal("a config space at an address that is not ours", call(module.fd(), VLOOP_CREATE, &arg), -EFAULT);
    equal("CREATE at an address that is not ours", result_of(::ioctl(module.fd(), VLOOP_CREATE, address)), -EFAULT);
  }
}

void offsets_of_mappings() {
  device d(blk_shape(disk_sectors));
  const auto q = d.open_queue(0);
  for (const std::uint64_t offset : {VLOOP_MMAP_AVAIL, VLOOP_MMAP_STATS}) {
    equal("a page that is there", mapping(q.fd(), offset).error(), 0);
    equal("two pages", mapping(q.fd(), offset, 2 * page_bytes).error(), -EINVAL);
    equal("2^20 pages", mapping(q.fd(), offset, page_bytes << 20).error(), -EINVAL);
    equal("the page behind", mapping(q.fd(), offset + page_bytes).error(), -EINVAL);
  }
  for (const std::uint64_t offset : {0ULL - page_bytes, 1ULL << 40, 1ULL << 63, (1ULL << 63) + VLOOP_MMAP_STATS,
                                     VLOOP_MMAP_STATS << 1, VLOOP_MMAP_STATS << 32})
    one_of("a page that is not there", mapping(q.fd(), offset).error(), {-EINVAL, -EOVERFLOW});
}

// A config space that ends before the fields whose feature is offered; others of the same size lie around it in memory.
void reads_behind_the_config_space() {
  std::vector<device> neighbours;
  for (int i = 0; i < 64; ++i) {
    auto shape = blk_shape(disk_sectors);
    shape.arg.features = 0;
    shape.config.assign(8, std::byte{0xff});
    std::fill_n(shape.config.begin() + 6, 2, std::byte{0});  // no disk may be larger than the block layer counts
    neighbours.emplace_back(std::move(shape));
  }
  auto shape = blk_shape(disk_sectors);
  shape.arg.features = 1ULL << VIRTIO_BLK_F_GEOMETRY;
  shape.config.resize(8);
  disk d(std::move(shape));
  const auto node = open_or_throw(d.node(), O_RDONLY);
  hd_geometry geometry{};
  equal("HDIO_GETGEO", call(node.get(), HDIO_GETGEO, &geometry), 0);
  equal("what is read behind the config space", geometry.cylinders | geometry.heads | geometry.sectors, 0);
}

constexpr named_case cases[] = {
    {"ranges_of_an_operation", ranges_of_an_operation},
    {"heads_and_files_that_are_not_there", heads_and_files_that_are_not_there},
    {"calls_on_a_device", calls_on_a_device},
    {"numbers_of_a_new_device", numbers_of_a_new_device},
    {"addresses_of_a_new_device", addresses_of_a_new_device},
    {"offsets_of_mappings", offsets_of_mappings},
    {"reads_behind_the_config_space", reads_behind_the_config_space},
};

}  // namespace

std::span<const named_case> range_cases() {
  return cases;
}

}  // namespace vloop::raw
