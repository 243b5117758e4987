// SPDX-License-Identifier: MIT
// What a block request asks for, of any header, any sizes and any disk: nothing that is allowed reaches over an edge.
//
//   input: header | bytes of it that are there, readable, writable, sectors of the disk, read-only
#include "devices/blk_request.hpp"

#include "fuzz/input.hpp"

namespace vloop::test {
namespace {

void check(const blk_command& c, std::uint32_t readable, std::uint32_t writable, const blk_limits& limits) {
  using kind = blk_command::kind;
  if (writable == 0) must(c.what == kind::discard, "without a status byte nothing is done");
  if (c.what == kind::refuse)
    must(c.status == VIRTIO_BLK_S_IOERR || c.status == VIRTIO_BLK_S_UNSUPP, "a refusal has a status");
  if (c.what == kind::get_id) must(c.length == writable - blk_status_bytes, "an id goes where there is room");
  if (c.what != kind::read && c.what != kind::write) return;
  must(c.offset % blk_sector_bytes == 0 && c.length % blk_sector_bytes == 0, "sectors are whole");
  const std::uint64_t first = c.offset / blk_sector_bytes, count = c.length / blk_sector_bytes;
  must(first <= limits.sectors && count <= limits.sectors - first, "all of it is on the disk");
  if (c.what == kind::read) must(c.length + std::uint64_t{1} <= writable, "a read fits beside its status");
  if (c.what == kind::write) must(c.length + sizeof(blk_header) <= readable, "a write comes with its data");
  if (c.what == kind::write) must(!limits.read_only, "a read-only disk is not written");
}

}  // namespace
}  // namespace vloop::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vloop;
  using namespace vloop::test;
  fuzz_input input(data, size);
  const auto header = input.take<blk_header>();
  const bool there = input.take<std::uint8_t>() % 8 != 0;
  const auto readable = input.take<std::uint32_t>();
  const auto writable = input.take<std::uint32_t>();
  // A disk's bytes are counted by a signed number of 64 bits.
  const blk_limits limits{.sectors = input.take<std::uint64_t>() % (std::uint64_t{1} << 54),
                          .read_only = input.take<std::uint8_t>() % 2 != 0};
  const auto command = parse_blk_request(there ? std::optional(header) : std::nullopt, readable, writable, limits);
  check(command, readable, writable, limits);
  return 0;
}
