// SPDX-License-Identifier: MIT
// The driver's end of a split ring before a device that writes what it likes into the used ring.
//
//   input: features, ring size | steps: what the driver does, or bytes for the used ring
#include <cstdlib>
#include <memory>
#include <set>

#include "fuzz/input.hpp"
#include "vring/split_ring_driver.hpp"

namespace vloop::test {
namespace {

struct freer {
  void operator()(std::byte* p) const { std::free(p); }
};

void offer(split_ring_driver& driver, std::set<std::uint16_t>& in_flight, std::uint8_t how) {
  const split_ring_driver::buffer buffers[3] = {{0x1000, 16}, {0x2000, 512}, {0x3000, 1}};
  vring_desc table[3];
  const auto readable = std::span(buffers).first(1 + how % 2), writable = std::span(buffers).last(1);
  const auto head =
      (how & 4) != 0 ? driver.add_indirect(readable, writable, table, 0x4000) : driver.add(readable, writable);
  if (head) must(in_flight.insert(*head).second, "a head is in flight once");
}

void collect(split_ring_driver& driver, std::set<std::uint16_t>& in_flight) {
  constexpr int entries_max = 64;
  for (int i = 0; i < entries_max; ++i) {
    const auto used = driver.collect();
    if (!used) return;
    if (used->valid) must(in_flight.erase(used->head) == 1, "only what is in flight comes back");
  }
}

}  // namespace
}  // namespace vloop::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vloop;
  using namespace vloop::test;
  fuzz_input input(data, size);
  const bool event_index = (input.take<std::uint8_t>() & 1) != 0;
  const auto ring_size = static_cast<std::uint16_t>(1u << (input.take<std::uint8_t>() % 6));
  const std::size_t bytes = (split_ring::bytes(ring_size) + 63) / 64 * 64;
  const std::unique_ptr<std::byte, freer> memory(static_cast<std::byte*>(std::aligned_alloc(64, bytes)));
  const split_ring ring = split_ring::at(memory.get(), ring_size);
  split_ring_driver driver(ring, event_index);
  std::set<std::uint16_t> in_flight;
  while (!input.empty()) {
    const auto step = input.take<std::uint8_t>();
    switch (step % 5) {
      case 0:
        offer(driver, in_flight, step / 5);
        break;
      case 1:
        driver.publish();
        break;
      case 2:
        collect(driver, in_flight);
        break;
      case 3:
        (step & 0x80) != 0 ? driver.interrupts_off() : static_cast<void>(driver.interrupts_on());
        break;
      case 4:  // the device: a few bytes anywhere in its ring
        input.fill({reinterpret_cast<std::byte*>(ring.used) + step / 5 % (split_ring::used_bytes(ring_size) - 3), 4});
        break;
    }
    must(driver.free_descriptors() + in_flight.size() <= ring_size, "no descriptor is both free and in flight");
  }
  return 0;
}
