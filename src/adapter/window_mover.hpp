// SPDX-License-Identifier: MIT
// Data of requests whose memory the kernel transport shows in a window: it is touched in place, by memcpy or by readv
// and writev on the request's own pages. docs/window.md says what the window is.
//
//   taken(): the chain is walked --> move(): transfer under way --> the receiver is told, and gives the request back
//
// Everything happens on the loop's thread. Destroyed when idle(), before the loop and the mapping.
//
// The files are accessed through the page cache: direct I/O wants to pin the memory it works on, and pages of a window
// cannot be pinned, for they are taken out when the request is given back. A transfer that the driver's reset, or the
// loss of the device, takes the pages from fails with -EFAULT.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "devices/device.hpp"
#include "runtime/completion.hpp"
#include "runtime/loop.hpp"
#include "vring/chain.hpp"
#include "vring/memory_map.hpp"
#include "vring/request.hpp"
#include "vring/segments.hpp"
#include "vring/transfer.hpp"

namespace vloop::adapter {

// What the kernel shows of a queue; both stay mapped while the mover lives.
struct window_view {
  const vring_desc* descriptors = nullptr;  // of fetched requests; their addresses count from the window's beginning
  std::span<std::byte> memory;
  std::uint16_t size = 0;  // entries of the queue
};

class window_mover {
 public:
  // Who gives requests back. Called on the loop's thread, possibly from within move().
  class receiver {
   public:
    // result: the bytes moved, or -errno.
    virtual void moved(const request_id& id, const transfer& t, answer_status status, std::int32_t result) noexcept = 0;

   protected:
    ~receiver() = default;
  };

  window_mover(loop& io, const window_view& shown, std::span<const file_description> files, receiver& told);
  ~window_mover();

  // A request was fetched. The chain is walked once, here; what is not in the window is not this mover's.
  void taken(const request_id& id);

  // Whether the transfer is one that move() can do.
  bool can_move(const request_id& id, const transfer& t) const;

  // Once for a request: the last transfer before it is given back.
  void move(const request_id& id, const transfer& t, answer_status status);

  bool idle() const { return busy_ == 0; }

 private:
  struct order {
    request_id id;
    transfer what;
    answer_status status;
  };
  struct slot final : completion {
    slot() : completion(&told) {}
    static void told(completion& done) noexcept;

    window_mover* mover = nullptr;
    request_id id;                // of the request that was taken last
    bool shown = false;           // in the window, whole
    std::span<segment> segments;  // its own part of segments_, all of it
    chain parts;

    // The transfer under way. After a reset it may be that of an earlier request with this head, which is about to
    // fail; the next one waits until then, for the segments are in the kernel's hands.
    order now;
    std::uint32_t moved = 0;
    segment_cut pieces;
    bool walk_later = false;
    std::optional<order> next;

    std::span<segment> part(verb of) const {
      return into_request(of) ? segments.subspan(parts.readable_segments, parts.writable_segments)
                              : segments.first(parts.readable_segments);
    }
  };

  void walk(slot& s);
  bool fits(const slot& s, const transfer& t) const;
  void begin(slot& s, const order& what);
  void submit(slot& s);
  void advance(slot& s, std::int32_t result);
  void finish(slot& s, std::int32_t result);

  loop& io_;
  receiver& told_;
  split_ring ring_;  // the descriptors alone
  memory_map memory_;
  std::vector<int> files_;
  std::unique_ptr<segment[]> segments_;
  std::unique_ptr<slot[]> slots_;  // by head
  std::uint32_t busy_ = 0;
};

}  // namespace vloop::adapter
