// SPDX-License-Identifier: MIT
// One queue of a device whose driver shares memory with us: a split ring, walked here; requests' own buffers as the
// iovecs of readv and writev; eventfds for kicks and interrupts.
//
//   stopped --start()--> serving --stop(), drained()--> ended
//      ^                    |  \--a driver's error--> broken: takes nothing more, finishes what it has
//      |--pause()-----------+------------------------|     (pausing, until what was taken is answered)
//      \--reset()-----------+------------------------/     (resetting, until nothing of it is under way)
//
// Everything happens on the loop's thread. Order of destruction: after drained(), before the loop and the memory.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "devices/device.hpp"
#include "runtime/event.hpp"
#include "runtime/loop.hpp"
#include "runtime/task.hpp"
#include "vring/chain.hpp"
#include "vring/inflight_log.hpp"
#include "vring/memory_map.hpp"
#include "vring/queue.hpp"
#include "vring/segments.hpp"
#include "vring/split_ring.hpp"

namespace vloop::adapter {

struct memory_port_options {
  std::uint16_t index = 0;  // of the queue in its device
  // Outlives the port; changes on the loop's thread only. What a removed region covered stays mapped until the port has
  // been reset or drained: the ring, and requests that were taken, may lie in it.
  const memory_map* memory = nullptr;
  split_ring ring;           // also the most entries that a ring set later can have
  bool event_index = false;  // VIRTIO_F_EVENT_IDX was negotiated
  bool indirect = false;     // VIRTIO_F_INDIRECT_DESC was negotiated
  int kick_fd = -1;          // eventfds of the driver's side; stay the caller's
  int interrupt_fd = -1;
  std::span<const file_description> files;  // as the device describes them; descriptors stay the device's
  std::uint32_t segments_max = 256;         // of one request, at most 1024: blk's seg_max, header and status
};

// A ring as a driver sets it up, some time after the port was made.
struct ring_set_up {
  split_ring ring;
  bool event_index = false;
  bool indirect = false;
  int kick_fd = -1;       // an eventfd, blocking or not; -1: nobody kicks, and the ring is looked at every so often
  int interrupt_fd = -1;  // -1: nobody wants to be told
  std::uint16_t next_available = 0;  // the entries that come next, in both rings
  std::uint16_t next_used = 0;
  inflight_log* log = nullptr;         // what is taken and given back is written down there
  std::vector<std::uint16_t> again{};  // heads that a device before this one had taken, to be done first
};

struct memory_port_counters {
  std::uint64_t requests = 0;    // taken from the ring
  std::uint64_t answers = 0;     // given back
  std::uint64_t kicks = 0;       // kick reads that completed
  std::uint64_t interrupts = 0;  // notifications sent
};

class memory_port final : private queue_port, private turn_hook, private idle_probe {
 public:
  memory_port(loop& io, const memory_port_options& options);
  ~memory_port();

  queue& requests() { return queue_; }

  // Takes requests from now on; what is already available comes first. After that and until reset(), making the queue
  // ready again means nothing, and neither does it after stop().
  void start();

  // The driver lays its ring elsewhere. False, and nothing changes, unless the port waits for start(): a ring is never
  // moved under a device that uses it (virtio 1.2, 4.1.4.3.2); and if the ring has more entries than the
  // first.
  [[nodiscard]] bool set_ring(const split_ring& ring);

  // The whole of it anew, and what goes with it. False, and nothing changes, in the same cases.
  [[nodiscard]] bool set_up(const ring_set_up& how);

  // Whom to tell from now on; -1: nobody. The descriptor of before may be closed two turns later.
  void tell(int interrupt_fd);

  // Takes no more; what devices have begun is finished, answered and shown; what they have not begun is the driver's
  // again. Gives the index in the available ring of what would be taken next. Then start() goes on from there.
  task<std::uint16_t> pause();

  // Takes no more, and ends the queue. Idempotent. What was taken is still to be answered by the device.
  void stop();

  // Until everything that was taken is answered, and nothing refers to the driver's memory or the port any more. After
  // stop(), and after the device has ended.
  task<void> drained();

  // The driver resets the queue: when this is done nothing of it is touched any more. Requests that devices hold are
  // stale from here on. The ring begins at entry 0 again, when start() is called.
  task<void> reset();

  // What the driver did wrong, if that has ended the service; reset() and set_up() clear it.
  ring_error error() const { return error_; }
  // Called when that happens, on the loop's thread, instead of a line in the log.
  void on_error(std::function<void(ring_error)> tell) { tell_error_ = std::move(tell); }
  bool serving() const { return state_ == state::serving || state_ == state::broken; }
  const memory_port_counters& counters() const { return counters_; }

 private:
  enum class state : std::uint8_t { stopped, serving, broken, pausing, resetting, ended };

