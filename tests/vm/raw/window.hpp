// SPDX-License-Identifier: MIT
// The memory of requests in flight, mapped: a queue's window, and a disk that is served through it.
#pragma once

#include "disk.hpp"
#include "raw.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace vloop::raw {

// The same shape with a window.
device_shape with_window(device_shape shape);

inline constexpr std::uint64_t window_bytes(std::uint32_t ring) {
  return std::uint64_t{ring} * VLOOP_WINDOW_SLICE;
}

// A piece of a request, where it is in this process.
struct piece {
  std::byte* base;
  std::size_t length;
  bool writable;
};

class window {
 public:
  window() = default;
  window(const queue& q, std::uint32_t ring, int protection = PROT_READ | PROT_WRITE);

  // 0, or -errno of the mapping that failed.
  long error() const;
  std::byte* base() const { return static_cast<std::byte*>(memory_.address()); }
  std::byte* slice(std::uint32_t head) const { return base() + std::size_t{head} * VLOOP_WINDOW_SLICE; }

  // The request's pieces as the descriptors tell them.
  std::vector<piece> chain(const vloop_record& request) const;
  // The one of its data: the largest that can be written, or only read.
  piece data(const vloop_record& request, bool writable) const;

 private:
  std::uint32_t ring_ = 0;
  mapping descriptors_;
  mapping memory_;
};

// What ends a request whose writable part was written in place up to its status byte.
vloop_op in_place_answer(const vloop_record& request);

// A disk whose bytes are this process's. From the probe on nobody serves it but the case.
class window_disk {
 public:
  explicit window_disk(device_shape shape = blk_shape(disk_sectors));

  device& dev() { return device_; }
  queue& q() { return queue_; }
  window& shown() { return window_; }
  const std::string& node() const { return node_; }
  std::uint32_t ring() const { return ring_; }

  // Moves the request's data in place and answers it.
  long answer(const vloop_record& request);

  // Answers what comes, in a thread, until it is destroyed.
  class server {
   public:
    explicit server(window_disk& disk) : thread_([this, &disk] { run(disk); }) {}
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    ~server() {
      stop_ = true;
      thread_.join();
    }

   private:
    void run(window_disk& disk);
    std::atomic<bool> stop_ = false;
    std::thread thread_;
  };
  std::unique_ptr<server> serve() { return std::make_unique<server>(*this); }

  void close();

 private:
  std::uint32_t ring_;
  device device_;
  queue queue_;
  window window_;
  std::vector<std::byte> bytes_;
  std::string node_;
};

}  // namespace vloop::raw
