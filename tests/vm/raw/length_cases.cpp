// SPDX-License-Identifier: MIT
// Answers that promise more than was moved: nobody gets to see memory that was not filled.
#include "cases.hpp"
#include "disk.hpp"
#include "rng.hpp"

#include <linux/virtio_blk.h>
#include <unistd.h>

#include <array>

namespace vloop::raw {

namespace {

constexpr std::byte filled{0x11};

// The reader's memory held something before: it must not come back as the disk's data.
void what_an_answer_did_not_fill_reads_as_zeros() {
  disk d;
  auto reader = transfer::read(d.node(), 0, page_bytes);
  equal("an answer that fills nothing", d.q().write(op_for(d.q().next_request(), VLOOP_VERB_NONE, answer_silently)),
        sizeof(vloop_op));
  equal("the read", reader.result(), page_bytes);
  expect(reader.data_is(std::byte{0}, 0, page_bytes), "what was not filled is zero");

  reader = transfer::read(d.node(), 0, page_bytes);
  const auto request = d.q().next_request();
  const std::vector<std::byte> memory(1000, filled);
  auto copy = op_for(request, VLOOP_VERB_COPY_TO_REQUEST);
  copy.address = address_of(memory.data());
  copy.length = 700;
  equal("a copy that keeps the request", d.q().write(copy), sizeof(copy));
  equal("its DONE", d.q().next_done(), 700);
  copy.skip = 701;
  equal("a copy that leaves a hole", d.q().write(copy), -EINVAL);
  copy.flags = answer_silently;
  copy.skip = 500;
  copy.length = 500;
  equal("a copy over what was filled", d.q().write(copy), sizeof(copy));
  equal("the read", reader.result(), page_bytes);
  expect(reader.data_is(filled, 0, 1000), "what was filled arrives");
  expect(reader.data_is(std::byte{0}, 1000, page_bytes), "what was not filled is zero");
}

// The status byte is what the driver goes by: an error may call itself success, and an answer may have none.
void what_a_failed_or_bare_answer_did_not_fill_reads_as_zeros() {
  disk d;
  const auto empty = memory_file(0);
  equal("SET_FILE", d.dev().set_file(1, empty.get()), 0);
  auto reader = transfer::read(d.node(), 0, page_bytes);
  auto failing = op_for(d.q().next_request(), VLOOP_VERB_FILE_TO_REQUEST, answer_silently);
  failing.file = 1;
  failing.length = page_bytes;
  failing.status_error = VIRTIO_BLK_S_OK;
  equal("a transfer from an empty file", d.q().write(failing), sizeof(failing));
  equal("the read that failed", reader.result(), page_bytes);
  expect(reader.data_is(std::byte{0}, 0, page_bytes), "what a failed answer did not fill is zero");

  reader = transfer::read(d.node(), 0, page_bytes);
  const auto bare = op_for(d.q().next_request(), VLOOP_VERB_NONE, VLOOP_OP_COMPLETE | VLOOP_OP_DETACH);
  equal("an answer without a status", d.q().write(bare), sizeof(bare));
  equal("the read without a status", reader.result(), page_bytes);
  expect(reader.data_is(std::byte{0}, 0, page_bytes), "what a bare answer did not fill is zero");
}

void a_failed_answer_fails_the_read() {
  disk d;
  const auto reader = transfer::read(d.node(), 0, page_bytes);
  auto op = op_for(d.q().next_request(), VLOOP_VERB_NONE, answer_silently);
  op.status_ok = op.status_error;
  equal("an answer that is an error", d.q().write(op), sizeof(op));
  equal("the read", reader.result(), -EIO);
}

// What an earlier rng gave and nobody read is kept in the kernel, and comes first: a cache line at most.
constexpr std::size_t kept_by_kernel = 128;

// Reads /dev/hwrng until it gave so many bytes; returns how many were of the value, and that no other was but `also`.
long count_random(std::size_t bytes, std::byte value, std::byte also) {
  const auto node = open_or_throw("/dev/hwrng", O_RDONLY);
  std::array<std::byte, 16> some;
  long found = 0;
  for (std::size_t read = 0; read < kept_by_kernel + bytes;) {
    const long got = result_of(::read(node.get(), some.data(), some.size()));
    expect(got > 0, "a read of /dev/hwrng: " + result_text(got));
    read += static_cast<std::size_t>(got);
    if (read <= kept_by_kernel) continue;
    for (const auto b : std::span(some).first(static_cast<std::size_t>(got))) {
      expect(b == value || b == also, "random bytes that nobody filled in");
      found += b == value;
    }
  }
  return found;
}

// The driver copies as much as the used length says: it may not be more than was filled. Its buffer still holds the
// first answer, and is longer than the others.
void a_short_answer_shows_no_old_memory() {
  constexpr std::byte first{0x22};
  // Divides what the driver asks for: of an answer that it takes in two pieces, the one of 6.1.192 loses the second.
  constexpr std::uint32_t part = 4;
  entropy rng;
  auto request = rng.q().next_request();
  const auto whole = request.writable;
  expect(whole > part, "the driver wants more than a short answer has");
  equal("an answer that fills all", rng.fill(request, first, whole), sizeof(vloop_op));
  std::jthread server([&](const std::stop_token& enough) {
    while (!enough.stop_requested()) {
      if (!rng.q().wait(milliseconds(50))) continue;
      for (const auto& record : rng.q().read_all()) {
        if (record.type == VLOOP_RECORD_REQUEST) rng.fill(record, filled, part);
      }
    }
  });
  const long old = count_random(3 * whole, first, filled);
  server.request_stop();
  server.join();
  expect(old <= static_cast<long>(whole), "the first answer's bytes come once");
}

void entropy_is_never_answered_with_nothing() {
  entropy rng;
  const auto request = rng.q().next_request();
  equal("an empty answer", rng.q().write(op_for(request, VLOOP_VERB_NONE, VLOOP_OP_COMPLETE)), sizeof(vloop_op));
  equal("the DONE of an empty answer", rng.q().next_done(), -ENODATA);
  const auto file = memory_file(0);
  equal("SET_FILE", rng.dev().set_file(0, file.get()), 0);
  auto op = op_for(request, VLOOP_VERB_FILE_TO_REQUEST, VLOOP_OP_COMPLETE | VLOOP_OP_DETACH);
  op.length = request.writable;
  equal("an answer from an empty file", rng.q().write(op), sizeof(op));
  const auto error = rng.q().next(VLOOP_RECORD_EVENT).event;
  equal("the event of an answer from an empty file", error.event, VLOOP_EVENT_OP_ERROR);
  // Its server is told of the request once more, as of any whose silent operation did not complete it.
  const auto again = rng.q().next_request();
  equal("an answer at last", rng.fill(again, filled, again.writable), sizeof(vloop_op));
  expect(rng.q().next_request().seq != 0, "the driver asks again");
}

constexpr named_case cases[] = {
    {"what_an_answer_did_not_fill_reads_as_zeros", what_an_answer_did_not_fill_reads_as_zeros},
    {"what_a_failed_or_bare_answer_did_not_fill_reads_as_zeros",
     what_a_failed_or_bare_answer_did_not_fill_reads_as_zeros},
    {"a_failed_answer_fails_the_read", a_failed_answer_fails_the_read},
    {"a_short_answer_shows_no_old_memory", a_short_answer_shows_no_old_memory},
    {"entropy_is_never_answered_with_nothing", entropy_is_never_answered_with_nothing},
};

}  // namespace

std::span<const named_case> length_cases() {
  return cases;
}

}  // namespace vloop::raw
