// SPDX-License-Identifier: MIT
// Device and driver end of a split ring against each other: what is offered, given back and announced.
#include "vring/split_ring.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "vring/split_ring_driver.hpp"

namespace vloop {
namespace {

struct ring_memory {
  explicit ring_memory(std::uint16_t size) {
    const std::size_t bytes = (split_ring::bytes(size) + 4095) / 4096 * 4096;
    base.reset(static_cast<std::byte*>(std::aligned_alloc(4096, bytes)));
    ring = split_ring::at(base.get(), size);
  }
  struct freer {
    void operator()(std::byte* p) const { std::free(p); }
  };
  std::unique_ptr<std::byte, freer> base;
  split_ring ring;
};

struct both_ends {
  explicit both_ends(std::uint16_t size, bool event_index)
      : memory(size),
        driver(memory.ring, event_index),
        available(memory.ring.available, size),
        used(memory.ring, event_index) {}

  std::uint16_t offer_one() {
    const split_ring_driver::buffer b{.address = 0, .length = 1};
    const auto head = driver.add({&b, 1}, {});
    REQUIRE(head);
    return *head;
  }

  ring_memory memory;
  split_ring_driver driver;
  available_reader available;
  used_writer used;
};

TEST_CASE("nothing is available in a fresh ring") {
  both_ends ends(8, false);
  CHECK_FALSE(ends.available.has_new());
  const auto h = ends.available.take();
  CHECK_FALSE(h.some);
  CHECK(h.error == ring_error::none);
}

TEST_CASE("a head is seen once it is published, not before") {
  both_ends ends(8, false);
  const std::uint16_t head = ends.offer_one();
  CHECK_FALSE(ends.available.take().some);
  CHECK(ends.driver.publish());
  CHECK(ends.available.has_new());
  const auto h = ends.available.take();
  CHECK(h.some);
  CHECK(h.value == head);
  CHECK_FALSE(ends.available.has_new());
}

TEST_CASE("heads go round the ring and past the index's wrap at 65536") {
  both_ends ends(4, true);
  for (int round = 0; round < 70000; ++round) {
    const std::uint16_t head = ends.offer_one();
    ends.driver.publish();
    const auto h = ends.available.take();
    if (!h.some || h.value != head) FAIL("head lost in round " << round);
    ends.used.push(h.value, 7);
    const auto back = ends.driver.collect();
    if (!back || !back->valid || back->head != head || back->written != 7) FAIL("used entry lost in round " << round);
  }
  CHECK(ends.driver.free_descriptors() == 4);
}

TEST_CASE("the driver runs out of descriptors and gets them back with the used entry") {
  both_ends ends(4, false);
  const split_ring_driver::buffer three[3] = {{0, 1}, {1, 1}, {2, 1}};
  const auto head = ends.driver.add(three, {});
  REQUIRE(head);
  CHECK_FALSE(ends.driver.add(std::span(three).first(2), {}));
  ends.driver.publish();
  ends.used.push(ends.available.take().value, 0);
  CHECK(ends.driver.collect());
  CHECK(ends.driver.add(three, {}));
}

TEST_CASE("heads that were added are seen by the driver when they are published, all at once") {
  both_ends ends(8, false);
  const std::uint16_t first = ends.offer_one();
  const std::uint16_t second = ends.offer_one();
  ends.used.add(first, 1);
  ends.used.add(second, 2);
  CHECK_FALSE(ends.driver.collect());
  CHECK_FALSE(ends.used.notification_wanted());  // nothing to tell yet
  ends.used.publish();
  CHECK(ends.used.notification_wanted());
  CHECK(ends.driver.collect()->head == first);
  CHECK(ends.driver.collect()->head == second);
  CHECK_FALSE(ends.driver.collect());
}

TEST_CASE("without EVENT_IDX the driver's flag decides about notifications") {
  both_ends ends(8, false);
  ends.used.push(ends.offer_one(), 0);
  CHECK(ends.used.notification_wanted());
  CHECK_FALSE(ends.used.notification_wanted());  // nothing new since
  ends.driver.interrupts_off();
  ends.used.push(ends.offer_one(), 0);
  CHECK_FALSE(ends.used.notification_wanted());
  ends.driver.interrupts_on();
  ends.used.push(ends.offer_one(), 0);
  CHECK(ends.used.notification_wanted());
}

TEST_CASE("with EVENT_IDX the driver is notified when its event is passed, once") {
  both_ends ends(8, true);
  ends.used.push(ends.offer_one(), 0);
  CHECK(ends.used.notification_wanted());  // event 0: the first entry
  ends.used.push(ends.offer_one(), 0);
  CHECK_FALSE(ends.used.notification_wanted());  // the event was not moved
  CHECK(ends.driver.collect());
  CHECK(ends.driver.interrupts_on());  // one entry came meanwhile
  CHECK(ends.driver.collect());
  CHECK_FALSE(ends.driver.interrupts_on());
  ends.used.push(ends.offer_one(), 0);
  CHECK(ends.used.notification_wanted());
}

TEST_CASE("a batch that steps over the event is announced once") {
  both_ends ends(8, true);
  for (int i = 0; i < 5; ++i) ends.used.push(ends.offer_one(), 0);
  CHECK(ends.used.notification_wanted());
  CHECK_FALSE(ends.used.notification_wanted());
}

TEST_CASE("without EVENT_IDX the device's flag decides about kicks") {
  both_ends ends(8, false);
  ends.used.refuse_kicks();
  ends.offer_one();
  CHECK_FALSE(ends.driver.publish());
  ends.used.ask_for_kick(ends.available.next());
  CHECK(ends.available.has_new());  // the one that came without a kick
  ends.available.take();
  ends.offer_one();
  CHECK(ends.driver.publish());
}

TEST_CASE("with EVENT_IDX a kick comes for the entry the device asked for") {
  both_ends ends(8, true);
  ends.offer_one();
  CHECK(ends.driver.publish());
  ends.available.take();
  ends.offer_one();
  CHECK_FALSE(ends.driver.publish());  // the event is still at entry 0
  ends.available.take();
  ends.used.ask_for_kick(ends.available.next());
  ends.offer_one();
  CHECK(ends.driver.publish());
}

TEST_CASE("an event passes as the spec's arithmetic says, over the wrap too") {
  CHECK(passed_event(0, 1, 0));
  CHECK_FALSE(passed_event(1, 1, 0));
  CHECK(passed_event(65535, 0, 65535));
  CHECK(passed_event(2, 5, 65530));
  CHECK_FALSE(passed_event(5, 5, 65530));
  CHECK_FALSE(passed_event(65529, 5, 65530));
}

TEST_CASE("hostile: an available index that jumped by more than the queue size is an error") {
  both_ends ends(8, false);
  ends.memory.ring.available->idx = 9;
  CHECK(ends.available.take().error == ring_error::avail_jump);
}

TEST_CASE("hostile: an available index that moved backwards is an error") {
  both_ends ends(8, false);
  ends.offer_one();
  ends.driver.publish();
  ends.available.take();
  ends.memory.ring.available->idx = 0;
  CHECK(ends.available.take().error == ring_error::avail_jump);
}

TEST_CASE("an available index that moved by exactly the queue size is served") {
  both_ends ends(8, false);
  ends.memory.ring.available->idx = 8;
  for (int i = 0; i < 8; ++i) CHECK(ends.available.take().some);
  CHECK_FALSE(ends.available.take().some);
}

TEST_CASE("hostile: a head that is not below the queue size is an error") {
  both_ends ends(8, false);
  ends.memory.ring.available->ring[0] = 8;
  ends.memory.ring.available->idx = 1;
  CHECK(ends.available.take().error == ring_error::bad_head);
}

TEST_CASE("hostile: a used entry that names nothing in flight is reported to the driver's side") {
  both_ends ends(8, false);
  ends.used.push(5, 0);
  const auto stray = ends.driver.collect();
  REQUIRE(stray);
  CHECK_FALSE(stray->valid);
  CHECK(ends.driver.free_descriptors() == 8);
}

TEST_CASE("a used index that the driver scribbled over does not move the device") {
  both_ends ends(8, false);
  ends.used.push(0, 0);
  ends.memory.ring.used->idx = 77;
  ends.used.push(1, 0);
  CHECK(ends.memory.ring.used->idx == 2);
}

TEST_CASE("a chain in an indirect table takes one descriptor of the ring") {
  both_ends ends(4, false);
  vring_desc table[3];
  const split_ring_driver::buffer out[] = {{.address = 100, .length = 16}};
  const split_ring_driver::buffer in[] = {{.address = 200, .length = 512}, {.address = 300, .length = 1}};
  const auto head = ends.driver.add_indirect(out, in, table, 0x5000);
  REQUIRE(head);
  CHECK(ends.driver.free_descriptors() == 3);
  const vring_desc& d = ends.memory.ring.descriptors[*head];
  CHECK(d.addr == 0x5000);
  CHECK(d.len == sizeof(table));
  CHECK(d.flags == VRING_DESC_F_INDIRECT);
  CHECK(table[0].flags == VRING_DESC_F_NEXT);
  CHECK(table[1].flags == (VRING_DESC_F_NEXT | VRING_DESC_F_WRITE));
  CHECK(table[2].flags == VRING_DESC_F_WRITE);
  ends.driver.publish();
  ends.used.push(ends.available.take().value, 513);
  CHECK(ends.driver.collect()->written == 513);
  CHECK(ends.driver.free_descriptors() == 4);
}

TEST_CASE("every ring error has words of its own") {
  std::set<std::string> words;
  for (int e = 0; e <= static_cast<int>(ring_error::indirect_chained); ++e)
    words.insert(to_string(static_cast<ring_error>(e)));
  CHECK(words.size() == static_cast<std::size_t>(ring_error::indirect_chained) + 1);
  CHECK(words.count("unknown error") == 0);
}

class described_ring {
 public:
  described_ring() {
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(4096, bytes)));
    map_.add({.address = 0x10000, .memory = {memory_.get(), bytes}});
  }
  split_ring find(std::uint64_t d, std::uint64_t a, std::uint64_t u, std::uint16_t size) const {
    return split_ring::find(map_, 0x10000 + d, 0x10000 + a, 0x10000 + u, size);
  }

