// SPDX-License-Identifier: MIT
// The device's ends of a split ring, over memory in which every byte is the fuzzer's: the driver's memory of three
// regions, the ring somewhere in it. Chains are walked and written to, which may hit the ring itself.
//
//   input: features, seg_max, ring size, three offsets of the ring's parts | contents of the regions
#include <array>
#include <cstdlib>
#include <memory>
#include <system_error>

#include "fuzz/input.hpp"
#include "vring/chain.hpp"
#include "vring/memory_map.hpp"
#include "vring/split_ring.hpp"

namespace vloop::test {
namespace {

struct freer {
  void operator()(std::byte* p) const { std::free(p); }
};

// A block of its own size, so that AddressSanitizer sees what goes beyond.
struct block {
  block(std::uint64_t at, std::size_t bytes, fuzz_input& from)
      : address(at), memory(static_cast<std::byte*>(std::aligned_alloc(64, bytes))), size(bytes) {
    std::memset(memory.get(), 0, size);
    from.fill(all());
  }
  std::span<std::byte> all() const { return {memory.get(), size}; }
  bool holds(const segment& s) const {
    const auto* const begin = static_cast<const std::byte*>(s.base);
    return begin >= memory.get() && begin + s.length <= memory.get() + size;
  }
  std::uint64_t address;
  std::unique_ptr<std::byte, freer> memory;
  std::size_t size;
};

struct header {
  std::uint8_t features;
  std::uint8_t segments_max;
  std::uint8_t size_log2;
  std::uint8_t begin;  // where the device goes on in the ring
  std::uint16_t descriptors, available, used;
};

constexpr std::uint64_t first_address = 0x1000;

split_ring find_ring(const memory_map& map, const header& h) {
  const auto size = static_cast<std::uint16_t>(1u << (h.size_log2 % 18));
  try {
    return split_ring::find(map, first_address + h.descriptors, first_address + h.available, first_address + h.used,
                            size);
  } catch (const std::system_error&) {
    return split_ring::find(map, first_address, first_address + 256, first_address + 512, 16);
  }
}

void check(const chain& c, std::span<const segment> segments, std::span<const block> blocks) {
  const std::size_t count = c.readable_segments + c.writable_segments;
  must(count <= segments.size(), "no more segments than there is room for");
  must(count > 0, "a chain has a buffer");
  std::uint64_t bytes[2] = {0, 0};
  for (std::size_t i = 0; i < count; ++i) {
    must(segments[i].length > 0, "no segment is empty");
    must(std::ranges::any_of(blocks, [&](const block& b) { return b.holds(segments[i]); }),
         "all memory is the driver's");
    bytes[i < c.readable_segments ? 0 : 1] += segments[i].length;
  }
  must(bytes[0] == c.readable && bytes[1] == c.writable, "the sums are right");
}

void serve(const split_ring& ring, const memory_map& map, const header& h, std::span<const block> blocks) {
  const bool indirect = (h.features & 1) != 0, event_index = (h.features & 2) != 0;
  std::array<segment, 64> room;
  const std::span segments = std::span(room).first(1 + h.segments_max % room.size());
  available_reader available(ring.available, ring.size, h.begin);
  used_writer used(ring, event_index, h.begin);
  constexpr int heads_max = 100;
  for (int i = 0; i < heads_max; ++i) {
    used.refuse_kicks();
    const auto head = available.take();
    must(head.error == ring_error::none || !head.some, "an error comes without a head");
    if (head.error != ring_error::none) return;
    if (!head.some) {
      used.ask_for_kick(available.next());
      if (!available.has_new()) break;
      continue;
    }
    must(head.value < ring.size, "a head is in the ring");
    chain c;
    if (walk_chain(ring, head.value, map, indirect, segments, c) != ring_error::none) return;
    check(c, segments, blocks);
    for (const segment& s : segments.subspan(c.readable_segments, c.writable_segments))
      std::memset(s.base, 0x01, s.length);  // as a device would, whatever lies there
    used.add(head.value, c.writable);
    if (i % 3 == 0) used.publish();
  }
  used.publish();
  used.notification_wanted();
}

}  // namespace
}  // namespace vloop::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vloop::test;
  fuzz_input input(data, size);
  const auto h = input.take<header>();
  const block blocks[] = {{first_address, 4096, input}, {first_address + 4096, 1024, input}, {1u << 31, 512, input}};
  vloop::memory_map map;
  for (const block& b : blocks) map.add({.address = b.address, .memory = b.all()});
  serve(find_ring(map, h), map, h, blocks);
  return 0;
}
