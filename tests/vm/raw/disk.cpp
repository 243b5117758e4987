// SPDX-License-Identifier: MIT
#include "disk.hpp"

#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string_view>

namespace vloop::raw {

namespace {

// Answers all requests that wait at the queue. Those of a queue that was reset, or has another server, are gone.
void answer_all(int fd) {
  std::array<vloop_record, 16> records;
  for (;;) {
    const auto got = ::read(fd, records.data(), sizeof(records));
    if (got <= 0) return;
    for (const auto& record : std::span(records).first(static_cast<std::size_t>(got) / sizeof(vloop_record))) {
      if (record.type != VLOOP_RECORD_REQUEST) continue;
      const auto op = good_answer(record);
      one_of("a good answer", result_of(::write(fd, &op, sizeof(op))), {sizeof(op), -ESTALE, -ENODEV});
    }
  }
}

}  // namespace

vloop_op good_answer(const vloop_record& request) {
  virtio_blk_outhdr header{};
  std::memcpy(&header, request.data, sizeof(header));
  auto op = op_for(request, VLOOP_VERB_NONE, answer_silently);
  op.offset = header.sector * sector_bytes;
  switch (header.type) {
    case VIRTIO_BLK_T_IN:
      op.verb = VLOOP_VERB_FILE_TO_REQUEST;
      op.length = request.writable - 1;
      break;
    case VIRTIO_BLK_T_OUT:
      op.verb = VLOOP_VERB_REQUEST_TO_FILE;
      op.skip = sizeof(header);
      op.length = request.readable - op.skip;
      break;
    case VIRTIO_BLK_T_FLUSH:
      break;
    default:
      op.status_ok = VIRTIO_BLK_S_UNSUPP;
  }
  return op;
}

// ---- serving ----

serving::serving(std::vector<int> queues)
    : queues_(std::move(queues)), stop_(::eventfd(0, EFD_CLOEXEC)), thread_([this] { serve(); }) {}

serving::~serving() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_.get(), &one, sizeof(one));
  thread_.join();
}

void serving::serve() {
  std::vector<pollfd> wanted{{stop_.get(), POLLIN, 0}};
  for (const int fd : queues_) wanted.push_back({fd, POLLIN, 0});
  while (::poll(wanted.data(), wanted.size(), -1) > 0 && wanted[0].revents == 0) {
    for (const auto& one : std::span(wanted).subspan(1)) {
      if (one.revents != 0) answer_all(one.fd);
    }
  }
}

// ---- disk ----

std::string disk_node(std::uint32_t id) {
  const auto device = sysfs_folder(id) + '/' + entry_of(sysfs_folder(id), "virtio") + "/block";
  const auto name = entry_of(device, "vd");
  return name.empty() ? name : "/dev/" + name;
}

long requests_in_flight(const std::string& node) {
  long reads = 0, writes = 0;
  std::ifstream("/sys/block/" + node.substr(node.rfind('/') + 1) + "/inflight") >> reads >> writes;
  return reads + writes;
}

disk::disk(device_shape shape) : file_(memory_file(disk_sectors * sector_bytes)) {
  const auto queues = shape.queues.size();
  device_ = device(std::move(shape));
  equal("SET_FILE", device_.set_file(0, file_.get()), 0);
  for (unsigned i = 0; i < queues; ++i) queues_.push_back(device_.open_queue(i));
  equal("START", device_.start(), 0);
  const auto probe = serve();
  within(patience, "a disk that is live", [&] { return device_.info().state == VLOOP_STATE_LIVE; });
  node_ = disk_node(device_.id());
  expect(!node_.empty() && exists(node_), "the disk's node");
}

std::vector<int> disk::queue_fds() const {
  std::vector<int> fds;
  for (const auto& one : queues_) fds.push_back(one.fd());
  return fds;
}

std::unique_ptr<serving> disk::serve() const {
  return std::make_unique<serving>(queue_fds());
}

void disk::reopen(std::size_t index, std::uint32_t flags) {
  queues_[index].close();
  queues_[index] = device_.open_queue(static_cast<std::uint32_t>(index), flags);
}

void disk::remove() {
  const auto served = serve();
  equal("REMOVE", device_.remove(), 0);
  device_.wait_gone();
}

void disk::close() {
  for (auto& one : queues_) one.close();
  device_.close();
}

// ---- transfer ----

struct transfer::state {
  explicit state(std::size_t count)
      : bytes(count),
        memory(static_cast<std::byte*>(std::aligned_alloc(page_bytes, (count + page_bytes - 1) & ~(page_bytes - 1)))) {}
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state() { std::free(memory); }

  std::size_t bytes;
  std::byte* memory;
  long result = 0;
  std::atomic<bool> ended = false;
};

transfer transfer::begin(bool write, const std::string& node, std::uint64_t offset, std::size_t bytes,
                         std::byte value) {
  transfer t;
  t.state_ = std::make_shared<state>(bytes);
  std::fill_n(t.state_->memory, bytes, value);
  std::thread([s = t.state_, write, node, offset] {
    const auto at = static_cast<off_t>(offset);
    const owned_fd fd(::open(node.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
    if (!fd)
      s->result = -errno;
    else
      s->result =
          result_of(write ? ::pwrite(fd.get(), s->memory, s->bytes, at) : ::pread(fd.get(), s->memory, s->bytes, at));
    s->ended = true;
  }).detach();
  return t;
}

transfer transfer::read(const std::string& node, std::uint64_t offset, std::size_t bytes) {
  return begin(false, node, offset, bytes, stale);
}

transfer transfer::write(const std::string& node, std::uint64_t offset, std::size_t bytes, std::byte value) {
  return begin(true, node, offset, bytes, value);
}

bool transfer::ended() const {
  return state_->ended;
}

long transfer::result() const {
  within(patience, "a transfer ends", [&] { return ended(); });
  return state_->result;
}

std::span<const std::byte> transfer::data() const {
  return {state_->memory, state_->bytes};
}

bool transfer::data_is(std::byte value, std::size_t from, std::size_t to) const {
  const auto part = data().subspan(from, to - from);
  return std::all_of(part.begin(), part.end(), [&](std::byte b) { return b == value; });
}

// ---- traffic ----

traffic::traffic(std::string node, unsigned threads) : state_(std::make_shared<state>()) {
  state_->node = std::move(node);
  state_->running = threads;
  for (unsigned i = 0; i < threads; ++i) {
    std::thread([s = state_, i] {
      s->run(i + 1);
      --s->running;
    }).detach();
  }
}

traffic::~traffic() {
  state_->stop = true;
}

void traffic::finish() {
  state_->stop = true;
  within(patience, "the end of the traffic", [&] { return state_->running == 0; });
}

void traffic::state::run(unsigned seed) {
  std::minstd_rand random(seed);
  const owned_fd fd(::open(node.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
  alignas(page_bytes) std::array<std::byte, page_bytes> memory{};
  while (!stop) {
    const auto at = static_cast<off_t>(random() % disk_sectors * sector_bytes);
    const auto moved = random() % 2 != 0 ? ::pwrite(fd.get(), memory.data(), sector_bytes, at)
                                         : ::pread(fd.get(), memory.data(), sector_bytes, at);
    if (moved != sector_bytes) {
      ++failed;
      return;
    }
    ++ended;
  }
}

}  // namespace vloop::raw