 private:
  static constexpr std::size_t bytes = 8192;
  std::unique_ptr<std::byte, ring_memory::freer> memory_;
  memory_map map_;
};

TEST_CASE("a ring that the driver describes well is found") {
  const split_ring ring = described_ring().find(0, 4096, 6144, 64);
  CHECK(ring.size == 64);
  CHECK(reinterpret_cast<std::byte*>(ring.used) - reinterpret_cast<std::byte*>(ring.descriptors) == 6144);
}

TEST_CASE("hostile: ring sizes that are no power of two are refused") {
  CHECK_THROWS_AS(described_ring().find(0, 4096, 6144, 0), std::system_error);
  CHECK_THROWS_AS(described_ring().find(0, 4096, 6144, 63), std::system_error);
  CHECK_THROWS_AS(described_ring().find(0, 4096, 6144, 65535), std::system_error);
}

TEST_CASE("hostile: ring parts that are not aligned are refused") {
  CHECK_THROWS_AS(described_ring().find(8, 4096, 6144, 64), std::system_error);
  CHECK_THROWS_AS(described_ring().find(0, 4097, 6144, 64), std::system_error);
  CHECK_THROWS_AS(described_ring().find(0, 4096, 6146, 64), std::system_error);
}

TEST_CASE("hostile: ring parts outside the driver's memory are refused") {
  CHECK_THROWS_AS(described_ring().find(8192, 4096, 6144, 64), std::system_error);
  CHECK_THROWS_AS(described_ring().find(0, 8190, 6144, 64), std::system_error);
  CHECK_THROWS_AS(described_ring().find(0, 4096, 8000, 64), std::system_error);
  CHECK_THROWS_AS(described_ring().find(0 - std::uint64_t{0x20000}, 4096, 6144, 64), std::system_error);
}