  // A request that was taken, by its head. In flight from the ring's point of view while `taken`.
  struct slot final : completion {
    slot() : completion(&told) {}
    static void told(completion& done) noexcept;

    memory_port* port = nullptr;
    std::uint16_t head = 0;
    std::uint32_t seq = 0;
    bool taken = false;
    std::uint64_t answer = 0;     // the how-manieth that the port gave: until that is shown the head is not free
    bool orphaned = false;        // reset under a transfer: when that ends, nothing of the driver's is touched
    std::span<segment> segments;  // its own part of segments_, all of it
    chain parts;
    std::uint32_t filled = 0;  // bytes written from the start of the writable part on, without a gap

    // The transfer under way, if `busy`.
    bool busy = false;
    bool buffered = false;  // goes to the buffered descriptor
    transfer what;
    std::uint32_t moved = 0;  // bytes of it that are done
    segment_cut pieces;
    transfer_waiter* waiter = nullptr;  // run(); null: answer()
    answer_status status;

    std::span<segment> readable() const { return segments.first(parts.readable_segments); }
    std::span<segment> writable() const { return segments.subspan(parts.readable_segments, parts.writable_segments); }
  };

  struct kick_read final : completion {
    explicit kick_read(memory_port& owner) : completion(&told), port(owner) {}
    static void told(completion& done) noexcept;
    memory_port& port;
    std::uint64_t value = 0;
    __kernel_timespec interval{};  // where nobody kicks
  };
  struct plain final : completion {  // the interrupt's write, the cancellation of the kick's read, the next turn
    plain(memory_port& owner, void (memory_port::*then)()) : completion(&told), port(owner), after(then) {}
    static void told(completion& done) noexcept;
    memory_port& port;
    void (memory_port::*after)();
  };

  // A file with the descriptors registered.
  struct port_file {
    file_description described;
    fixed_file main;
    fixed_file buffered;
  };

  void run(const request_id& id, const transfer& t, transfer_waiter& waiter) override;
  void answer(const request_id& id, const transfer& t, answer_status status) override;
  void leave(const request_id& id) override;
  void at_turn_end() noexcept override;
  bool ready() noexcept override { return state_ == state::serving && available_.has_new(); }
  void before_sleep() noexcept override;
  void on_ready() noexcept override { take_available(); }

  void read_kick();
  void cancel_kick();
  void kick_polled();
  void kick_cancelled();
  bool take_again();
  void take_available();
  void go_on_taking();
  void look_in_next_turn();
  bool take(std::uint16_t head);
  void broke(ring_error why);

  slot* find(const request_id& id);
  void begin(slot& s, const transfer& t);
  void submit_move(slot& s);
  void submit_sync(slot& s);
  void advance(slot& s, std::int32_t result);
  void finish(slot& s, std::int32_t result);
  void give_back(slot& s, bool ok);
  bool fits_direct(const port_file& file, const slot& s, std::span<const segment> pieces) const;

  void withdraw_untouched();
  void untake(slot& s);

  void publish();
  void interrupt();
  void write_interrupt();
  void interrupt_written();
  bool idle() const;
  task<void> until_idle();
  task<void> until_interrupted();
  void note_if_idle();

  loop& io_;
  const memory_port_options options_;
  ring_set_up how_;
  split_ring ring_;
  state state_ = state::stopped;
  ring_error error_ = ring_error::none;
  available_reader available_;
  used_writer used_;
  bool pushed_ = false;          // there are answers that the driver does not see yet
  bool interrupt_owed_ = false;  // the write that tells it is still under way from before

  std::vector<port_file> files_;
  std::unique_ptr<segment[]> segments_;
  std::unique_ptr<slot[]> slots_;  // by head
  std::uint32_t taken_ = 0;        // slots that are taken
  std::uint64_t shown_ = 0;        // answers that the driver was shown
  std::uint32_t busy_ = 0;         // slots with a transfer under way
  std::uint32_t next_seq_ = 1;
  std::uint16_t untouched_ = 0;  // heads that a pause gives back to the driver
  std::function<void(ring_error)> tell_error_;
  memory_port_counters counters_;
  event* idle_ = nullptr;  // set when nothing is under way any more; lies in the frame that waits

  kick_read kick_;
  plain kick_poll_;            // before the read, where that would not wait
  bool left_waiting_ = false;  // a turn ended with something new in the ring
  bool kick_waits_ = true;     // the read itself waits: the descriptor has no O_NONBLOCK
  plain cancel_;
  plain cancel_interrupt_;
  plain next_turn_;
  plain interrupt_;
  std::uint64_t one_ = 1;  // what the interrupt writes

  queue queue_;  // last: devices hold it while everything above works
};

}  // namespace vloop::adapter
