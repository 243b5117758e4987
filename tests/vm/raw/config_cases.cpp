// SPDX-License-Identifier: MIT
// The config space of a living device: what is set is checked as CREATE is, and reaches the driver.
#include "cases.hpp"
#include "disk.hpp"

#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <sys/ioctl.h>

#include <cstdlib>
#include <memory>

namespace vloop::raw {

namespace {

using bytes = std::vector<std::byte>;

long set_config(const device& d, const bytes& content) {
  vloop_config arg{};
  arg.data = address_of(content.data());
  arg.length = static_cast<std::uint32_t>(content.size());
  return call(d.fd(), VLOOP_SET_CONFIG, &arg);
}

bytes get_config(const device& d) {
  bytes content(d.info().config_len);
  vloop_config arg{};
  arg.data = address_of(content.data());
  arg.length = static_cast<std::uint32_t>(content.size());
  equal("GET_CONFIG", call(d.fd(), VLOOP_GET_CONFIG, &arg), 0);
  return content;
}

template <class Set>
bytes changed(bytes content, Set&& set) {
  virtio_blk_config config{};
  std::memcpy(&config, content.data(), sizeof(config));
  set(config);
  return bytes_of(config);
}

bytes of_capacity(const bytes& content, std::uint64_t sectors) {
  return changed(content, [&](auto& config) { config.capacity = sectors; });
}

std::uint64_t sectors_of(const std::string& node) {
  std::uint64_t size = 0;
  const auto fd = open_or_throw(node, O_RDONLY);
  equal("BLKGETSIZE64", result_of(::ioctl(fd.get(), BLKGETSIZE64, &size)), 0);
  return size / sector_bytes;
}

void becomes(const std::string& node, std::uint64_t sectors) {
  within(patience, node + " has " + std::to_string(sectors) + " sectors", [&] { return sectors_of(node) == sectors; });
}

void a_new_capacity_reaches_the_node() {
  disk d;
  const auto served = d.serve();
  const auto first = get_config(d.dev());
  equal("the first size", static_cast<long>(sectors_of(d.node())), disk_sectors);
  for (const std::uint64_t sectors : {2 * disk_sectors, disk_sectors / 2, std::uint64_t{0}, disk_sectors}) {
    const auto content = of_capacity(first, sectors);
    equal("SET_CONFIG", set_config(d.dev(), content), 0);
    becomes(d.node(), sectors);
    expect(get_config(d.dev()) == content, "GET_CONFIG gives what was set");
  }
  equal("REMOVE", d.dev().remove(), 0);
  d.dev().wait_gone();
  equal("SET_CONFIG of a device that is gone", set_config(d.dev(), first), -ENODEV);
}

// The driver has read the capacity and waits for the partition table, which only we can give it.
void a_change_during_the_probe_is_told_after_it() {
  const auto file = memory_file(2 * disk_sectors * sector_bytes);
  device d(blk_shape(disk_sectors));
  equal("SET_FILE", d.set_file(0, file.get()), 0);
  const auto q = d.open_queue(0);
  equal("START", d.start(), 0);
  expect(q.wait(), "the driver's first request");
  equal("the state", d.info().state, VLOOP_STATE_STARTING);
  equal("SET_CONFIG", set_config(d, of_capacity(get_config(d), 2 * disk_sectors)), 0);
  const serving served({q.fd()});
  within(patience, "a disk that is live", [&] { return d.info().state == VLOOP_STATE_LIVE; });
  becomes(disk_node(d.id()), 2 * disk_sectors);
  equal("REMOVE", d.remove(), 0);
  d.wait_gone();
}

void before_the_start_a_change_is_what_the_driver_finds() {
  auto shape = blk_shape(disk_sectors);
  const auto content = of_capacity(shape.config, disk_sectors / 4);
  const auto file = memory_file(disk_sectors * sector_bytes);
  device d(std::move(shape));
  equal("SET_FILE", d.set_file(0, file.get()), 0);
  equal("SET_CONFIG", set_config(d, content), 0);
  const auto q = d.open_queue(0);
  equal("START", d.start(), 0);
  const serving served({q.fd()});
  within(patience, "a disk that is live", [&] { return d.info().state == VLOOP_STATE_LIVE; });
  equal("the size", static_cast<long>(sectors_of(disk_node(d.id()))), disk_sectors / 4);
  equal("REMOVE", d.remove(), 0);
  d.wait_gone();
}

void a_living_disk_cannot_take_values_that_trip_its_driver() {
  auto shape = blk_shape(disk_sectors);
  shape.arg.features |= 1ULL << VIRTIO_BLK_F_BLK_SIZE | 1ULL << VIRTIO_BLK_F_SIZE_MAX | 1ULL << VIRTIO_BLK_F_TOPOLOGY;
  shape.config = changed(shape.config, [](auto& config) {
    config.blk_size = 512;
    config.size_max = page_bytes;
  });
  disk d(std::move(shape));
  const auto before = get_config(d.dev());
  const auto refused = [&](const char* what, auto&& set) {
    equal(what, set_config(d.dev(), changed(before, set)), -EINVAL);
    expect(get_config(d.dev()) == before, "what is refused changes nothing");
  };
  refused("blk_size", [](auto& config) { config.blk_size = 3; });
  refused("size_max", [](auto& config) { config.size_max = 1; });
  refused("seg_max above the ring", [](auto& config) { config.seg_max = 63; });
  refused("no segment", [](auto& config) { config.seg_max = 0; });
  refused("physical_block_exp", [](auto& config) { config.physical_block_exp = 9; });
  refused("capacity", [](auto& config) { config.capacity = ~0ULL; });

  equal("less than all", set_config(d.dev(), bytes(before.begin(), before.end() - 1)), -EINVAL);
  equal("nothing", set_config(d.dev(), {}), -EINVAL);
  auto longer = before;
  longer.emplace_back();
  equal("more than all", set_config(d.dev(), longer), -EINVAL);
  vloop_config arg{};
  arg.length = static_cast<std::uint32_t>(before.size());
  equal("no memory", call(d.dev().fd(), VLOOP_SET_CONFIG, &arg), -EFAULT);
  equal("no memory to read into", call(d.dev().fd(), VLOOP_GET_CONFIG, &arg), -EFAULT);
  arg.data = address_of(longer.data());
  arg.pad = 1;
  equal("padding", call(d.dev().fd(), VLOOP_SET_CONFIG, &arg), -EINVAL);
  arg.pad = 0;
  arg.reserved[1] = 1;
  equal("what is reserved", call(d.dev().fd(), VLOOP_GET_CONFIG, &arg), -EINVAL);
  expect(get_config(d.dev()) == before, "what is refused changes nothing");
  d.remove();
}

long create(const bytes& config, std::uint64_t features, std::uint32_t ring = 64) {
  auto shape = blk_shape(disk_sectors, 1, ring);
  shape.arg.features = features;
  shape.config = config;
  return create(std::move(shape));
}

// Behind the driver is the block layer, which counts bytes in a signed number, and makes read-ahead of what is optimal.
void sizes_that_trip_the_block_layer_are_refused() {
  const bytes plain = blk_shape(disk_sectors).config;
  const auto with = [&](std::uint64_t features, auto&& set) {
    return create(changed(plain, set), features | 1ULL << VIRTIO_BLK_F_SEG_MAX);
  };
  constexpr auto topology = 1ULL << VIRTIO_BLK_F_TOPOLOGY;
  constexpr auto blk_size = 1ULL << VIRTIO_BLK_F_BLK_SIZE;
  for (const std::uint64_t capacity : {1ULL << 54, 1ULL << 55, 1ULL << 63, ~0ULL})
    equal("capacity", with(0, [&](auto& c) { c.capacity = capacity; }), -EINVAL);
  equal("the largest capacity", with(0, [](auto& c) { c.capacity = (1ULL << 54) - 1; }), 0);
  for (const std::uint32_t blocks : {(64U << 20) / 512 + 1, 1U << 23, ~0U})
    equal("opt_io_size", with(topology, [&](auto& c) { c.opt_io_size = blocks; }), -EINVAL);
  equal("the largest opt_io_size", with(topology, [](auto& c) { c.opt_io_size = (64U << 20) / 512; }), 0);
  const auto block = [](auto& c) { c.blk_size = page_bytes; };
  equal("min_io_size",
        with(topology | blk_size,
             [&](auto& c) {
               block(c);
               c.min_io_size = 0xffff;
             }),
        -EINVAL);
  // A block of a page may lie on two: one segment is too few for it, whether said or assumed.
  equal("one segment for a block of a page",
        with(blk_size,
             [&](auto& c) {
               block(c);
               c.seg_max = 1;
             }),
        -EINVAL);
  equal("no word of segments", create(changed(plain, block), blk_size), -EINVAL);
  equal("two segments for a block of a page",
        with(blk_size,
             [&](auto& c) {
               block(c);
               c.seg_max = 2;
             }),
        0);
  equal("one segment for a sector", with(0, [](auto& c) { c.seg_max = 1; }), 0);
}

// The least that is accepted is enough: blocks of a page from memory that is aligned to sectors only.
void two_segments_are_enough_for_any_block() {
  auto shape = blk_shape(disk_sectors);
  shape.arg.features |= 1ULL << VIRTIO_BLK_F_BLK_SIZE;
  shape.config = changed(shape.config, [](auto& config) {
    config.blk_size = page_bytes;
    config.seg_max = 2;
  });
  disk d(std::move(shape));
  const auto served = d.serve();
  constexpr std::size_t count = 16 * page_bytes;
  const std::unique_ptr<std::byte, decltype(&std::free)> memory(
      static_cast<std::byte*>(std::aligned_alloc(page_bytes, count + page_bytes)), &std::free);
  const auto fd = open_or_throw(d.node(), O_RDWR | O_DIRECT);
  for (std::size_t offset = sector_bytes; offset < page_bytes; offset += sector_bytes) {
    auto* const from = memory.get() + offset;
    for (std::size_t i = 0; i < count; ++i) from[i] = static_cast<std::byte>(i / sector_bytes + offset);
    equal("a write", result_of(::pwrite(fd.get(), from, count, 0)), count);
    bytes there(count);
    equal("a look at the file", result_of(::pread(d.file(), there.data(), count, 0)), count);
    expect(std::memcmp(there.data(), from, count) == 0, "the file has what was written");
    std::memset(from, 0, count);
    equal("a read", result_of(::pread(fd.get(), from, count, 0)), count);
    expect(std::memcmp(there.data(), from, count) == 0, "what is read is what was written");
  }
  d.remove();
}

constexpr named_case cases[] = {
    {"a_new_capacity_reaches_the_node", a_new_capacity_reaches_the_node},
    {"a_change_during_the_probe_is_told_after_it", a_change_during_the_probe_is_told_after_it},
    {"before_the_start_a_change_is_what_the_driver_finds", before_the_start_a_change_is_what_the_driver_finds},
    {"a_living_disk_cannot_take_values_that_trip_its_driver", a_living_disk_cannot_take_values_that_trip_its_driver},
    {"sizes_that_trip_the_block_layer_are_refused", sizes_that_trip_the_block_layer_are_refused},
    {"two_segments_are_enough_for_any_block", two_segments_are_enough_for_any_block},
};

}  // namespace

std::span<const named_case> config_cases() {
  return cases;
}

}  // namespace vloop::raw