TEST_CASE("hostile: ring parts that overlap are refused") {
  CHECK_THROWS_AS(described_ring().find(0, 1008, 6144, 64), std::system_error);
  CHECK_THROWS_AS(described_ring().find(0, 4096, 4096, 64), std::system_error);
}

TEST_CASE("memory regions that are empty, wrap or overlap are refused") {
  std::byte bytes[64];
  memory_map map;
  map.add({.address = 100, .memory = bytes});
  CHECK_THROWS_AS(map.add({.address = 163, .memory = bytes}), std::system_error);
  CHECK_THROWS_AS(map.add({.address = 500, .memory = {}}), std::system_error);
  CHECK_THROWS_AS(map.add({.address = ~std::uint64_t{0} - 8, .memory = bytes}), std::system_error);
  CHECK_NOTHROW(map.add({.address = 164, .memory = bytes}));
}

TEST_CASE("a region that was removed is found no more, and the others are") {
  std::byte first[64], second[64];
  memory_map map;
  map.add({.address = 100, .memory = first});
  map.add({.address = 164, .memory = second});
  CHECK_THROWS_AS(map.remove(100, 63), std::system_error);
  CHECK_THROWS_AS(map.remove(101, 64), std::system_error);
  map.remove(100, 64);
  CHECK(map.find(100, 1).empty());
  CHECK(map.find(164, 64).data() == second);
  CHECK_THROWS_AS(map.remove(100, 64), std::system_error);
  CHECK_NOTHROW(map.add({.address = 100, .memory = first}));
}

