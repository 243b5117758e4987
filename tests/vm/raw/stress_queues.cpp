// SPDX-License-Identifier: MIT
#include "stress_thread.hpp"

#include <linux/virtio_blk.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <span>

namespace vloop::raw {

void hostile_thread::open_queue() {
  vloop_queue_fd arg{};
  arg.index = static_cast<__u32>(roll_.one_in(16) ? roll_.number() : roll_.below(3));
  arg.flags = static_cast<__u32>(roll_.one_in(16) ? roll_.number() : roll_.below(2));
  const long fd = counted(call(w_.devices.pick(roll_), VLOOP_QUEUE_FD, &arg));
  if (fd >= 0) w_.queues.add(static_cast<int>(fd));
}

void hostile_thread::read_queue() {
  const int queue = w_.queues.pick(roll_);
  std::array<vloop_record, 8> records;
  const std::size_t n = 1 + roll_.below(records.size());
  iovec to{records.data(), n * sizeof(vloop_record)};
  if (roll_.one_in(8)) {
    to.iov_base = argument(to.iov_len);
    counted(result_of(::preadv2(queue, &to, 1, -1, RWF_NOWAIT)));
    return;
  }
  const long got = counted(result_of(::preadv2(queue, &to, 1, -1, RWF_NOWAIT)));
  if (got <= 0) return;
  const std::scoped_lock hold(w_.lock);
  for (const auto& record : std::span(records).first(static_cast<std::size_t>(got) / sizeof(vloop_record))) {
    if (record.type != VLOOP_RECORD_REQUEST) continue;
    ++w_.count.fetched;
    if (w_.requests.size() < requests_kept)
      w_.requests.push_back({queue, record});
    else
      w_.requests[roll_.below(requests_kept)] = {queue, record};
  }
}

vloop_op some_answer(const vloop_record& record, const void* memory) {
  if (record.readable >= sizeof(virtio_blk_outhdr)) return good_answer(record);
  auto op = op_for(record, VLOOP_VERB_COPY_TO_REQUEST, VLOOP_OP_COMPLETE | VLOOP_OP_DETACH);
  op.address = address_of(memory);
  op.length = std::min<__u32>(record.writable, 64);
  return op;
}

// Mostly an answer that is good but for one field.
vloop_op hostile_thread::some_op() {
  known_request known;
  {
    const std::scoped_lock hold(w_.lock);
    if (!w_.requests.empty()) known = w_.requests[roll_.below(w_.requests.size())];
  }
  auto op = some_answer(known.record, w_.shared.data());
  if (roll_.one_in(2)) op.flags = static_cast<__u32>(roll_.below(16));
  if (roll_.one_in(3)) op.verb = static_cast<__u8>(roll_.below(8));
  if (roll_.one_in(4)) op.address = address_of(argument(op.length > page_bytes ? page_bytes : op.length));
  switch (roll_.below(10)) {
    case 0:
      op.length = static_cast<__u32>(roll_.number());
      break;
    case 1:
      op.skip = static_cast<__u32>(roll_.number());
      break;
    case 2:
      op.offset = roll_.number();
      break;
    case 3:
      op.file = static_cast<__u16>(roll_.number());
      break;
    case 4:
      op.head = static_cast<__u16>(roll_.number());
      break;
    case 5:
      op.seq += static_cast<__u32>(roll_.below(3) - 1);
      break;
    case 6:
      roll_.fill(std::span(reinterpret_cast<std::byte*>(&op), sizeof(op)).subspan(roll_.below(64)));
      break;
    default:
      break;
  }
  return op;
}

void hostile_thread::write_queue() {
  std::array<vloop_op, 8> ops;
  const std::size_t n = 1 + roll_.below(ops.size());
  for (auto& op : std::span(ops).first(n)) op = some_op();
  const void* from = ops.data();
  if (roll_.one_in(8)) {
    // Where the others scribble.
    std::memcpy(w_.shared.data(), ops.data(), n * sizeof(vloop_op));
    from = w_.shared.data();
  }
  if (roll_.one_in(16)) from = argument(n * sizeof(vloop_op));
  counted(
      result_of(::write(w_.queues.pick(roll_), from, n * sizeof(vloop_op) - (roll_.one_in(8) ? roll_.below(64) : 0))));
}

}  // namespace vloop::raw
