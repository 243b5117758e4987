// SPDX-License-Identifier: MIT
// Reads of a queue that end without their records: cancelled, interrupted, into memory that is not there. The requests
// come to the next read.
#include "cases.hpp"
#include "disk.hpp"

#include <liburing.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <random>

namespace vloop::raw {

namespace {

constexpr long transfers = 300;  // of the user, which all must end

void answer(const queue& q, std::span<const vloop_record> records) {
  for (const auto& record : records) {
    if (record.type == VLOOP_RECORD_REQUEST) equal("an answer", q.write(good_answer(record)), sizeof(vloop_op));
  }
}

void spin(std::chrono::microseconds time) {
  for (const auto start = clock::now(); clock::now() - start < time;) {}
}

// One read of a queue in flight at a time, by io_uring.
class cancelling_reader {
 public:
  explicit cancelling_reader(unsigned flags) : flags_(flags) {
    expect(::io_uring_queue_init(8, &ring_, 0) == 0, "an io_uring");
  }
  ~cancelling_reader() { ::io_uring_queue_exit(&ring_); }

  // A read, and its cancellation some time later; returns what the read came to.
  long read(int fd, std::span<vloop_record> records, std::chrono::microseconds later) {
    auto* sqe = ::io_uring_get_sqe(&ring_);
    ::io_uring_prep_read(sqe, fd, records.data(), static_cast<unsigned>(records.size_bytes()), 0);
    sqe->flags |= flags_;
    sqe->user_data = reading;
    ::io_uring_submit(&ring_);
    spin(later);
    sqe = ::io_uring_get_sqe(&ring_);
    ::io_uring_prep_cancel64(sqe, reading, 0);
    sqe->user_data = cancelling;
    ::io_uring_submit(&ring_);
    long result = 0;
    for (int ends = 0; ends < 2; ++ends) {
      __kernel_timespec limit{std::chrono::duration_cast<std::chrono::seconds>(patience).count(), 0};
      io_uring_cqe* cqe = nullptr;
      expect(::io_uring_wait_cqe_timeout(&ring_, &cqe, &limit) == 0, "a read that was cancelled ends");
      if (cqe->user_data == reading) result = cqe->res;
      ::io_uring_cqe_seen(&ring_, cqe);
    }
    return result;
  }

 private:
  static constexpr std::uint64_t reading = 1, cancelling = 2;

  io_uring ring_{};
  unsigned flags_;
};

// Progress of the user is looked at here: a lost request would stop it.
class progress {
 public:
  explicit progress(const traffic& user) : user_(user) {}
  bool reached(long goal) {
    expect(user_.failed() == 0, "no transfer of the user fails");
    if (user_.ended() != seen_) {
      seen_ = user_.ended();
      since_ = clock::now();
    }
    expect(clock::now() - since_ < patience, "the user's transfers go on");
    return seen_ >= goal;
  }

 private:
  const traffic& user_;
  long seen_ = 0;
  clock::time_point since_ = clock::now();
};

// `flags` of the read: how io_uring waits, by poll or in a worker.
void cancel_against_arrival(unsigned flags) {
  disk d;
  d.reopen(0, 0);
  cancelling_reader reader(flags);
  std::minstd_rand random(1);
  std::array<vloop_record, 4> records;
  long cancelled = 0, read = 0;
  {
    traffic user(d.node(), 2);
    for (progress p(user); !p.reached(transfers) || cancelled == 0 || read == 0;) {
      const long got = reader.read(d.q().fd(), records, std::chrono::microseconds(random() % 400));
      if (got > 0) {
        ++read;
        answer(d.q(), std::span(records).first(static_cast<std::size_t>(got) / sizeof(vloop_record)));
      } else {
        ++cancelled;
        one_of("a read that was cancelled", got, {-ECANCELED, -EINTR});
      }
    }
    d.reopen(0, VLOOP_QUEUE_NOWAIT);
    const auto served = d.serve();
    user.finish();
  }
  std::printf("cancelled %ld, read %ld\n", cancelled, read);
}

void polls_that_are_cancelled_lose_no_request() {
  cancel_against_arrival(0);
}

void workers_that_are_cancelled_lose_no_request() {
  cancel_against_arrival(IOSQE_ASYNC);
}

void reads_that_are_interrupted_lose_no_request() {
  disk d;
  d.reopen(0, 0);
  struct sigaction action {};
  action.sa_handler = [](int) {};
  ::sigaction(SIGUSR1, &action, nullptr);
  {
    traffic user(d.node(), 2);
    std::jthread interrupter([&, whom = ::pthread_self()](const std::stop_token& stop) {
      std::minstd_rand random(1);
      while (!stop.stop_requested()) {
        spin(std::chrono::microseconds(random() % 600));
        ::pthread_kill(whom, SIGUSR1);
      }
    });
    std::array<vloop_record, 4> records;
    long interrupted = 0;
    for (progress p(user); !p.reached(transfers) || interrupted == 0;) {
      const long got = d.q().read(records);
      if (got > 0) {
        answer(d.q(), std::span(records).first(static_cast<std::size_t>(got) / sizeof(vloop_record)));
      } else {
        equal("a read that was interrupted", got, -EINTR);
        ++interrupted;
      }
    }
    interrupter.request_stop();
    interrupter.join();
    d.reopen(0, VLOOP_QUEUE_NOWAIT);
    const auto served = d.serve();
    user.finish();
  }
}

void a_read_into_missing_memory_loses_no_request() {
  disk d;
  void* memory = ::mmap(nullptr, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ::mprotect(static_cast<std::byte*>(memory) + page_bytes, page_bytes, PROT_NONE);
  auto* end = reinterpret_cast<vloop_record*>(static_cast<std::byte*>(memory) + page_bytes);
  const auto first = transfer::read(d.node(), 0, 512);
  expect(d.q().wait(), "a request");
  equal("a read into missing memory", d.q().read(std::span(end, 1)), -EFAULT);
  const auto second = transfer::read(d.node(), 4096, 512);
  const mapping page(d.q().fd(), VLOOP_MMAP_STATS);
  const auto& stats = page.as<vloop_queue_stats>();
  // Both are there when one can be taken and one comes again.
  within(patience, "both requests are there", [&] {
    const long got = d.q().read(std::span(end, 2));
    one_of("a read that only begins in memory", got, {-EFAULT});
    return stats.in_flight == 2;
  });
  equal("a read of which half is in memory", d.q().read(std::span(end - 1, 2)), sizeof(vloop_record));
  answer(d.q(), std::span(end - 1, 1));
  answer(d.q(), std::array{d.q().next_request()});
  equal("the first read", first.result(), 512);
  equal("the second read", second.result(), 512);
}

constexpr named_case cases[] = {
    {"polls_that_are_cancelled_lose_no_request", polls_that_are_cancelled_lose_no_request},
    {"workers_that_are_cancelled_lose_no_request", workers_that_are_cancelled_lose_no_request},
    {"reads_that_are_interrupted_lose_no_request", reads_that_are_interrupted_lose_no_request},
    {"a_read_into_missing_memory_loses_no_request", a_read_into_missing_memory_loses_no_request},
};

}  // namespace

std::span<const named_case> read_cases() {
  return cases;
}

}  // namespace vloop::raw