TEST_CASE("a driver with too few free descriptors for an indirect chain waits for one") {
  both_ends ends(2, false);
  vring_desc table[2];
  const split_ring_driver::buffer b[] = {{.address = 100, .length = 16}};
  CHECK(ends.driver.add_indirect(b, b, table, 0x5000));
  CHECK(ends.driver.add_indirect(b, b, table, 0x5000));
  CHECK_FALSE(ends.driver.add_indirect(b, b, table, 0x5000));
}

TEST_CASE("hostile: a device that gives back more than it has is reported to the driver's side") {
  both_ends ends(8, false);
  ends.offer_one();
  ends.driver.publish();
  ends.memory.ring.used->idx = 2;
  const auto stray = ends.driver.collect();
  REQUIRE(stray);
  CHECK_FALSE(stray->valid);
  CHECK(ends.driver.free_descriptors() == 7);
}

TEST_CASE("with nothing added there is nothing to publish, and no kick") {
  both_ends ends(8, false);
  CHECK_FALSE(ends.driver.publish());
}

TEST_CASE("with EVENT_IDX the driver's flags stay clear and its event is left behind") {
  both_ends ends(8, true);
  ends.driver.interrupts_off();
  CHECK(ends.memory.ring.available->flags == 0);
  ends.used.refuse_kicks();
  CHECK(ends.memory.ring.used->flags == 0);
}

TEST_CASE("memory is found up to the end of its region and no further") {
  std::byte bytes[64];
  memory_map map;
  map.add({.address = 100, .memory = bytes});
  CHECK(map.find(100, 64).size() == 64);
  CHECK(map.find(163, 64).size() == 1);
  CHECK(map.find(99, 1).empty());
  CHECK(map.find(164, 1).empty());
  CHECK(map.find_whole(100, 65).empty());
  CHECK(map.find(100, ~std::uint64_t{0}).size() == 64);
}

}  // namespace
}  // namespace vloop
