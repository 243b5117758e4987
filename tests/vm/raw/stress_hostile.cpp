// SPDX-License-Identifier: MIT
#include "stress_hostile.hpp"

#include "dice.hpp"
#include "disk.hpp"
#include "user.hpp"

#include <fcntl.h>
#include <liburing.h>
#include <linux/virtio_blk.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <mutex>

namespace vloop::raw {

namespace {

constexpr rlim_t descriptors_max = 200;  // so that they run out now and then
constexpr std::size_t devices_max = 12;
constexpr std::size_t requests_kept = 128;
constexpr std::size_t pages_kept = 16;
constexpr unsigned threads = 5;

// Descriptors of a kind. Whoever picks one may find it closed, or its number used again: so be it.
class pool {
 public:
  void add(int fd) {
    const std::scoped_lock hold(lock_);
    fds_.push_back(fd);
  }
  int pick(dice& roll) {
    const std::scoped_lock hold(lock_);
    if (fds_.empty()) return -1;
    // Mostly one of the last: the others have seen their end, as a rule.
    const auto among = roll.one_in(4) ? fds_.size() : std::min(fds_.size(), newest);
    return fds_[fds_.size() - 1 - roll.below(among)];
  }
  int take(dice& roll) {
    const std::scoped_lock hold(lock_);
    if (fds_.empty()) return -1;
    std::swap(fds_[roll.below(fds_.size())], fds_.back());
    const int fd = fds_.back();
    fds_.pop_back();
    return fd;
  }
  std::size_t size() {
    const std::scoped_lock hold(lock_);
    return fds_.size();
  }

 private:
  static constexpr std::size_t newest = 6;

  std::mutex lock_;
  std::vector<int> fds_;
};

struct known_request {
  int queue = -1;
  vloop_record record{};
};

// What all threads know.
struct world {
  explicit world(tally& t) : count(t) {}

  tally& count;
  pool controls, devices, queues, files;
  std::array<int, 2> mail{-1, -1};  // descriptors on their way to ourselves

  std::mutex lock;
  std::vector<known_request> requests;
  std::vector<void*> pages;

  // Memory that all threads write to while the kernel reads it: operations, records, arguments.
  alignas(page_bytes) std::array<std::byte, 4 * page_bytes> shared{};
  std::byte* half_there = nullptr;  // a page, and none behind it
};

class thread_of_evil {
 public:
  thread_of_evil(world& w, std::uint64_t seed, bool may_wait) : w_(w), roll_(seed), may_wait_(may_wait) {
    ring_works_ = ::io_uring_queue_init(16, &ring_, 0) == 0;
  }

  void step();

 private:
  long counted(long result);
  void* argument(std::size_t bytes);

  void create();
  void call_control();
  void call_device();
  void set_file();
  void configure();
  void open_queue();
  void read_queue();
  void write_queue();
  vloop_op some_op();
  void map_page();
  void abuse_page();
  void use_ring();
  void pass_on();
  void receive();
  void close_one();
  void disturb_file();
  void wait_somewhere();
  void fork_child();
  void scribble();

