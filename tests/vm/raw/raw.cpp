// SPDX-License-Identifier: MIT
#include "raw.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace vloop::raw {

namespace {

bool readable(int fd, milliseconds limit) {
  pollfd wanted{fd, POLLIN, 0};
  return ::poll(&wanted, 1, static_cast<int>(limit.count())) > 0;
}

}  // namespace

long call(int fd, unsigned long request, void* argument) {
  return result_of(::ioctl(fd, request, argument));
}

owned_fd open_or_throw(const std::string& path, int flags) {
  owned_fd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (!fd) throw failure("open " + path + ": " + result_text(-errno));
  return fd;
}

owned_fd memory_file(std::uint64_t bytes) {
  owned_fd fd(::memfd_create("raw", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  expect(fd && ::ftruncate(fd.get(), static_cast<off_t>(bytes)) == 0, "a file in memory");
  return fd;
}

// ---- what VLOOP_CREATE is told ----

device_shape blk_shape(std::uint64_t sectors, unsigned queues, std::uint32_t ring) {
  device_shape shape;
  virtio_blk_config config{};
  config.capacity = sectors;
  config.seg_max = ring - 2;
  config.num_queues = static_cast<std::uint16_t>(queues);
  shape.arg.device_id = VIRTIO_ID_BLOCK;
  shape.arg.features = 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_FLUSH;
  if (queues > 1) shape.arg.features |= 1ULL << VIRTIO_BLK_F_MQ;
  shape.queues.resize(queues);
  for (auto& queue : shape.queues) {
    queue.size = ring;
    queue.death_policy = VLOOP_DEATH_REPLY;
    queue.death_status = VIRTIO_BLK_S_IOERR;
  }
  shape.config = bytes_of(config);
  return shape;
}

device_shape rng_shape() {
  device_shape shape;
  shape.arg.device_id = VIRTIO_ID_RNG;
  shape.queues.resize(1);
  shape.queues[0].size = 8;
  shape.queues[0].death_policy = VLOOP_DEATH_LEAVE;
  return shape;
}

// ---- /dev/vloop ----

long control::create(device_shape& shape) const {
  shape.arg.queues = address_of(shape.queues.data());
  shape.arg.num_queues = static_cast<std::uint32_t>(shape.queues.size());
  shape.arg.config = address_of(shape.config.data());
  shape.arg.config_len = static_cast<std::uint32_t>(shape.config.size());
  shape.arg.pages = address_of(shape.pages.data());
  shape.arg.num_pages = static_cast<std::uint32_t>(shape.pages.size());
  shape.arg.description = address_of(shape.description.data());
  shape.arg.description_len = static_cast<std::uint32_t>(shape.description.size());
  return call(fd(), VLOOP_CREATE, &shape.arg);
}

long control::attach(std::uint32_t id, std::uint32_t flags, std::uint32_t timeout_ms) const {
  vloop_attach arg{};
  arg.id = id;
  arg.flags = flags;
  arg.timeout_ms = timeout_ms;
  return call(fd(), VLOOP_ATTACH, &arg);
}

long create(device_shape shape) {
  const long fd = control().create(shape);
  if (fd < 0) return fd;
  owned_fd(static_cast<int>(fd));
  return 0;
}

device attach(const control& by, std::uint32_t id) {
  const long fd = by.attach(id);
  if (fd < 0) throw failure("ATTACH: " + result_text(fd));
  return device(owned_fd(static_cast<int>(fd)), id);
}

long control::stop(std::uint32_t id, std::uint32_t flags) const {
  vloop_stop arg{};
  arg.id = id;
  arg.flags = flags;
  return call(fd(), VLOOP_STOP, &arg);
}

// ---- a queue ----

mapping::mapping(int fd, std::uint64_t offset, std::size_t bytes, int protection, int flags) : bytes_(bytes) {
  void* memory = ::mmap(nullptr, bytes, protection, flags, fd, static_cast<off_t>(offset));
  if (memory == MAP_FAILED)
    error_ = -errno;
  else
    memory_ = memory;
}

mapping::mapping(mapping&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_), error_(other.error_) {}

mapping& mapping::operator=(mapping&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(bytes_, other.bytes_);
  std::swap(error_, other.error_);
  return *this;
}

mapping::~mapping() {
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
}

long queue::read(std::span<vloop_record> records) const {
  return result_of(::read(fd(), records.data(), records.size_bytes()));
}

long queue::write(std::span<const vloop_op> ops) const {
  return result_of(::write(fd(), ops.data(), ops.size_bytes()));
}

bool queue::wait(milliseconds limit) const {
  return readable(fd(), limit);
}

vloop_record queue::next() const {
  vloop_record record{};
  const auto start = clock::now();
  for (;;) {
    const long got = read(std::span(&record, 1));
    if (got == sizeof(record)) return record;
    equal("a read of a queue", got, -EAGAIN);
    if (clock::now() - start > patience || !wait()) throw failure("no record came");
  }
}

vloop_record queue::next(vloop_record_type type) const {
  for (;;) {
    const auto record = next();
    if (record.type == type) return record;
    expect(record.type == VLOOP_RECORD_EVENT, "a record of another type than was waited for");
  }
}

std::vector<vloop_record> queue::read_all() const {
  std::vector<vloop_record> all;
  std::array<vloop_record, 16> some;
  for (;;) {
    const long got = read(some);
    if (got <= 0) return all;
    all.insert(all.end(), some.begin(), some.begin() + got / static_cast<long>(sizeof(vloop_record)));
  }
}

// ---- a device ----

device::device(device_shape shape) {
  const long fd = control().create(shape);
  if (fd < 0) throw failure("creating a device: " + result_text(fd));
  fd_ = owned_fd(static_cast<int>(fd));
  id_ = shape.arg.id;
}

long device::set_file(std::uint32_t index, int file) const {
  vloop_set_file arg{};
  arg.index = index;
  arg.fd = file;
  return call(fd(), VLOOP_SET_FILE, &arg);
}

vloop_device_info device::info() const {
  vloop_device_info info{};
  equal("GET_DEVICE_INFO", call(fd(), VLOOP_GET_DEVICE_INFO, &info), 0);
  return info;
}

long device::queue_fd(std::uint32_t index, std::uint32_t flags) const {
  vloop_queue_fd arg{};
  arg.index = index;
  arg.flags = flags;
  return call(fd(), VLOOP_QUEUE_FD, &arg);
}

queue device::open_queue(std::uint32_t index, std::uint32_t flags) const {
  const long got = queue_fd(index, flags);
  if (got < 0) throw failure("opening queue " + std::to_string(index) + ": " + result_text(got));
  return queue(owned_fd(static_cast<int>(got)));
}

long device::read(vloop_record& record) const {
  return result_of(::read(fd(), &record, sizeof(record)));
}

vloop_record device::next_event(vloop_event event) const {
  const auto start = clock::now();
  vloop_record record{};
  for (;;) {
    if (clock::now() - start > patience || !readable(fd(), patience))
      throw failure("the device's event " + std::to_string(event) + " did not come");
    const long got = read(record);
    equal("a read of the device", got, sizeof(record));
    if (record.event.event == static_cast<std::uint32_t>(event)) return record;
  }
}

std::string sysfs_folder(std::uint32_t id) {
  return "/sys/class/vloop/vloop" + std::to_string(id);
}

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

std::string entry_of(const std::string& folder, std::string_view prefix) {
  std::string found;
  DIR* entries = ::opendir(folder.c_str());
  if (entries == nullptr) return found;
  while (const dirent* entry = ::readdir(entries)) {
    if (std::string_view(entry->d_name).starts_with(prefix)) found = entry->d_name;
  }
  ::closedir(entries);
  return found;
}

void wait_until_gone(std::uint32_t id, milliseconds limit) {
  within(limit, "the end of vloop" + std::to_string(id), [&] { return !exists(sysfs_folder(id)); });
}

// ---- operations ----

vloop_op op_for(const vloop_record& request, vloop_verb verb, std::uint32_t flags) {
  vloop_op op{};
  op.verb = static_cast<std::uint8_t>(verb);
  op.flags = flags;
  op.head = request.head;
  op.seq = request.seq;
  op.status_error = VIRTIO_BLK_S_IOERR;
  return op;
}

}  // namespace vloop::raw
