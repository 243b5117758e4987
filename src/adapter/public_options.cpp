// SPDX-License-Identifier: MIT
#include "adapter/public_options.hpp"

#include <bit>
#include <stdexcept>

#include "adapter/device_spec.hpp"

namespace vloop {
namespace {

bool is_ring_size(std::uint16_t size) {
  return std::has_single_bit(size) && size >= queue_size_min && size <= queue_size_max;
}

direct_mode choice_of(direct_io direct) {
  switch (direct) {
    case direct_io::automatic:
      return direct_mode::automatic;
    case direct_io::on:
      return direct_mode::on;
    case direct_io::off:
      return direct_mode::off;
  }
  throw std::invalid_argument("disk: direct is none of automatic, on and off");
}

}  // namespace

void require(bool holds, const char* otherwise) {
  if (!holds) throw std::invalid_argument(otherwise);
}

blk_options checked(const disk& what) {
  require(!what.path.empty(), "disk: the path is empty");
  require(is_serial(what.serial), "disk: the serial has more than 20 bytes, or one that is not printable ASCII");
  require(what.queues >= 1 && what.queues <= queues_max, "disk: queues is not from 1 to 64");
  require(is_ring_size(what.queue_size), "disk: queue_size is not a power of two from 4 to 1024");
  return {what.path, what.read_only, what.serial, what.queues, what.queue_size, choice_of(what.direct)};
}

rng_options checked(const entropy& what) {
  require(!what.source.empty(), "entropy: the source is empty");
  require(is_ring_size(what.queue_size), "entropy: queue_size is not a power of two from 4 to 1024");
  return {what.source, what.queue_size};
}

}  // namespace vloop
