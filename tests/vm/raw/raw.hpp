// SPDX-License-Identifier: MIT
// The module's ABI with nothing between: descriptors and mappings that close themselves, and calls that return what the
// kernel said. Nothing here checks an argument: wrong ones are the point.
#pragma once

#include "check.hpp"
#include "devices/owned_fd.hpp"

#include <fcntl.h>
#include <linux/vloop.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vloop::raw {

inline constexpr std::size_t page_bytes = 4096;

// An ioctl.
long call(int fd, unsigned long request, void* argument = nullptr);

inline std::uint64_t address_of(const void* memory) {
  return reinterpret_cast<std::uintptr_t>(memory);
}

owned_fd open_or_throw(const std::string& path, int flags);
owned_fd memory_file(std::uint64_t bytes);

// ---- what VLOOP_CREATE is told ----

struct device_shape {
  vloop_create arg{};
  std::vector<vloop_queue_config> queues;
  std::vector<std::byte> config;
  std::vector<vloop_config_page> pages;
  std::string description;
};

// A disk whose driver needs nothing that is not checked; the queues answer with an I/O error when nobody serves.
device_shape blk_shape(std::uint64_t sectors, unsigned queues = 1, std::uint32_t ring = 64);
device_shape rng_shape();

// A config space of the virtio header's structure.
template <class T>
std::vector<std::byte> bytes_of(const T& value) {
  const auto* first = reinterpret_cast<const std::byte*>(&value);
  return {first, first + sizeof(value)};
}

// ---- /dev/vloop ----

class control {
 public:
  control() : fd_(open_or_throw("/dev/vloop", O_RDWR)) {}
  int fd() const { return fd_.get(); }

  // A descriptor, or -errno; the id of the device is left in shape.arg.id.
  long create(device_shape& shape) const;
  long attach(std::uint32_t id, std::uint32_t flags = 0, std::uint32_t timeout_ms = 0) const;
  long stop(std::uint32_t id, std::uint32_t flags = 0) const;

 private:
  owned_fd fd_;
};

// ---- a queue ----

// A page of a queue's descriptor.
class mapping {
 public:
  mapping() = default;
  mapping(int fd, std::uint64_t offset, std::size_t bytes = page_bytes, int protection = PROT_READ,
          int flags = MAP_SHARED);
  mapping(mapping&& other) noexcept;
  mapping& operator=(mapping&& other) noexcept;
  ~mapping();

  // 0, or -errno of mmap.
  long error() const { return error_; }
  void* address() const { return memory_; }
  template <class T>
  const volatile T& as() const {
    return *static_cast<const volatile T*>(memory_);
  }

 private:
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
  long error_ = 0;
};

class queue {
 public:
  queue() = default;
  explicit queue(owned_fd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  void close() { fd_ = owned_fd(); }

  long read(std::span<vloop_record> records) const;
  long write(std::span<const vloop_op> ops) const;
  long write(const vloop_op& op) const { return write(std::span(&op, 1)); }

  // Whether there is something to read within the time.
  bool wait(milliseconds limit = patience) const;
  // The next record; it must come.
  vloop_record next() const;
  // The next record of that type; events on the way are dropped.
  vloop_record next(vloop_record_type type) const;
  vloop_record next_request() const { return next(VLOOP_RECORD_REQUEST); }
  // The result of the next DONE.
  std::int64_t next_done() const { return next(VLOOP_RECORD_DONE).done.result; }
  // Reads until there is nothing. The descriptor must be one that does not wait.
  std::vector<vloop_record> read_all() const;

  mapping map_stats() const { return mapping(fd(), VLOOP_MMAP_STATS); }

 private:
  owned_fd fd_;
};

// ---- a device ----

class device {
 public:
  device() = default;
  device(owned_fd fd, std::uint32_t id) : fd_(std::move(fd)), id_(id) {}
  // Created, not started.
  explicit device(device_shape shape);

  int fd() const { return fd_.get(); }
  std::uint32_t id() const { return id_; }
  void close() { fd_ = owned_fd(); }

  long start() const { return call(fd(), VLOOP_START); }
  long remove() const { return call(fd(), VLOOP_REMOVE); }
  long detach() const { return call(fd(), VLOOP_DETACH); }
  long set_file(std::uint32_t index, int file) const;
  vloop_device_info info() const;
  // A descriptor, or -errno.
  long queue_fd(std::uint32_t index, std::uint32_t flags = VLOOP_QUEUE_NOWAIT) const;
  queue open_queue(std::uint32_t index, std::uint32_t flags = VLOOP_QUEUE_NOWAIT) const;

  // 0, a record's size, or -errno.
  long read(vloop_record& record) const;
  // Waits for that event, dropping others.
  vloop_record next_event(vloop_event event) const;
  // Waits until the device descriptor says that it is over.
  void wait_gone() const { next_event(VLOOP_EVENT_GONE); }

 private:
  owned_fd fd_;
  std::uint32_t id_ = 0;
};

// 0 or -errno of CREATE; what it makes goes at once.
long create(device_shape shape);
// The device as its next server; ATTACH must succeed.
device attach(const control& by, std::uint32_t id);

// The folder of a device in sysfs, there until the device is gone.
std::string sysfs_folder(std::uint32_t id);
bool exists(const std::string& path);
// The first entry of a folder whose name begins so, or "".
std::string entry_of(const std::string& folder, std::string_view prefix);
// Waits until no device of that number is there.
void wait_until_gone(std::uint32_t id, milliseconds limit = patience);

// ---- operations ----

// An operation on the request; what else it needs is set by the caller.
vloop_op op_for(const vloop_record& request, vloop_verb verb, std::uint32_t flags = 0);

inline constexpr std::uint32_t answer = VLOOP_OP_COMPLETE | VLOOP_OP_STATUS;
inline constexpr std::uint32_t answer_silently = answer | VLOOP_OP_DETACH;

}  // namespace vloop::raw
