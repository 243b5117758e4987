// SPDX-License-Identifier: MIT
// What a driver can ask of the transport at the wrong time: a queue made ready twice, a ring or a region that goes away
// under a device that uses it, resets at any time. Before each of the devices.
#include <catch2/catch_test_macros.hpp>

#include <string>

#include "hostile/rig.hpp"

namespace vloop::test {
namespace {

using rig = hostile_rig;
using chain = rig::chain;

struct life_case {
  const char* name;
  void (*act)(rig& q, chain c);
};

const life_case cases[] = {
    {"a queue made ready twice goes on as if once",
     [](rig& q, chain c) {
       q.make_ready();
       q.make_ready();
       q.submit(c);
       q.expect_served();
     }},
    {"a queue made ready with a request in it serves that once",
     [](rig& q, chain c) {
       q.submit(c);
       q.make_ready();
       q.expect_served();
       q.on_worker([](auto&) {});
       CHECK_FALSE(q.anything_used());
     }},
    {"making a broken queue ready does not mend it",
     [](rig& q, chain) {
       q.offer(rig::ring_size);
       q.kick();
       q.expect_rejected(ring_error::bad_head);
       q.make_ready();
       q.kick();
       q.expect_rejected(ring_error::bad_head);
       q.reset();
     }},
    {"a ring that is moved while the queue is ready stays where it is",
     [](rig& q, chain c) {
       CHECK_FALSE(q.move_ring(rig::far_at));
       q.submit(c);
       q.expect_served();
     }},
    {"a ring that is moved while the queue is broken stays where it is",
     [](rig& q, chain) {
       q.offer(rig::ring_size);
       q.kick();
       q.expect_rejected(ring_error::bad_head);
       CHECK_FALSE(q.move_ring(rig::far_at));
       q.reset();
     }},
    {"a ring that is moved while the queue is reset is served where it is then",
     [](rig& q, chain c) {
       q.submit(c);
       q.expect_served();
       q.reset_only();
       REQUIRE(q.move_ring(rig::far_at));
       q.make_ready();
       q.submit(c);
       q.expect_served();
     }},
    {"a ring with more entries than the queue was made with is refused",
     [](rig& q, chain) {
       q.reset_only();
       q.on_worker([](adapter::memory_port& port) {
         split_ring larger;
         larger.size = 2 * rig::ring_size;
         CHECK_FALSE(port.set_ring(larger));
       });
       q.reset();
     }},
    {"a region removed while in use is no address any more",
     [](rig& q, chain c) {
       c[q.data()].addr = rig::far_at;
       q.submit(c);
       q.expect_served();
       q.remove_region(rig::far_at);
       q.offer(0);
       q.kick();
       q.expect_rejected(ring_error::bad_address);
       q.add_region(rig::far_at);
       q.reset();
     }},
    {"the region that holds the ring removed while in use: what lies elsewhere is served",
     [](rig& q, chain c) {
       q.remove_region(rig::near_at);
       for (std::size_t i = 0; i < c.size(); ++i) c[i].addr = rig::far_at + i * 0x1000;
       q.submit(c);
       q.expect_served();
       q.add_region(rig::near_at);
     }},
    {"a region removed under a request that was taken does not disturb it",
     [](rig& q, chain c) {
       c[q.data()].addr = rig::far_at;
       q.submit(c);
       q.wait_for(&adapter::memory_port_counters::requests);
       q.remove_region(rig::far_at);
       q.expect_served();
       q.add_region(rig::far_at);
     }},
    {"a used index that the driver wrote over does not move the device",
     [](rig& q, chain c) {
       rig::scribble(q.ring().used->idx, 77);
       q.submit(c);
       q.wait_for(&adapter::memory_port_counters::answers);
       q.on_worker([](auto&) {});  // the turn that answered is over
       q.expect_served();
       CHECK_FALSE(q.anything_used());
     }},
    {"a reset with requests in flight leaves none of them in the ring after it",
     [](rig& q, chain c) {
       q.write_table(c, rig::page(20), 0);
       for (std::uint16_t i = 1; i < 8; ++i) q.desc(i) = q.desc(0);
       for (std::uint16_t i = 0; i < 8; ++i) q.offer(i);
       q.kick();
       q.reset();
       q.on_worker([](auto&) {});
       CHECK_FALSE(q.anything_used());
     }},
    {"a reset of a queue that nothing was offered to", [](rig& q, chain) { q.reset(); }},
    {"fifty resets, each with a request in flight",
     [](rig& q, chain c) {
       for (int i = 0; i < 50; ++i) {
         q.submit(c);
         q.reset();
       }
     }},
    {"a head offered again after a reset that found it in flight",
     [](rig& q, chain c) {
       q.submit(c);
       q.reset();
       q.submit(c);
       q.expect_served();
     }},
};

TEST_CASE("hostile life: each ends as it should, and a valid request is served after it") {
  for (const lane l : all_lanes)
    for (const life_case& one : cases) DYNAMIC_SECTION(std::string(name_of(l)) + ": " + one.name) {
        rig q(l);
        one.act(q, q.valid());
        q.expect_a_valid_request_served();
      }
}

}  // namespace
}  // namespace vloop::test