  world& w_;
  dice roll_;
  bool may_wait_;
  io_uring ring_{};
  bool ring_works_;
};

long thread_of_evil::counted(long result) {
  ++w_.count.calls;
  if (result >= 0) ++w_.count.taken;
  return result;
}

// Memory for what the kernel reads or writes: good, shared with the others, half there, or not there.
void* thread_of_evil::argument(std::size_t bytes) {
  switch (roll_.below(8)) {
    case 0:
      return w_.half_there + page_bytes - roll_.below(bytes + 1);
    case 1:
      return reinterpret_cast<void*>(roll_.number());
    default:
      return w_.shared.data() + roll_.below(w_.shared.size() - bytes) / 8 * 8;
  }
}

// ---- devices ----

device_shape some_disk(dice& roll) {
  const auto queues = roll.one_in(20) ? 64 : 1 + static_cast<unsigned>(roll.below(3));
  const auto ring = roll.one_in(20) ? 1024U : 4U << roll.below(6);
  auto shape = blk_shape(disk_sectors, queues, ring);
  auto* config = reinterpret_cast<std::byte*>(shape.config.data());
  const auto set = [&](std::size_t at, auto value) { std::memcpy(config + at, &value, sizeof(value)); };
  if (roll.one_in(4)) set(offsetof(virtio_blk_config, capacity), roll.number());
  if (roll.one_in(2)) {
    shape.arg.features |= 1ULL << VIRTIO_BLK_F_BLK_SIZE | 1ULL << VIRTIO_BLK_F_TOPOLOGY;
    set(offsetof(virtio_blk_config, blk_size), static_cast<__u32>(512U << roll.below(4)));
    set(offsetof(virtio_blk_config, physical_block_exp), static_cast<__u8>(roll.below(9)));
    set(offsetof(virtio_blk_config, alignment_offset), static_cast<__u8>(roll.number()));
    set(offsetof(virtio_blk_config, min_io_size), static_cast<__u16>(roll.number()));
    set(offsetof(virtio_blk_config, opt_io_size), static_cast<__u32>(roll.number()));
  }
  if (roll.one_in(3)) {
    shape.arg.features |= 1ULL << VIRTIO_BLK_F_SIZE_MAX | 1ULL << VIRTIO_BLK_F_GEOMETRY;
    set(offsetof(virtio_blk_config, size_max), static_cast<__u32>(roll.number()));
    set(offsetof(virtio_blk_config, geometry), static_cast<__u32>(roll.bits()));
  }
  if (roll.one_in(3)) set(offsetof(virtio_blk_config, seg_max), static_cast<__u32>(1 + roll.below(ring)));
  if (roll.one_in(4)) shape.arg.features |= 1ULL << roll.below(64);
  if (roll.one_in(8)) shape.config.resize(roll.below(200));
  return shape;
}

void thread_of_evil::create() {
  const int control = w_.controls.pick(roll_);
  if (w_.devices.size() >= devices_max && !roll_.one_in(8)) return;
  auto shape = roll_.one_in(4) ? rng_shape() : some_disk(roll_);
  shape.arg.on_exit = roll_.one_in(16) ? static_cast<__u32>(roll_.number()) : static_cast<__u32>(roll_.below(4));
  shape.arg.grace_ms = static_cast<__u32>(roll_.below(500));
  if (roll_.one_in(8)) shape.description.assign(roll_.below(5000), static_cast<char>(roll_.bits()));
  if (roll_.one_in(16)) shape.arg.device_id = static_cast<__u32>(roll_.below(64));
  if (roll_.one_in(16)) shape.queues[roll_.below(shape.queues.size())].size = static_cast<__u32>(roll_.number());
  shape.arg.queues = address_of(shape.queues.data());
  shape.arg.num_queues = static_cast<__u32>(shape.queues.size());
  shape.arg.config = address_of(shape.config.data());
  shape.arg.config_len = static_cast<__u32>(shape.config.size());
  shape.arg.description = address_of(shape.description.data());
  shape.arg.description_len = static_cast<__u32>(shape.description.size());
  auto* arg = &shape.arg;
  if (roll_.one_in(8)) {
    arg = static_cast<vloop_create*>(argument(sizeof(vloop_create)));
    if (reinterpret_cast<std::byte*>(arg) >= w_.shared.data() &&
        reinterpret_cast<std::byte*>(arg + 1) <= w_.shared.data() + w_.shared.size())
      *arg = shape.arg;
  }
  const long fd = counted(call(control, VLOOP_CREATE, arg));
  if (fd < 0) return;
  ++w_.count.made;
  w_.devices.add(static_cast<int>(fd));
  const int backing = w_.files.pick(roll_);
  vloop_set_file file{};
  file.fd = backing;
  counted(call(static_cast<int>(fd), VLOOP_SET_FILE, &file));
  if (!roll_.one_in(4)) counted(call(static_cast<int>(fd), VLOOP_START));
}

void thread_of_evil::call_control() {
  const int control = w_.controls.pick(roll_);
  vloop_attach attach{};
  vloop_stop stop{};
  attach.id = stop.id = static_cast<__u32>(roll_.one_in(8) ? roll_.number() : roll_.below(devices_max));
  long fd = -1;
  switch (roll_.below(6)) {
    case 0:
      counted(call(control, VLOOP_GET_INFO, argument(sizeof(vloop_info))));
      return;
    case 1:
      counted(call(control, static_cast<unsigned long>(roll_.number()), argument(128)));
      return;
    case 2:
      stop.flags = static_cast<__u32>(roll_.below(2));
      if (roll_.one_in(4)) counted(call(control, VLOOP_STOP, &stop));
      return;
    case 3:
      if (!may_wait_) return;
      attach.flags = VLOOP_ATTACH_TAKE_OVER;
      attach.timeout_ms = static_cast<__u32>(1 + roll_.below(200));
      break;
    default:
      break;
  }
  fd = counted(call(control, VLOOP_ATTACH, &attach));
  if (fd >= 0) w_.devices.add(static_cast<int>(fd));
}

void thread_of_evil::call_device() {
  const int device = w_.devices.pick(roll_);
  switch (roll_.below(9)) {
    case 0:
    case 1:
      counted(call(device, VLOOP_START));
      return;
    case 2:
      if (roll_.one_in(8)) counted(call(device, VLOOP_REMOVE));
      return;
    case 3:
      if (roll_.one_in(4)) counted(call(device, VLOOP_DETACH));
      return;
    case 4:
      counted(call(device, VLOOP_GET_DEVICE_INFO, argument(sizeof(vloop_device_info))));
      return;
    case 5:
      counted(call(device,
                   static_cast<unsigned long>(
                       roll_.one_in(2) ? roll_.number()
                                       : _IOC(roll_.below(4), VLOOP_IOC_MAGIC, roll_.below(256), roll_.below(300))),
                   argument(300)));
      return;
    case 6: {
      pollfd wanted{device, POLLIN, 0};
      ::poll(&wanted, 1, 0);
      return;
    }
    default: {
      const iovec to{argument(sizeof(vloop_record)), sizeof(vloop_record)};
      counted(result_of(::preadv2(device, &to, 1, -1, RWF_NOWAIT)));
    }
  }
}

void thread_of_evil::set_file() {
  vloop_set_file arg{};
  arg.index = static_cast<__u32>(roll_.one_in(16) ? roll_.number() : roll_.below(VLOOP_FILES_MAX));
  switch (roll_.below(8)) {
    case 0:
      arg.fd = static_cast<__s32>(roll_.number());
      break;
    case 1:
      arg.fd = (roll_.one_in(2) ? w_.devices : w_.queues).pick(roll_);
      break;
    case 2:
      arg.fd = -1;
      break;
    default:
      arg.fd = w_.files.pick(roll_);
  }
  counted(call(w_.devices.pick(roll_), VLOOP_SET_FILE, &arg));
}

void thread_of_evil::configure() {
  const int device = w_.devices.pick(roll_);
  vloop_device_info info{};
  call(device, VLOOP_GET_DEVICE_INFO, &info);
  std::vector<std::byte> bytes(info.config_len);
  vloop_config arg{};
  arg.data = address_of(bytes.data());
  arg.length = info.config_len;
  counted(call(device, VLOOP_GET_CONFIG, &arg));
  for (auto n = roll_.below(4); n > 0 && !bytes.empty(); --n)
    bytes[roll_.below(bytes.size())] = static_cast<std::byte>(roll_.number());
  if (roll_.one_in(8)) arg.data = address_of(argument(bytes.size()));
  if (roll_.one_in(8)) arg.length = static_cast<__u32>(roll_.number());
  counted(call(device, VLOOP_SET_CONFIG, &arg));
}

// ---- queues ----

void thread_of_evil::open_queue() {
  vloop_queue_fd arg{};
  arg.index = static_cast<__u32>(roll_.one_in(16) ? roll_.number() : roll_.below(3));
  arg.flags = static_cast<__u32>(roll_.one_in(16) ? roll_.number() : roll_.below(2));
  const long fd = counted(call(w_.devices.pick(roll_), VLOOP_QUEUE_FD, &arg));
  if (fd >= 0) w_.queues.add(static_cast<int>(fd));
}

void thread_of_evil::read_queue() {
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

// Entropy and events want bytes; disks have a header that says what they want.
vloop_op some_answer(const vloop_record& record, const void* memory) {
  if (record.readable >= sizeof(virtio_blk_outhdr)) return good_answer(record);
  auto op = op_for(record, VLOOP_VERB_COPY_TO_REQUEST, VLOOP_OP_COMPLETE | VLOOP_OP_DETACH);
  op.address = address_of(memory);
  op.length = std::min<__u32>(record.writable, 64);
  return op;
}

// Mostly an answer that is good but for one field.
vloop_op thread_of_evil::some_op() {
  known_request known;
  {
    const std::scoped_lock hold(w_.lock);
    if (!w_.requests.empty()) known = w_.requests[roll_.below(w_.requests.size())];
  }
  auto op = some_answer(known.record, w_.shared.data());
  if (roll_.one_in(2)) op.flags = static_cast<__u32>(roll_.below(16));
  if (roll_.one_in(3)) op.verb = static_cast<__u8>(roll_.below(7));
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

void thread_of_evil::write_queue() {
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

// ---- pages ----

void thread_of_evil::map_page() {
  const auto offset =
      roll_.one_in(8) ? roll_.number() / page_bytes * page_bytes : roll_.pick({VLOOP_MMAP_AVAIL, VLOOP_MMAP_STATS});
  const int protection = roll_.one_in(4) ? static_cast<int>(roll_.below(8)) : PROT_READ;
  void* page = ::mmap(nullptr, roll_.one_in(8) ? 2 * page_bytes : page_bytes, protection,
                      roll_.pick({MAP_SHARED, MAP_PRIVATE}), w_.queues.pick(roll_), static_cast<off_t>(offset));
  counted(page == MAP_FAILED ? -errno : 0);
  if (page == MAP_FAILED) return;
  const std::scoped_lock hold(w_.lock);
  if (w_.pages.size() < pages_kept) {
    w_.pages.push_back(page);
  } else {
    auto& old = w_.pages[roll_.below(pages_kept)];
    ::munmap(old, page_bytes);
    old = page;
  }
}

// With the lock, so that nobody else's memory comes to lie there meanwhile.
void thread_of_evil::abuse_page() {
  const std::scoped_lock hold(w_.lock);
  if (w_.pages.empty()) return;
  auto& page = w_.pages[roll_.below(w_.pages.size())];
  switch (roll_.below(6)) {
    case 0:
      ::mprotect(page, page_bytes, static_cast<int>(roll_.below(8)));
      return;
    case 1:
      ::madvise(page, page_bytes, static_cast<int>(roll_.below(26)));
      return;
    case 2: {
      void* moved = ::mremap(page, page_bytes, page_bytes * (1 + roll_.below(2)), static_cast<int>(roll_.below(2)));
      if (moved != MAP_FAILED) page = moved;
      return;
    }
    case 3:
      ::mlock(page, page_bytes);
      return;
    case 4: {
      // Pages that a pipe holds on to.
      std::array<int, 2> ends{};
      if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return;
      const iovec from{page, page_bytes};
      [[maybe_unused]] const auto spliced = ::vmsplice(ends[1], &from, 1, SPLICE_F_NONBLOCK | SPLICE_F_GIFT);
      ::munmap(page, page_bytes);
      page = w_.pages.back();
      w_.pages.pop_back();
      ::close(ends[0]);
      ::close(ends[1]);
      return;
    }
    default:
      ::munmap(page, page_bytes);
      page = w_.pages.back();
      w_.pages.pop_back();
  }
}

// ---- other ways to the same files ----

void thread_of_evil::use_ring() {
  if (!ring_works_) return;
  for (auto n = 1 + roll_.below(4); n > 0; --n) {
    auto* sqe = ::io_uring_get_sqe(&ring_);
    if (sqe == nullptr) break;
    const int fd = roll_.one_in(4) ? w_.devices.pick(roll_) : w_.queues.pick(roll_);
    switch (roll_.below(6)) {
      case 0:
        ::io_uring_prep_poll_add(sqe, fd, POLLIN);
        break;
      case 1:
        ::io_uring_prep_cancel64(sqe, roll_.below(4), static_cast<int>(roll_.below(4)));
        break;
      case 2: {
        auto* op = reinterpret_cast<vloop_op*>(w_.shared.data() + page_bytes);
        *op = some_op();
        ::io_uring_prep_write(sqe, fd, op, sizeof(*op), 0);
        break;
      }
      default:
        ::io_uring_prep_read(sqe, fd, w_.shared.data() + 2 * page_bytes + roll_.below(8) * 256, 256, 0);
    }
    sqe->flags |= static_cast<__u8>(roll_.one_in(4) ? IOSQE_ASYNC : 0);
    sqe->user_data = roll_.below(4);
  }
  counted(::io_uring_submit(&ring_));
  io_uring_cqe* cqe = nullptr;
  while (::io_uring_peek_cqe(&ring_, &cqe) == 0) ::io_uring_cqe_seen(&ring_, cqe);
  if (!roll_.one_in(64)) return;
  ::io_uring_queue_exit(&ring_);
  ring_works_ = ::io_uring_queue_init(16, &ring_, 0) == 0;
}

void thread_of_evil::pass_on() {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = (roll_.one_in(2) ? w_.devices : w_.queues).pick(roll_);
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  ::sendmsg(w_.mail[0], &message, MSG_DONTWAIT);
}

void thread_of_evil::receive() {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  if (::recvmsg(w_.mail[1], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0) return;
  const auto* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  // Of either kind: the calls of the other are refused.
  (roll_.one_in(2) ? w_.devices : w_.queues).add(fd);
}

void thread_of_evil::close_one() {
  if (roll_.one_in(4)) {
    const int copy = ::fcntl(w_.queues.pick(roll_), F_DUPFD_CLOEXEC, 3);
    if (copy >= 0) w_.queues.add(copy);
    return;
  }
  const int fd = (roll_.one_in(3) ? w_.devices : w_.queues).take(roll_);
  if (fd >= 0) ::close(fd);
}

void thread_of_evil::disturb_file() {
  const int fd = w_.files.pick(roll_);
  switch (roll_.below(5)) {
    case 0: {
      [[maybe_unused]] const int done = ::ftruncate(fd, static_cast<off_t>(roll_.below(disk_sectors * sector_bytes)));
      return;
    }
    case 1: {
      [[maybe_unused]] const int done = ::ftruncate(fd, disk_sectors * sector_bytes);
      return;
    }
    case 2:
      ::fcntl(fd, F_SETFL, roll_.pick({0, O_APPEND, O_DIRECT, O_NONBLOCK}));
      return;
    case 3:
      ::fcntl(w_.queues.pick(roll_), F_SETFL, roll_.pick({0, O_NONBLOCK}));
      return;
    default:
      ::fcntl(w_.devices.pick(roll_), F_SETFL, roll_.pick({0, O_NONBLOCK, O_ASYNC}));
  }
}

// ---- only what a thread does that may be held up ----

void thread_of_evil::wait_somewhere() {
  if (!may_wait_) return;
  std::array<vloop_record, 4> records;
  pollfd wanted{w_.queues.pick(roll_), POLLIN, 0};
  switch (roll_.below(4)) {
    case 0:
      counted(result_of(::read(w_.queues.pick(roll_), records.data(), sizeof(records))));
      return;
    case 1:
      counted(result_of(::read(w_.devices.pick(roll_), records.data(), sizeof(records))));
      return;
    case 2:
      ::poll(&wanted, 1, static_cast<int>(roll_.below(50)));
      return;
    default: {
      // Our own disks as backing files, and as users.
      const auto node = disk_node(static_cast<std::uint32_t>(roll_.below(devices_max)));
      const int fd = node.empty() ? -1 : ::open(node.c_str(), roll_.pick({O_RDWR, O_RDONLY}) | O_CLOEXEC);
      if (fd < 0) return;
      if (roll_.one_in(2) && ::pread(fd, records.data(), sizeof(records), 4096) < 0) counted(-EIO);
      w_.files.add(fd);
    }
  }
}

void thread_of_evil::fork_child() {
  if (!roll_.one_in(16)) return;
  const auto life = std::chrono::microseconds(roll_.below(20000));
  const bool exec = roll_.one_in(4);
  const int queue = w_.queues.pick(roll_), device = w_.devices.pick(roll_);
  const pid_t child = ::fork();
  if (child != 0) return;
  // Other threads' locks may be held for ever here: nothing but calls.
  std::array<vloop_record, 4> records;
  const iovec to{records.data(), sizeof(records)};
  for (const auto end = clock::now() + life; clock::now() < end;) {
    [[maybe_unused]] const auto got = ::preadv2(queue, &to, 1, -1, RWF_NOWAIT);
    ::ioctl(device, VLOOP_START);
    vloop_op op{};
    [[maybe_unused]] const auto begun = ::write(queue, &op, sizeof(op));
  }
  if (exec) ::execl("/bin/true", "true", nullptr);
  ::_exit(0);
}

void thread_of_evil::scribble() {
  roll_.fill(std::span(w_.shared).subspan(roll_.below(w_.shared.size() - 64), 64));
}

void thread_of_evil::step() {
  struct choice {
    unsigned weight;
    void (thread_of_evil::*run)();
  };
  static constexpr choice choices[] = {
      {4, &thread_of_evil::create},         {4, &thread_of_evil::call_control}, {6, &thread_of_evil::call_device},
      {4, &thread_of_evil::set_file},       {2, &thread_of_evil::configure},    {8, &thread_of_evil::open_queue},
      {16, &thread_of_evil::read_queue},    {24, &thread_of_evil::write_queue}, {4, &thread_of_evil::map_page},
      {4, &thread_of_evil::abuse_page},     {6, &thread_of_evil::use_ring},     {2, &thread_of_evil::pass_on},
      {2, &thread_of_evil::receive},        {4, &thread_of_evil::close_one},    {2, &thread_of_evil::disturb_file},
      {2, &thread_of_evil::wait_somewhere}, {1, &thread_of_evil::fork_child},   {6, &thread_of_evil::scribble},
  };
  unsigned sum = 0;
  for (const auto& one : choices) sum += one.weight;
  auto left = roll_.below(sum);
  for (const auto& one : choices) {
    if (left < one.weight) return (this->*one.run)();
    left -= one.weight;
  }
}

// Serves well what it can get hold of, so that there are disks at all.
void be_diligent(world& w, std::uint64_t seed) {
  dice roll(seed);
  std::array<vloop_record, 16> records;
  const iovec to{records.data(), sizeof(records)};
  for (;;) {
    vloop_queue_fd arg{};
    arg.index = static_cast<__u32>(roll.below(3));
    arg.flags = VLOOP_QUEUE_NOWAIT;
    const long fd = call(w.devices.pick(roll), VLOOP_QUEUE_FD, &arg);
    if (fd >= 0) w.queues.add(static_cast<int>(fd));
    for (int i = 0; i < 8; ++i) {
      const int queue = w.queues.pick(roll);
      const auto got = ::preadv2(queue, &to, 1, -1, RWF_NOWAIT);
      if (got <= 0) continue;
      for (const auto& record : std::span(records).first(static_cast<std::size_t>(got) / sizeof(vloop_record))) {
        if (record.type != VLOOP_RECORD_REQUEST) continue;
        ++w.count.fetched;
        const auto op = some_answer(record, w.shared.data());
        if (::write(queue, &op, sizeof(op)) > 0) ++w.count.answered;
      }
    }
    std::this_thread::yield();
  }
}

void make_files(world& w) {
  for (int i = 0; i < 3; ++i) w.files.add(::memfd_create("stress", MFD_CLOEXEC));
  w.files.add(::open("stress-backing", O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  w.files.add(::open("stress-backing", O_RDWR | O_DIRECT | O_CLOEXEC));
  w.files.add(::open("stress-backing", O_RDONLY | O_CLOEXEC));
  dice any(1);
  for (int i = 0; i < 12; ++i)
    [[maybe_unused]] const int done = ::ftruncate(w.files.pick(any), disk_sectors * sector_bytes);
}

}  // namespace

void be_hostile(std::uint64_t seed, tally& count) {
  dice roll(seed);
  ::setpgid(0, 0);
  // Children are nobody's business.
  ::signal(SIGCHLD, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{descriptors_max, descriptors_max};
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (roll.one_in(3)) become(nobody);

  static world* w = new world(count);
  w->half_there = static_cast<std::byte*>(
      ::mmap(nullptr, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ::munmap(w->half_there + page_bytes, page_bytes);
  expect(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->mail.data()) == 0, "a pair of sockets");
  for (int i = 0; i < 2; ++i) w->controls.add(::open("/dev/vloop", O_RDWR | O_CLOEXEC));
  make_files(*w);
  for (unsigned t = 0; t < threads; ++t) {
    std::thread([seed = roll.bits(), t] {
      if (t == 0) be_diligent(*w, seed);
      for (thread_of_evil one(*w, seed, t == 1);;) one.step();
    }).detach();
  }
  // Most are killed; some end by themselves.
  std::this_thread::sleep_for(milliseconds(roll.one_in(3) ? roll.below(3000) : 3600000));
  ::_exit(0);
}

}  // namespace vloop::raw
