// SPDX-License-Identifier: MIT
// A server in a process of its own, to be stopped or killed, and the server that comes after it.
#pragma once

#include "disk.hpp"
#include "process.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace vloop::raw {

// Its process makes a disk that is live, and that nobody serves any more; runs the body, which may serve it, and stays.
class mortal_server {
 public:
  // `body` has the disk, and may tell things by memory that is shared.
  template <class Body>
  mortal_server(device_shape shape, Body body)
      : process_(process::run([&] {
          disk d(std::move(shape));
          told_->id = d.dev().id();
          d.node().copy(told_->node, sizeof(told_->node) - 1);
          told_->there = true;
          body(d);
          for (;;) ::pause();
        })) {
    within(patience, "a server in a process of its own", [&] { return told_->there.load(); });
  }

  std::uint32_t id() const { return told_->id; }
  std::string node() const { return told_->node; }
  process& proc() { return process_; }
  void kill() { process_.kill_and_wait(); }

 private:
  struct facts {
    std::atomic<bool> there = false;
    std::uint32_t id = 0;
    char node[32] = {};
  };

  shared<facts> told_;
  process process_;
};

// A disk that is served by another process after this.
inline device_shape recoverable(vloop_exit_policy on_exit = VLOOP_EXIT_REISSUE) {
  auto shape = blk_shape(disk_sectors);
  shape.arg.on_exit = on_exit;
  return shape;
}

// This process takes a device over whose server is no more. The table of files is as that left it.
class successor {
 public:
  explicit successor(std::uint32_t id, unsigned queues = 1) : successor(id, control().attach(id), queues) {}
  // With what ATTACH returned.
  successor(std::uint32_t id, long attached, unsigned queues) {
    if (attached < 0) throw failure("ATTACH: " + result_text(attached));
    device_ = device(owned_fd(static_cast<int>(attached)), id);
    for (unsigned i = 0; i < queues; ++i) queues_.push_back(device_.open_queue(i));
  }

  device& dev() { return device_; }
  queue& q(std::size_t index = 0) { return queues_[index]; }

  std::unique_ptr<serving> serve() const {
    std::vector<int> fds;
    for (const auto& one : queues_) fds.push_back(one.fd());
    return std::make_unique<serving>(fds);
  }
  // Serves the orderly removal.
  void remove() {
    const auto served = serve();
    equal("REMOVE", device_.remove(), 0);
    device_.wait_gone();
  }

 private:
  device device_;
  std::vector<queue> queues_;
};

// Shows that the disk is served: a write by whoever uses it, and the same bytes read back.
inline void use(const std::string& node) {
  equal("a write", transfer::write(node, 65536, page_bytes, std::byte{0x5a}).result(), page_bytes);
  const auto back = transfer::read(node, 65536, page_bytes);
  equal("a read", back.result(), page_bytes);
  expect(back.data_is(std::byte{0x5a}, 0, page_bytes), "what was written is read");
}

}  // namespace vloop::raw
