// SPDX-License-Identifier: MIT
// A file or block device by io_uring alone: what the others are compared with. As good a way as a plain program has:
// the file is registered, and one call hands over all that there is and waits. All queues share the one ring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bench/io_ring.hpp"
#include "bench/page_memory.hpp"
#include "bench/target.hpp"
#include "devices/backing_file.hpp"

namespace vloop::bench {

class raw_target final : public target {
 public:
  // Throws setup_error.
  raw_target(const std::string& path, bool read_only, direct_mode direct, const load_shape& load);

  std::uint64_t bytes() const override { return file_.bytes(); }
  std::uint32_t block_bytes() const override { return file_.block_size(); }
  bool read_only() const override { return read_only_; }
  std::span<std::byte> buffer(std::uint32_t slot) override { return buffers_.part(slot, load_.block_bytes); }
  void prepare(std::uint32_t slot, const access& what) override;
  std::span<const ended_access> turn() override;
  target_cost cost() override { return {.enters = ring_.enters(), .daemon_time = {}}; }

 private:
  const backing_file file_;
  const bool read_only_;
  const load_shape load_;
  page_memory buffers_;
  std::vector<ended_access> ended_;
  io_ring ring_;  // last: it ends before the buffers
};

}  // namespace vloop::bench
