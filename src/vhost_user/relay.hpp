// SPDX-License-Identifier: MIT
// One queue between its driver and a daemon: requests of the one become chains on a ring of our own, which the daemon
// gets, and what it says of them is checked before any of it becomes an answer. The daemon sees our copies, never the
// driver's memory; the driver sees answers that we give, never the daemon's ring.
//
//   request --take--> fetching --copied to shared memory--> ready --in order--> given --> back --> answered
//                        |                                    ^--the ring is new-----/
//                        \--refused--> answered with an error        the daemon fails: left to the transport
//
// Lives in the frame of serve(), on its loop. All memory is there before the first request.
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "devices/stoppable_wait.hpp"
#include "runtime/loop.hpp"
#include "runtime/task.hpp"
#include "runtime/task_group.hpp"
#include "vhost_user/control.hpp"
#include "vhost_user/device_type.hpp"
#include "vhost_user/page_pool.hpp"
#include "vhost_user/shared_memory.hpp"
#include "vring/queue.hpp"
#include "vring/split_ring_driver.hpp"

namespace vloop::vhost_user {

struct relay_options {
  std::uint16_t index = 0;
  std::string daemon;  // for errors
  const device_type* type = nullptr;
  const shared_memory* memory = nullptr;
  const queue_events* events = nullptr;
  bool event_index = false;  // of the daemon's ring
  std::uint32_t piece_bytes_max = 0;
  std::function<void()> driver_was_reset{};  // told when a request shows that it was
};

class relay final : public audience, private turn_hook {
 public:
  relay(const relay_options& options, queue& requests, loop& io);
  ~relay();

  // Until the queue is stopped; throws what the daemon failed with.
  task<void> run();

  void started() override;
  void held(std::function<void()> quiet) override;
  void paused(ring_then ring) override;
  void failed(std::exception_ptr why) override;

 private:
  enum class state : std::uint8_t { free, fetching, ready, given, back };

  // A request on its way, with its memory.
  struct slot {
    state now = state::free;
    bool lost = false;           // the daemon will not give it back
    std::uint32_t of_reset = 0;  // the driver's request since that many resets
    std::uint32_t first_page = 0;
    std::uint32_t pages = 0;
    std::uint32_t readable = 0;
    std::uint32_t writable = 0;
    std::uint64_t given_as = 0;  // the how-manieth chain
    std::uint32_t written = 0;   // as the daemon says, and not more than writable
    std::coroutine_handle<> waiting{};
  };

  class return_of;  // awaitable: the slot is back, or lost

  struct kick final : completion {
    explicit kick(relay& owner) : completion(&told), owner_(owner) {}
    static void told(completion& done) noexcept { static_cast<kick&>(done).owner_.kicked(); }
    relay& owner_;
  };

  void at_turn_end() noexcept override;

  void take_requests();
  bool place(request& r);
  std::uint64_t descriptors_for(const request& r) const;
  bool refuse_misfit(request& r);
  task<void> carry(request r, slot& s);
  task<bool> fetch(request& r, slot& s);
  task<void> answer(request r, slot& s, bool fetched);
  void release(slot& s);

  void give_ready();
  bool give(slot& s);
  task<void> listen();
  bool collect();
  void fail(const std::string& why);
  void lose_all();
  task<void> drain();
  task<void> settle();
  void stop_giving();
  void tell_if_quiet();
  bool note_reset();
  void lose(slot& s);
  void lose_what_was_reset();
  void send_kick();
  void kicked();

  bool fills_enough(const slot& s) const;
  std::uint32_t head_of(const slot& s) const;  // bytes of the readable part in the head
  std::uint32_t data_out(const slot& s) const { return s.readable - head_of(s); }
  std::uint32_t data_in(const slot& s) const { return s.writable - (options_.type->has_status ? 1 : 0); }
  std::uint64_t head_at(const slot& s) const;  // in the memfd
  std::uint64_t out_at(const slot& s) const;
  std::uint64_t in_at(const slot& s) const;
  std::byte& status_of(const slot& s) const;
  void add_pieces(std::vector<split_ring_driver::buffer>& to, std::uint64_t at, std::uint32_t bytes) const;

  const relay_options options_;
  const queue_memory& memory_;
  queue& requests_;
  loop& io_;

  split_ring_driver ring_;
  page_pool pool_;
  std::vector<slot> slots_;
  std::vector<std::uint16_t> free_slots_;
  std::vector<std::uint16_t> order_;                 // of slots that are not given yet
  std::vector<std::uint16_t> slot_of_head_;          // of what was given
  std::vector<split_ring_driver::buffer> readable_;  // of the chain that is being written
  std::vector<split_ring_driver::buffer> writable_;
  std::optional<request> pending_;  // taken, and there is no room for it yet
  std::size_t in_flight_ = 0;
  std::uint64_t gifts_ = 0;  // chains that were given

  std::uint32_t resets_;          // of the queue, that we know of
  std::uint32_t pending_of_ = 0;  // of_reset of pending_
  std::function<void()> quiet_;   // to be called once the daemon has nothing that it will give back
  bool started_ = false;
  bool ring_kept_ = false;  // over the end of the last daemon
  bool draining_ = false;
  bool closing_ = false;
  std::exception_ptr failure_;

  stoppable_wait calls_;
  stoppable_wait drained_;
  kick kick_{*this};
  bool kick_owed_ = false;
  std::uint64_t one_ = 1;  // what a kick writes
  task_group group_;
};

}  // namespace vloop::vhost_user
