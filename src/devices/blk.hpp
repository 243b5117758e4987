// SPDX-License-Identifier: MIT
// A block device (virtio 1.3, 5.2) on a file. Requests are served side by side: each is one fused transfer that nobody
// waits for, but flushes, whose outcome the device remembers.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "devices/backing_file.hpp"
#include "devices/blk_request.hpp"
#include "devices/device.hpp"
#include "runtime/task_group.hpp"

namespace vloop {

struct blk_options {
  std::string path{};
  bool read_only = false;
  std::string serial{};  // at most 20 bytes; empty: made up from the file's identity
  std::uint16_t queues = 1;
  std::uint16_t queue_size = 256;  // a power of two, at least 4
  direct_mode direct = direct_mode::automatic;
  bool in_place = false;  // access=window: through the page cache, whatever `direct` says but `on`
};

class blk final : public device {
 public:
  // Throws setup_error where the file cannot be served.
  explicit blk(const blk_options& options);

  const device_description& describe() const override { return description_; }
  void start(std::uint64_t acked_features) override;
  task<void> serve(queue& requests, loop& io) override;
  void log_to(std::function<void(const std::string&)> log) override { log_ = std::move(log); }
  void tell_config(std::function<void(std::vector<std::byte>)> tell) override { tell_config_ = std::move(tell); }

  // The size of the disk is that of its file, larger or smaller.
  void look_again() override;

 private:
  void serve_one(queue& requests, request&& r, task_group& flushes);
  task<void> flush(queue& requests, request r);

  const backing_file file_;
  const blk_options options_;
  std::atomic<std::uint64_t> sectors_;  // of all threads
  const std::string serial_;
  device_description description_;
  std::function<void(const std::string&)> log_;
  std::function<void(std::vector<std::byte>)> tell_config_;

  // Set by start() on each queue's worker, to the same value, read by all; start() happens before serve() or with no
  // request taken.
  std::atomic<bool> write_through_{true};     // FLUSH was not acknowledged: a write is stable before it is answered
  std::atomic<std::uint32_t> file_index_{0};  // into description_.files

  // One failed sync may have lost data that a later sync would not report again (each error is told once): from then
  // on no flush succeeds, until the disk is served anew.
  std::atomic<bool> sync_failed_{false};
};

}  // namespace vloop
