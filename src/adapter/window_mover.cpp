// SPDX-License-Identifier: MIT
#include "adapter/window_mover.hpp"

#include <liburing.h>
#include <sys/uio.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

namespace vloop::adapter {
namespace {

bool uses_file(verb what) {
  return what == verb::file_to_request || what == verb::request_to_file;
}

// No request has more: the kernel takes no more iovecs at once.
std::size_t segments_of(std::uint16_t queue_size) {
  return std::min<std::size_t>(queue_size, UIO_MAXIOV);
}

}  // namespace

window_mover::window_mover(loop& io, const window_view& shown, std::span<const file_description> files, receiver& told)
    : io_(io),
      told_(told),
      segments_(std::make_unique_for_overwrite<segment[]>(segments_of(shown.size) * shown.size)),
      slots_(std::make_unique<slot[]>(shown.size)) {
  ring_.descriptors = const_cast<vring_desc*>(shown.descriptors);  // only ever read by those who take requests
  ring_.size = shown.size;
  memory_.add({.address = 0, .memory = shown.memory});
  for (std::uint16_t head = 0; head < shown.size; ++head) {
    slots_[head].mover = this;
    slots_[head].segments = {&segments_[segments_of(shown.size) * head], segments_of(shown.size)};
  }
  for (const file_description& file : files) files_.push_back(file.direct ? file.buffered_fd : file.fd);
}

window_mover::~window_mover() {
  assert(idle() && "a window is destroyed while a transfer works on it");
}

void window_mover::taken(const request_id& id) {
  if (id.head >= ring_.size) return;
  slot& s = slots_[id.head];
  s.id = id;
  s.walk_later = s.in_flight();
  if (s.next) --busy_;  // of a request that a reset has voided
  s.next.reset();
  if (!s.walk_later) walk(s);
}

void window_mover::walk(slot& s) {
  s.walk_later = false;
  s.shown = walk_chain(ring_, s.id.head, memory_, false, s.segments, s.parts) == ring_error::none;
}

// What does not fit is the module's, which says what is wrong with it.
bool window_mover::fits(const slot& s, const transfer& t) const {
  if (!s.shown) return false;
  const std::uint32_t part = into_request(t.what) ? s.parts.writable : s.parts.readable;
  return t.skip <= part && t.length <= part - t.skip &&
         (!uses_file(t.what) || (t.file < files_.size() && files_[t.file] >= 0));
}

bool window_mover::can_move(const request_id& id, const transfer& t) const {
  if (id.head >= ring_.size || t.what == verb::none || t.what == verb::sync || t.length == 0) return false;
  const slot& s = slots_[id.head];
  return s.id.seq == id.seq && (s.walk_later || fits(s, t));
}

void window_mover::move(const request_id& id, const transfer& t, answer_status status) {
  assert(can_move(id, t));
  slot& s = slots_[id.head];
  ++busy_;
  if (s.walk_later)
    s.next = order{id, t, status};
  else
    begin(s, {id, t, status});
}

void window_mover::begin(slot& s, const order& what) {
  s.now = what;
  s.moved = 0;
  const transfer& t = s.now.what;
  if (uses_file(t.what)) return submit(s);
  const std::span memory(static_cast<std::byte*>(t.memory), t.length);
  if (into_request(t.what))
    copy_into(s.part(t.what), t.skip, memory);
  else
    copy_out_of(s.part(t.what), t.skip, memory);
  finish(s, static_cast<std::int32_t>(t.length));
}

void window_mover::submit(slot& s) {
  const auto pieces = s.pieces.make(s.part(s.now.what.what), s.now.what.skip + s.moved, s.now.what.length - s.moved);
  io_.prepare(s, [&](io_uring_sqe& entry) {
    const int fd = files_[s.now.what.file];
    const auto count = static_cast<unsigned>(pieces.size());
    const std::uint64_t at = s.now.what.offset + s.moved;
    if (s.now.what.what == verb::file_to_request)
      io_uring_prep_readv(&entry, fd, as_iovecs(pieces), count, at);
    else
      io_uring_prep_writev2(&entry, fd, as_iovecs(pieces), count, at, s.now.what.dsync ? RWF_DSYNC : 0);
  });
}

void window_mover::slot::told(completion& done) noexcept {
  slot& s = static_cast<slot&>(done);
  s.mover->advance(s, done.result());
}

void window_mover::advance(slot& s, std::int32_t result) {
  s.pieces.undo();
  if (result < 0) return finish(s, result);
  s.moved += static_cast<std::uint32_t>(result);
  if (result > 0 && s.moved < s.now.what.length) return submit(s);  // short: the rest, until done or end of file
  finish(s, static_cast<std::int32_t>(s.moved));
}

void window_mover::finish(slot& s, std::int32_t result) {
  --busy_;
  told_.moved(s.now.id, s.now.what, s.now.status, result);
  if (!s.walk_later) {
    s.shown = false;  // it is given back
    return;
  }
  walk(s);
  if (!s.next) return;
  s.now = *std::exchange(s.next, std::nullopt);
  if (fits(s, s.now.what)) return begin(s, order(s.now));
  --busy_;
  told_.moved(s.now.id, s.now.what, s.now.status, -EIO);
}

}  // namespace vloop::adapter
