// SPDX-License-Identifier: MIT
// What a driver can do wrong with a ring, whatever the device behind it: each case before a disk, an entropy source and
// both queues of an input device. A case says what the driver writes and what comes of it, exactly; afterwards a valid
// request is served, after a reset if the ring was rejected.
//
// The sections are those of virtio 1.2.
#include <catch2/catch_test_macros.hpp>

#include <cstring>
#include <limits>
#include <string>

#include "hostile/rig.hpp"

namespace vloop::test {
namespace {

using rig = hostile_rig;
using chain = rig::chain;

constexpr std::uint64_t top = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint16_t next_flag = VRING_DESC_F_NEXT;
constexpr std::uint16_t indirect_flag = VRING_DESC_F_INDIRECT;
constexpr std::uint64_t table = rig::page(20);  // where cases put their indirect tables

struct ring_case {
  const char* name;
  void (*write)(rig& q, chain c);       // `c`: what a driver with manners would offer
  ring_error error = ring_error::none;  // none: served
  unsigned served = 1;                  // how many chains of the valid shape come back
  hostile_options options = {};
};

void submit_with(rig& q, chain c, std::size_t i, std::uint64_t address, std::uint32_t length) {
  c[i].addr = address;
  c[i].len = length;
  q.submit(c);
}

// The chain, with its last descriptor naming `next` as its successor.
void submit_continued(rig& q, const chain& c, std::size_t next) {
  q.write(c);
  vring_desc& last = q.desc(c.size() - 1);
  last.flags |= next_flag;
  last.next = static_cast<std::uint16_t>(next);
  q.offer(0);
  q.kick();
}

// Descriptor 0 names the table, as the case changed it.
void offer_first(rig& q) {
  q.offer(0);
  q.kick();
}

const ring_case rejected_cases[] = {
    // ---- the available ring ----
    {"a head that is the queue size", [](rig& q, chain c) { q.write(c), q.offer(rig::ring_size), q.kick(); },
     ring_error::bad_head},  // 2.7.6
    {"a head of 65535", [](rig& q, chain c) { q.write(c), q.offer(0xffff), q.kick(); }, ring_error::bad_head},
    {"an available index one beyond the queue size", [](rig& q, chain c) { q.write(c), q.move_index(17), q.kick(); },
     ring_error::avail_jump},  // 2.7.6.1
    {"an available index that jumps half its range", [](rig& q, chain) { q.move_index(0x8000), q.kick(); },
     ring_error::avail_jump},
    {"an available index that goes backwards", [](rig& q, chain) { q.move_index(0xffff), q.kick(); },
     ring_error::avail_jump},
    {"a head offered twice at once", [](rig& q, chain c) { q.write(c), q.offer(0), q.offer(0), q.kick(); },
     ring_error::head_in_use},  // 2.7.13.1
    {"all entries of the ring with the same head",
     [](rig& q, chain c) {
       q.write(c);
       for (int i = 0; i < rig::ring_size; ++i) q.offer(0);
       q.kick();
     },
     ring_error::head_in_use},

    // ---- chains ----
    {"a successor that is the queue size", [](rig& q, chain c) { submit_continued(q, c, rig::ring_size); },
     ring_error::bad_next},  // 2.7.5
    {"a successor of 65535", [](rig& q, chain c) { submit_continued(q, c, 0xffff); }, ring_error::bad_next},
    {"a descriptor that follows itself", [](rig& q, chain c) { submit_continued(q, c, c.size() - 1); },
     ring_error::too_long},  // 2.7.5.2
    {"a loop of two descriptors",
     [](rig& q, chain c) {
       c.push_back(q.more(rig::page(16), 8));
       submit_continued(q, c, c.size() - 2);
     },
     ring_error::too_long},
    {"a loop over the whole table",
     [](rig& q, chain) { submit_continued(q, chain(rig::ring_size, q.more(rig::page(16), 8)), 0); },
     ring_error::too_long},
    {"a loop at the end of a long chain",
     [](rig& q, chain) { submit_continued(q, chain(rig::ring_size, q.more(rig::page(16), 8)), rig::ring_size - 1); },
     ring_error::too_long},
    {"a first buffer of no bytes", [](rig& q, chain c) { submit_with(q, c, 0, c[0].addr, 0); },
     ring_error::zero_length},
    {"a last buffer of no bytes",
     [](rig& q, chain c) {
       c.push_back(q.more(rig::page(16), 0));
       q.submit(c);
     },
     ring_error::zero_length},
    {"a loop of buffers of no bytes",
     [](rig& q, chain c) {
       c.back().len = 0;
       submit_continued(q, c, c.size() - 1);
     },
     ring_error::zero_length},
    {"a readable buffer after a writable one",
     [](rig& q, chain c) {
       c.push_back(rig::w(rig::page(16), 8));
       c.push_back(rig::r(rig::page(17), 8));
       q.submit(c);
     },
     ring_error::write_before_read},  // 2.7.4.2
    {"readable and writable buffers in turns",
     [](rig& q, chain) {
       q.submit(
           {rig::r(rig::page(16), 8), rig::w(rig::page(16), 8), rig::r(rig::page(16), 8), rig::w(rig::page(16), 8)});
     },
     ring_error::write_before_read},

    // ---- addresses and lengths (2.7.5) ----
    {"a buffer at address 0", [](rig& q, chain c) { submit_with(q, c, 0, 0, c[0].len); }, ring_error::bad_address},
    {"a buffer that ends where the first region begins",
     [](rig& q, chain c) { submit_with(q, c, 0, rig::near_at - c[0].len, c[0].len); }, ring_error::bad_address},
    {"a buffer that begins one byte before the first region",
     [](rig& q, chain c) { submit_with(q, c, 0, rig::near_at - 1, c[0].len); }, ring_error::bad_address},
    {"a buffer that begins where a region ends",
     [](rig& q, chain c) { submit_with(q, c, 0, rig::far_at + rig::far_bytes, c[0].len); }, ring_error::bad_address},
    {"a buffer that reaches one byte over the edge of a region",
     [](rig& q, chain c) { submit_with(q, c, 0, rig::far_at + rig::far_bytes - c[0].len + 1, c[0].len); },
     ring_error::bad_address},
    {"a buffer that begins in two adjacent regions and ends behind them",
     [](rig& q, chain c) { submit_with(q, c, q.data(), rig::next_at - 4, rig::next_bytes + 5); },
     ring_error::bad_address},
    {"a buffer between two regions", [](rig& q, chain c) { submit_with(q, c, 0, rig::far_at - 0x10000, c[0].len); },
     ring_error::bad_address},
    {"a pointer of the device's process taken for an address",
     [](rig& q, chain c) { submit_with(q, c, 0, reinterpret_cast<std::uintptr_t>(q.at(rig::near_at)), c[0].len); },
     ring_error::bad_address},
    {"a buffer that wraps around the address space", [](rig& q, chain c) { submit_with(q, c, 0, top - 3, c[0].len); },
     ring_error::bad_address},
    {"a buffer that wraps into a region", [](rig& q, chain c) { submit_with(q, c, 0, top - 3, 0xffffffff); },
     ring_error::bad_address},
    {"one byte at the last address there is", [](rig& q, chain c) { submit_with(q, c, 0, top, 1); },
     ring_error::bad_address},
    {"a buffer of 4 GiB less one byte", [](rig& q, chain) { q.submit({q.more(rig::near_at, 0xffffffff)}); },
     ring_error::bad_address},
    {"buffers of more than 4 GiB together",
     [](rig& q, chain c) {
       c.push_back(q.more(rig::page(16), 0xffffffff));
       q.submit(c);
     },
     ring_error::too_large},  // 2.7.5.2

    // ---- indirect tables (2.7.5.3, 2.7.5.3.1) ----
    {"an indirect table that was not negotiated",
     [](rig& q, chain c) { q.write_table(c, table), offer_first(q); },
     ring_error::indirect_not_negotiated,
     1,
     {.indirect = false}},
    {"an indirect table of no bytes",
     [](rig& q, chain c) { q.write_table(c, table), q.desc(0).len = 0, offer_first(q); }, ring_error::indirect_size},
    {"an indirect table of half a descriptor",
     [](rig& q, chain c) { q.write_table(c, table), q.desc(0).len = 8, offer_first(q); }, ring_error::indirect_size},
    {"an indirect table of one byte more than its descriptors",
     [](rig& q, chain c) { q.write_table(c, table), q.desc(0).len += 1, offer_first(q); }, ring_error::indirect_size},
    {"an indirect table one byte short",
     [](rig& q, chain c) { q.write_table(c, table), q.desc(0).len -= 1, offer_first(q); }, ring_error::indirect_size},
    {"an indirect table of 4 GiB less 16 bytes",
     [](rig& q, chain c) { q.write_table(c, table), q.desc(0).len = 0xfffffff0, offer_first(q); },
     ring_error::bad_address},
    {"an indirect table outside the driver's memory",
     [](rig& q, chain c) { q.write_table(c, table), q.desc(0).addr = rig::far_at - 16, offer_first(q); },
     ring_error::bad_address},
    {"an indirect table that reaches over the edge of a region",
     [](rig& q, chain c) {
       q.write_table(c, table);
       q.desc(0).addr = rig::far_at + rig::far_bytes - 8;
       offer_first(q);
     },
     ring_error::bad_address},
    {"an indirect table that wraps around the address space",
     [](rig& q, chain c) { q.write_table(c, table), q.desc(0).addr = top - 7, offer_first(q); },
     ring_error::bad_address},
    {"an indirect table that lies in two regions",
     [](rig& q, chain c) { q.write_table(c, table), q.desc(0).addr = rig::next_at - 8, offer_first(q); },
     ring_error::bad_address},
    {"an indirect table in an indirect table",
     [](rig& q, chain c) {
       c.back() = {table + 0x800, 16, indirect_flag, 0};
       q.write_table(c, table);
       offer_first(q);
     },
     ring_error::indirect_chained},
    {"an indirect table that names itself",
     [](rig& q, chain) {
       q.write_table({{table, 16, indirect_flag, 0}}, table);
       offer_first(q);
     },
     ring_error::indirect_chained},
    {"a descriptor after an indirect table",
     [](rig& q, chain c) {
       q.write_table(c, table);
       q.desc(0).flags |= next_flag;
       q.desc(0).next = 1;
       q.desc(1) = q.more(rig::page(16), 8);
       offer_first(q);
     },
     ring_error::indirect_chained},
    {"a successor outside the indirect table, though inside the ring",
     [](rig& q, chain c) {
       c.back().flags |= next_flag;
       c.back().next = static_cast<std::uint16_t>(c.size());
       q.write_table(c, table);
       offer_first(q);
     },
     ring_error::bad_next},
    {"a loop in an indirect table",
     [](rig& q, chain c) {
       c.back().flags |= next_flag;
       c.back().next = static_cast<std::uint16_t>(c.size() - 1);
       q.write_table(c, table);
       offer_first(q);
     },
     ring_error::too_long},
    {"a loop in an indirect table of 4096 descriptors",
     [](rig& q, chain) {
       chain loop(4096, q.more(rig::page(16), 1));
       loop.back().flags |= next_flag;
       q.write_table(loop, table);
       offer_first(q);
     },
     ring_error::too_long},
    {"one segment more than the device allows",
     [](rig& q, chain) { q.write_table(chain(257, q.more(rig::page(16), 1)), table), offer_first(q); },
     ring_error::too_long},
    {"a buffer of no bytes in an indirect table",
     [](rig& q, chain c) {
       c.back().len = 0;
       q.write_table(c, table);
       offer_first(q);
     },
     ring_error::zero_length},
    {"a bad address in an indirect table",
     [](rig& q, chain c) {
       c.back().addr = 0;
       q.write_table(c, table);
       offer_first(q);
     },
     ring_error::bad_address},
    {"a readable buffer after a writable one in an indirect table",
     [](rig& q, chain c) {
       c.push_back(rig::w(rig::page(16), 8));
       c.push_back(rig::r(rig::page(17), 8));
       q.write_table(c, table);
       offer_first(q);
     },
     ring_error::write_before_read},
    {"a readable buffer in the table after a writable one before it",
     [](rig& q, chain) {
       q.write_table({rig::r(rig::page(17), 8)}, table, 1);
       q.desc(0) = rig::w(rig::page(16), 8);
       q.desc(0).flags |= next_flag;
       q.desc(0).next = 1;
       offer_first(q);
     },
     ring_error::write_before_read},
};

const ring_case served_cases[] = {
    {"descriptor flags that nobody defined",
     [](rig& q, chain c) {
       q.write(c);
       for (std::size_t i = 0; i < c.size(); ++i) q.desc(i).flags |= 0xfff8;
       offer_first(q);
     }},
    {"a successor of nonsense without the NEXT flag",
     [](rig& q, chain c) {
       q.write(c);
       q.desc(c.size() - 1).next = 0xffff;
       offer_first(q);
     }},
    {"data at an odd address",
     [](rig& q, chain c) { submit_with(q, c, q.data(), c[q.data()].addr + 1, c[q.data()].len); }},
    {"data that lies in two adjacent regions",
     [](rig& q, chain c) { submit_with(q, c, q.data(), rig::next_at - 5, c[q.data()].len); }},
    {"data that ends with its region",
     [](rig& q, chain c) {
       submit_with(q, c, q.data(), rig::far_at + rig::far_bytes - c[q.data()].len, c[q.data()].len);
     }},
    {"data that begins with its region",
     [](rig& q, chain c) { submit_with(q, c, q.data(), rig::far_at, c[q.data()].len); }},
    {"data that lies over the descriptor table",
     [](rig& q, chain c) { submit_with(q, c, q.data(), q.address_of_ring(), c[q.data()].len); }},
    {"data that lies over the used ring's entries",
     [](rig& q, chain c) { submit_with(q, c, q.data(), q.address_of_ring() + rig::used_offset + 4, c[q.data()].len); }},
    {"heads from the end of the table to its beginning",
     [](rig& q, chain c) {
       q.write(c, 4);
       q.offer(4);
       q.write(c, 0);
       q.offer(0);
       q.kick();
     },
     ring_error::none, 2},
    {"two heads that share their descriptors",
     [](rig& q, chain c) {
       q.write_table(c, table, 0);
       q.desc(1) = q.desc(0);
       q.offer(0);
       q.offer(1);
       q.kick();
     },
     ring_error::none, 2},
    {"as many heads as the queue has, at once",
     [](rig& q, chain c) {
       for (std::uint16_t i = 0; i < rig::ring_size; ++i) q.write_table(c, table, i);
       for (std::uint16_t i = 0; i < rig::ring_size; ++i) q.offer(i);
       q.kick();
     },
     ring_error::none, 16},
    {"an indirect table at an odd address", [](rig& q, chain c) { q.write_table(c, table + 3), offer_first(q); }},
    {"an indirect table with the WRITE flag, which means nothing",  // 2.7.5.3.2
     [](rig& q, chain c) { q.write_table(c, table), q.desc(0).flags |= VRING_DESC_F_WRITE, offer_first(q); }},
    {"an indirect table that is longer than its chain",
     [](rig& q, chain c) { q.write_table(c, table), q.desc(0).len += 1600, offer_first(q); }},
    {"an indirect table that lies over the ring's own descriptors",
     [](rig& q, chain c) {
       q.write_table(c, q.address_of_ring() + 64, 0);
       offer_first(q);
     }},
    {"available flags that nobody defined",
     [](rig& q, chain c) {
       rig::scribble(q.ring().available->flags, 0xffff);
       q.submit(c);
     }},
    {"an event index of nonsense",
     [](rig& q, chain c) {
       rig::scribble(q.ring().used_event(), 0x7777);
       q.submit(c);
     },
     ring_error::none,
     1,
     {.event_index = true}},
    {"an available event that the driver wrote over",
     [](rig& q, chain c) {
       rig::scribble(q.ring().available_event(), 0x7777);
       q.submit(c);
     },
     ring_error::none,
     1,
     {.event_index = true}},
    {"used entries that the driver wrote over",
     [](rig& q, chain c) {
       std::memset(static_cast<void*>(q.ring().used->ring), 0xff, sizeof(vring_used_elem) * rig::ring_size);
       q.submit(c);
     }},
    {"used flags that the driver wrote over",
     [](rig& q, chain c) {
       rig::scribble(q.ring().used->flags, 0xffff);
       q.submit(c);
     }},
    {"a thousand kicks for nothing",
     [](rig& q, chain c) {
       for (int i = 0; i < 1000; ++i) q.kick();
       q.submit(c);
     }},
    {"an index that is moved without a kick, and a kick later",
     [](rig& q, chain c) {
       q.write(c);
       q.offer(0);
       q.on_worker([](auto&) {});
       q.kick();
     }},
};

std::string named(const char* what, lane l) {
  return std::string(name_of(l)) + ": " + what;
}

TEST_CASE("hostile ring: rejected, nothing is given back, and after a reset a valid request is served") {
  for (const lane l : all_lanes)
    for (const ring_case& one : rejected_cases) DYNAMIC_SECTION(named(one.name, l)) {
        rig q(l, one.options);
        one.write(q, q.valid());
        q.expect_rejected(one.error);
        if (one.error != ring_error::head_in_use) CHECK_FALSE(q.anything_used());
        q.kick();  // it stays rejected, whatever the driver does but a reset
        q.expect_rejected(one.error);
        q.reset();
        q.expect_a_valid_request_served();
      }
}

TEST_CASE("odd ring: served as the specification says, and so is the valid request after it") {
  for (const lane l : all_lanes)
    for (const ring_case& one : served_cases) DYNAMIC_SECTION(named(one.name, l)) {
        rig q(l, one.options);
        one.write(q, q.valid());
        q.expect_served(one.served);
        q.expect_a_valid_request_served();
      }
}

}  // namespace
}  // namespace vloop::test
