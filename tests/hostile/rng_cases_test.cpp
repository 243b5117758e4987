// SPDX-License-Identifier: MIT
// What a driver can offer an entropy device (virtio 1.2, 5.4.6) that is no buffer for random bytes.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "hostile/rig.hpp"

namespace vloop::test {
namespace {

using rig = hostile_rig;
using chain = rig::chain;

struct rng_case {
  const char* name;
  chain what;
  std::uint32_t written;
};

const rng_case cases[] = {
    {"a buffer that is readable", {rig::r(rig::page(16), 64)}, 0},
    {"a buffer of one byte", {rig::w(rig::page(16), 1)}, 1},
    {"a buffer at the end of its region", {rig::w(rig::far_at + rig::far_bytes - 3, 3)}, 3},
    {"a buffer of half a MiB gets what the device gives at once", {rig::w(rig::page(16), 0x80000)}, 4096},
    {"a readable buffer before the writable one", {rig::r(rig::page(17), 100), rig::w(rig::page(16), 32)}, 32},
    {"eight buffers of one byte",
     {rig::w(rig::page(16), 1), rig::w(rig::page(16) + 2, 1), rig::w(rig::page(16) + 4, 1),
      rig::w(rig::page(16) + 6, 1), rig::w(rig::page(16) + 8, 1), rig::w(rig::page(16) + 10, 1),
      rig::w(rig::page(16) + 12, 1), rig::w(rig::page(16) + 14, 1)},
     8},
    {"two buffers that are the same memory", {rig::w(rig::page(16), 16), rig::w(rig::page(16), 16)}, 32},
};

TEST_CASE("hostile rng: each buffer gets what it has room for, and the device goes on") {
  for (const rng_case& one : cases) DYNAMIC_SECTION(one.name) {
      rig q(lane::rng);
      q.submit(one.what);
      CHECK(q.next_used().written == one.written);
      CHECK(q.error() == ring_error::none);
      q.expect_a_valid_request_served();
    }
}

TEST_CASE("hostile rng: no byte behind the used length is written") {
  rig q(lane::rng);
  const std::span<std::byte> buffer(q.at(rig::page(16)), 0x2000);
  std::ranges::fill(buffer, std::byte{0x5a});
  q.submit({rig::w(rig::page(16), 0x2000)});
  const auto n = q.next_used().written;
  CHECK(n == 4096);
  CHECK(std::ranges::all_of(buffer.subspan(n), [](std::byte b) { return b == std::byte{0x5a}; }));
}

}  // namespace
}  // namespace vloop::test
