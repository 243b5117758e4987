// SPDX-License-Identifier: MIT
// Who may answer a request, and how often.
#include "cases.hpp"
#include "disk.hpp"
#include "rng.hpp"

#define VIRTIO_RING_NO_LEGACY  // else it is no C++
#include <linux/virtio_ring.h>

#include <array>

namespace vloop::raw {

namespace {

void a_request_is_completed_once() {
  disk d;
  auto reader = transfer::read(d.node(), 0, 512);
  auto request = d.q().next_request();
  const std::array twice{good_answer(request), good_answer(request)};
  equal("two answers in one write", d.q().write(twice), sizeof(vloop_op));
  equal("the read", reader.result(), 512);
  equal("a second answer", d.q().write(twice[0]), -ESTALE);

  reader = transfer::read(d.node(), 0, 512);
  request = d.q().next_request();
  const auto told = op_for(request, VLOOP_VERB_NONE);
  equal("an operation that keeps the request", d.q().write(told), sizeof(vloop_op));
  equal("an answer before the DONE was read", d.q().write(good_answer(request)), -EBUSY);
  equal("DONE", d.q().next_done(), 0);
  equal("an answer after the DONE was read", d.q().write(good_answer(request)), sizeof(vloop_op));
  equal("the read", reader.result(), 512);
  const auto stats = d.q().map_stats();
  equal("requests completed of those taken", static_cast<long>(stats.as<vloop_queue_stats>().completed),
        static_cast<long>(stats.as<vloop_queue_stats>().taken));
}

// Two threads answer each request at the same time: one of them does it.
void two_threads_answer_the_same_request() {
  constexpr int rounds = 150;
  disk d;
  traffic user(d.node(), 1);
  for (int i = 0; i < rounds; ++i) {
    const auto op = good_answer(d.q().next_request());
    std::atomic<int> ready = 0;
    std::array<long, 2> results{};
    const auto answer_it = [&](std::size_t who) {
      for (++ready; ready < 2;) {}
      results[who] = d.q().write(op);
    };
    std::thread other(answer_it, 1);
    answer_it(0);
    other.join();
    for (const long result : results) one_of("an answer", result, {sizeof(op), -ESTALE, -EBUSY});
    equal("answers that were taken", (results[0] > 0) + (results[1] > 0), 1);
  }
  const auto served = d.serve();
  user.finish();
  equal("transfers that failed", user.failed(), 0);
}

void a_request_that_was_not_fetched_cannot_be_answered() {
  disk d(blk_shape(disk_sectors, 1, 8));
  const mapping page(d.q().fd(), VLOOP_MMAP_AVAIL);
  const auto& avail = page.as<vring_avail>();
  const auto before = avail.idx;
  const auto reader = transfer::read(d.node(), 0, 512);
  within(patience, "the driver makes a request available", [&] { return avail.idx != before; });
  vloop_record guess{};
  for (guess.head = 0; guess.head < 8; ++guess.head) {
    for (guess.seq = 0; guess.seq < 16; ++guess.seq)
      equal("an answer to what was not fetched", d.q().write(op_for(guess, VLOOP_VERB_NONE, answer_silently)), -ESTALE);
  }
  expect(!reader.ended(), "the read waits");
  equal("an answer to what was fetched", d.q().write(good_answer(d.q().next_request())), sizeof(vloop_op));
  equal("the read", reader.result(), 512);
}

// Drivers come and go; the entropy driver has a request in the queue at all times.
void an_answer_from_before_a_reset_is_refused() {
  entropy rng;
  const auto old = rng.q().next_request();
  rng.unbind();
  equal("an answer while no driver is there", rng.q().write(op_for(old, VLOOP_VERB_NONE, VLOOP_OP_COMPLETE)), -ESTALE);
  rng.bind();
  const auto fresh = rng.q().next_request();
  equal("the head of the new request", fresh.head, old.head);
  equal("an answer to the old request", rng.fill(old, std::byte{1}, 8), -ESTALE);
  equal("an answer to the new request", rng.fill(fresh, std::byte{1}, 8), sizeof(vloop_op));
}

constexpr named_case cases[] = {
    {"a_request_is_completed_once", a_request_is_completed_once},
    {"two_threads_answer_the_same_request", two_threads_answer_the_same_request},
    {"a_request_that_was_not_fetched_cannot_be_answered", a_request_that_was_not_fetched_cannot_be_answered},
    {"an_answer_from_before_a_reset_is_refused", an_answer_from_before_a_reset_is_refused},
};

}  // namespace

std::span<const named_case> request_cases() {
  return cases;
}

}  // namespace vloop::raw
