// SPDX-License-Identifier: MIT
#include "bench/raw_target.hpp"

namespace vloop::bench {

raw_target::raw_target(const std::string& path, bool read_only, direct_mode direct, const load_shape& load)
    : file_(path, read_only, direct),
      read_only_(read_only),
      load_(load),
      buffers_(load.slots(), load.block_bytes),
      ring_(load.slots() + 1) {
  ended_.reserve(load.slots());
  ring_.register_file(file_.describe().fd);
}

void raw_target::prepare(std::uint32_t slot, const access& what) {
  const auto memory = buffer(slot);
  const auto length = static_cast<unsigned>(memory.size());
  ring_.prepare(slot, [&](io_uring_sqe* entry) {
    if (what.write) {
      ::io_uring_prep_write(entry, 0, memory.data(), length, what.offset);
    } else {
      ::io_uring_prep_read(entry, 0, memory.data(), length, what.offset);
    }
    entry->flags |= IOSQE_FIXED_FILE;
  });
}

std::span<const ended_access> raw_target::turn() {
  ended_.clear();
  ring_.submit_and_wait();
  ring_.collect([this](std::uint64_t slot, std::int32_t result) {
    ended_.push_back({.slot = static_cast<std::uint32_t>(slot), .result = result});
  });
  return ended_;
}

}  // namespace vloop::bench
