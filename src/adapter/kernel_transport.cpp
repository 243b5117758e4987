// SPDX-License-Identifier: MIT
// The only file that knows the module's ABI.
#include "adapter/kernel_transport.hpp"

#include "adapter/device_shape.hpp"
#include "adapter/stored_description.hpp"
#include "adapter/window_mover.hpp"
#include "runtime/event.hpp"
#include "runtime/setup_error.hpp"
#include "vring/split_ring.hpp"

#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/vloop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace vloop {

namespace {

constexpr const char* control_path = "/dev/vloop";
constexpr std::size_t page_bytes_min = 4096;
constexpr std::size_t records_max = 64;  // of one read
constexpr unsigned retries_max = 1000;   // of a write for which there was no memory

static_assert(sizeof(vloop_record::data) == fetched::inline_capacity);
static_assert(description_bytes_max == VLOOP_DESCRIPTION_MAX);
static_assert(take_over_wait_max.count() == VLOOP_WAIT_MS_MAX);

std::string how_to_get_access(int error) {
  if (error == ENOENT || error == ENODEV || error == ENXIO) return "load the module: modprobe vloop";
  if (error == EACCES || error == EPERM) return "run as root, or as a user that may open it";
  return {};
}

constexpr const char* window_needs =
    "access=window shows this process the kernel's memory: it needs CAP_SYS_RAWIO, and a kernel that is not locked "
    "down";

std::string why_not_created(int error, bool in_place) {
  if (error == EPERM && in_place) return window_needs;
  if (error == EPERM) return "the module does not know this class of device; see its parameter unsafe_ids";
  if (error == EINVAL) return "it says something of itself that a driver must not be told; docs/abi.md lists the rules";
  if (error == ENOMEM) return "rings are locked memory: raise the limit (ulimit -l), or take smaller or fewer queues";
  return {};
}

std::string why_not_attached(int error, bool in_place) {
  if (error == EPERM && in_place)
    return std::string("only root and the user who created it may serve it; ") + window_needs;
  if (error == ENODEV || error == ENOENT) return "'vloop list' shows the devices there are";
  if (error == EPERM || error == EACCES) return "only root and the user who created it may serve it";
  if (error == EINVAL) return "it is not recoverable: its server was started without --recoverable";
  if (error == EBUSY) return "it is served; --take-over asks its server to hand it over";
  if (error == ETIMEDOUT) return "its server did not hand it over and goes on; to end that one, kill it";
  return {};
}

std::string why_not_stopped(int error) {
  if (error == ENODEV || error == ENOENT) return "'vloop list' shows the devices there are";
  if (error == EPERM || error == EACCES) return "only root and the user who created it may stop it";
  return {};
}

std::uint32_t to_exit_policy(exit_policy policy) {
  switch (policy) {
    case exit_policy::fail:
      return VLOOP_EXIT_FAIL;
    case exit_policy::queue:
      return VLOOP_EXIT_QUEUE;
    case exit_policy::reissue:
      return VLOOP_EXIT_REISSUE;
    case exit_policy::fail_fast:
      return VLOOP_EXIT_FAIL_FAST;
  }
  return VLOOP_EXIT_FAIL;
}

std::string device_name(std::uint32_t id) {
  return "vloop" + std::to_string(id);
}

owned_fd open_control() {
  owned_fd fd(::open(control_path, O_RDWR | O_CLOEXEC));
  if (!fd) throw setup_error(errno, std::string("cannot open ") + control_path, how_to_get_access(errno));
  vloop_info info{};
  if (::ioctl(fd.get(), VLOOP_GET_INFO, &info) != 0)
    throw setup_error(errno, std::string(control_path) + " does not answer", "is it the vloop module's?");
  if (info.abi_version != VLOOP_ABI_VERSION)
    throw setup_error(EPROTO,
                      "the loaded module speaks ABI " + std::to_string(info.abi_version) + ", this program " +
                          std::to_string(VLOOP_ABI_VERSION),
                      "load the module that belongs to this version");
  return fd;
}

struct opened_queues {
  std::vector<owned_fd> fds;
  std::vector<std::uint16_t> sizes;
};

std::size_t queue_count_of(int device, std::uint32_t id) {
  vloop_device_info info{};
  if (::ioctl(device, VLOOP_GET_DEVICE_INFO, &info) != 0)
    throw setup_error(errno, "cannot ask what " + device_name(id) + " is");
  return info.num_queues;
}

// All of them before the device starts: a queue that cannot be opened then would leave its driver waiting.
opened_queues open_queues(int device, std::size_t count) {
  opened_queues queues;
  for (std::size_t i = 0; i < count; ++i) {
    vloop_queue_fd arg{};
    arg.index = static_cast<std::uint32_t>(i);
    arg.flags = VLOOP_QUEUE_NOWAIT;
    queues.fds.emplace_back(::ioctl(device, VLOOP_QUEUE_FD, &arg));
    if (!queues.fds.back())
      throw setup_error(errno, "the module refused to open queue " + std::to_string(i),
                        errno == EMFILE ? "raise the limit of open files: ulimit -n" : "");
    queues.sizes.push_back(static_cast<std::uint16_t>(arg.size));
  }
  return queues;
}

// The whole table: entries of an earlier server must not stay.
void set_files(int device, const device_description& description) {
  for (std::uint32_t i = 0; i < VLOOP_FILES_MAX; ++i) {
    vloop_set_file file{};
    file.index = i;
    file.fd = i < description.files.size() ? description.files[i].fd : -1;
    if (::ioctl(device, VLOOP_SET_FILE, &file) != 0)
      throw setup_error(errno,
                        "the module refused the file of the " + description.kind + " device " + description.label,
                        errno == EBUSY ? "it lies on the very disk that it would be" : "");
  }
}

vloop_queue_config to_config(const queue_description& queue) {
  vloop_queue_config config{};
  config.size = queue.size;
  config.death_policy =
      queue.when_process_dies == queue_description::on_death::reply ? VLOOP_DEATH_REPLY : VLOOP_DEATH_LEAVE;
  config.death_status = queue.death_status;
  return config;
}

std::uint64_t address_of(const void* memory) {
  return reinterpret_cast<std::uintptr_t>(memory);
}

device_shape shape_of(int device, std::uint32_t id, const std::vector<std::uint16_t>& queue_sizes) {
  vloop_device_info info{};
  if (::ioctl(device, VLOOP_GET_DEVICE_INFO, &info) != 0)
    throw setup_error(errno, device_name(id) + " does not answer");
  std::vector<std::byte> bytes(info.config_len);
  vloop_config config{};
  config.data = address_of(bytes.data());
  config.length = info.config_len;
  if (!bytes.empty() && ::ioctl(device, VLOOP_GET_CONFIG, &config) != 0)
    throw setup_error(errno, "cannot read the configuration of " + device_name(id));
  return {.id = info.device_id,
          .features = info.features,
          .queue_count = info.num_queues,
          .in_place = (info.flags & VLOOP_CREATE_WINDOW) != 0,
          .queue_sizes = queue_sizes,
          .config = std::move(bytes)};
}

void set_config(int device, std::uint32_t id, const std::vector<std::byte>& bytes) {
  vloop_config config{};
  config.data = address_of(bytes.data());
  config.length = static_cast<std::uint32_t>(bytes.size());
  if (::ioctl(device, VLOOP_SET_CONFIG, &config) != 0)
    throw setup_error(errno, "the module refused the new configuration of " + device_name(id));
}

std::vector<vloop_config_page> to_pages(const std::vector<config_page>& described) {
  std::vector<vloop_config_page> pages(described.size());
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const config_page& page = described[i];
    assert(page.bytes.size() <= VLOOP_PAGE_DATA_MAX);
    pages[i].select = page.select;
    pages[i].subsel = page.subsel;
    pages[i].size = static_cast<std::uint8_t>(page.bytes.size());
    std::memcpy(pages[i].data, page.bytes.data(), page.bytes.size());
  }
  return pages;
}

std::uint8_t to_verb(verb what) {
  switch (what) {
    case verb::none:
      return VLOOP_VERB_NONE;
    case verb::file_to_request:
      return VLOOP_VERB_FILE_TO_REQUEST;
    case verb::request_to_file:
      return VLOOP_VERB_REQUEST_TO_FILE;
    case verb::copy_to_request:
      return VLOOP_VERB_COPY_TO_REQUEST;
    case verb::copy_from_request:
      return VLOOP_VERB_COPY_FROM_REQUEST;
    case verb::sync:
      return VLOOP_VERB_SYNC_FILE;
  }
  return VLOOP_VERB_NONE;
}

vloop_op to_op(const request_id& id, const transfer& t) {
  vloop_op op{};
  op.verb = to_verb(t.what);
  op.flags = t.dsync ? VLOOP_OP_DSYNC : 0;
  op.head = id.head;
  op.seq = id.seq;
  op.file = static_cast<std::uint16_t>(t.file);
  op.skip = t.skip;
  op.length = t.length;
  op.offset = t.offset;
  op.address = address_of(t.memory);
  return op;
}

void add_answer(vloop_op& op, answer_status status) {
  op.flags |= VLOOP_OP_COMPLETE | VLOOP_OP_DETACH;
  if (!status.present) return;
  op.flags |= VLOOP_OP_STATUS;
  op.status_ok = status.ok;
  op.status_error = status.error;
}

// The same request answered with nothing moved: what is left when the operation itself was refused.
vloop_op as_failure(const vloop_op& refused) {
  vloop_op op{};
  op.verb = VLOOP_VERB_NONE;
  op.flags = refused.flags & ~static_cast<std::uint32_t>(VLOOP_OP_DSYNC);
  op.head = refused.head;
  op.seq = refused.seq;
  op.status_ok = refused.status_error;
  op.status_error = refused.status_error;
  return op;
}

std::size_t whole_pages(std::size_t bytes) {
  const auto page = std::max<std::size_t>(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)), page_bytes_min);
  return (bytes + page - 1) / page * page;
}

// What a queue descriptor shows at that offset.
class mapped_memory {
 public:
  mapped_memory(int fd, std::uint64_t offset, std::size_t bytes, int protection = PROT_READ)
      : bytes_(whole_pages(bytes)),
        memory_(::mmap(nullptr, bytes_, protection, MAP_SHARED, fd, static_cast<off_t>(offset))) {
    if (memory_ == MAP_FAILED)
      throw setup_error(errno, "cannot map memory of the queue", errno == EPERM ? window_needs : "");
  }
  mapped_memory(const mapped_memory&) = delete;
  mapped_memory& operator=(const mapped_memory&) = delete;
  ~mapped_memory() { ::munmap(memory_, bytes_); }

  void* address() const { return memory_; }
  std::span<std::byte> bytes() const { return {static_cast<std::byte*>(memory_), bytes_}; }

 private:
  std::size_t bytes_;
  void* memory_;
};

// A page of it, read-only for good.
template <class T>
class mapped_page {
 public:
  mapped_page(int fd, std::uint64_t offset) : memory_(fd, offset, sizeof(T)) {}

  // The module writes it while we read.
  const volatile T* operator->() const { return static_cast<const volatile T*>(memory_.address()); }

 private:
  mapped_memory memory_;
};

// Requests' memory, and who moves data in it.
class window {
 public:
  window(const kernel_device& device, std::uint16_t index, loop& io, adapter::window_mover::receiver& told)
      : size_(device.queue_sizes().at(index)),
        descriptors_(device.queue_fd(index), VLOOP_MMAP_DESCS, split_ring::descriptors_bytes(size_)),
        memory_(device.queue_fd(index), VLOOP_MMAP_WINDOW, std::size_t{size_} * VLOOP_WINDOW_SLICE,
                PROT_READ | PROT_WRITE),
        mover_(io,
               {.descriptors = static_cast<const vring_desc*>(descriptors_.address()),
                .memory = memory_.bytes(),
                .size = size_},
               device.files(), told) {}

  adapter::window_mover& mover() { return mover_; }
  const adapter::window_mover& mover() const { return mover_; }

 private:
  std::uint16_t size_;
  mapped_memory descriptors_;
  mapped_memory memory_;
  adapter::window_mover mover_;
};

// Operations that gather until the next write, and the bytes that their copies take along.
class op_batch {
 public:
  explicit op_batch(std::size_t ops_max) {
    ops_.reserve(ops_max);
    bytes_.reserve(page_bytes_min);
  }

  bool empty() const { return first_ == ops_.size(); }
  void add(const vloop_op& op) { ops_.push_back(op); }

  // A copy whose memory is taken along now; its address is known only when the batch leaves.
  void add_with_bytes(vloop_op op) {
    const auto* from = reinterpret_cast<const std::byte*>(static_cast<std::uintptr_t>(op.address));
    op.address = bytes_.size();
    op.reserved[0] = 1;
    bytes_.insert(bytes_.end(), from, from + op.length);
    ops_.push_back(op);
  }

  // What to write: the operations that have not begun yet.
  std::span<const vloop_op> seal() {
    for (auto& op : std::span(ops_).subspan(first_)) {
      if (std::exchange(op.reserved[0], 0) != 0) op.address = address_of(bytes_.data() + op.address);
    }
    return std::span(ops_).subspan(first_);
  }

  void drop(std::size_t begun) { first_ += begun; }
  vloop_op& front() { return ops_[first_]; }
  void clear() {
    ops_.clear();
    bytes_.clear();
    first_ = 0;
  }

 private:
  std::vector<vloop_op> ops_;
  std::vector<std::byte> bytes_;
  std::size_t first_ = 0;
};

}  // namespace

// ---- control plane ----

kernel_transport::kernel_transport() : control_(open_control()) {}

std::string kernel_transport::description() {
  utsname kernel{};
  ::uname(&kernel);
  return std::string{"Linux "} + kernel.release + ", module ABI " + std::to_string(VLOOP_ABI_VERSION) +
         ", door: read/write, available ring mapped";
}

std::unique_ptr<kernel_device> kernel_transport::create(const device_description& description,
                                                        const recovery_terms& terms, const std::string& stored) const {
  std::vector<vloop_queue_config> configs;
  for (const auto& queue : description.queues) configs.push_back(to_config(queue));
  vloop_create arg{};
  arg.device_id = description.id;
  arg.features =
      description.features | (std::uint64_t{1} << VIRTIO_F_VERSION_1) | (std::uint64_t{1} << VIRTIO_RING_F_EVENT_IDX);
  arg.queues = address_of(configs.data());
  arg.num_queues = static_cast<std::uint32_t>(configs.size());
  arg.config = address_of(description.config.data());
  arg.config_len = static_cast<std::uint32_t>(description.config.size());
  const auto pages = to_pages(description.pages);
  arg.pages = address_of(pages.data());
  arg.num_pages = static_cast<std::uint32_t>(pages.size());
  arg.flags = description.in_place ? VLOOP_CREATE_WINDOW : 0;
  arg.on_exit = to_exit_policy(terms.on_exit);
  arg.grace_ms = static_cast<std::uint32_t>(terms.grace.count());
  arg.description = address_of(stored.data());
  arg.description_len = static_cast<std::uint32_t>(stored.size());

  owned_fd fd(::ioctl(control_.get(), VLOOP_CREATE, &arg));
  if (!fd)
    throw setup_error(errno, "the module refused to create the " + description.kind + " device " + description.label,
                      why_not_created(errno, description.in_place));
  set_files(fd.get(), description);
  auto queues = open_queues(fd.get(), configs.size());
  return std::make_unique<kernel_device>(std::move(fd), std::move(queues.fds), arg.id, std::move(queues.sizes),
                                         description);
}

// If what follows the call throws, closing the descriptor leaves the device as deserted as it was.
std::unique_ptr<kernel_device> kernel_transport::attach(std::uint32_t id, const device_description& description,
                                                        const std::optional<take_over>& wanted) const {
  vloop_attach arg{};
  arg.id = id;
  if (wanted) {
    arg.flags = VLOOP_ATTACH_TAKE_OVER;
    arg.timeout_ms = static_cast<std::uint32_t>(wanted->timeout.count());
  }
  owned_fd fd(::ioctl(control_.get(), VLOOP_ATTACH, &arg));
  if (!fd) throw setup_error(errno, "cannot recover " + device_name(id), why_not_attached(errno, description.in_place));
  auto queues = open_queues(fd.get(), queue_count_of(fd.get(), id));
  const device_shape there = shape_of(fd.get(), id, queues.sizes);
  if (const auto why = misfit(there, description); !why.empty())
    throw setup_error(EINVAL, "cannot serve " + device_name(id) + " with " + description.kind + " " + description.label,
                      why);
  set_files(fd.get(), description);
  if (*there.config != description.config) set_config(fd.get(), id, description.config);
  return std::make_unique<kernel_device>(std::move(fd), std::move(queues.fds), id, std::move(queues.sizes),
                                         description);
}

void kernel_transport::stop(std::uint32_t id, bool force) const {
  vloop_stop arg{};
  arg.id = id;
  arg.flags = force ? VLOOP_STOP_FORCE : 0;
  if (::ioctl(control_.get(), VLOOP_STOP, &arg) != 0)
    throw setup_error(errno, "cannot stop " + device_name(id), why_not_stopped(errno));
}

kernel_device::kernel_device(owned_fd device, std::vector<owned_fd> queues, std::uint32_t id,
                             std::vector<std::uint16_t> queue_sizes, const device_description& served)
    : device_(std::move(device)),
      queues_(std::move(queues)),
      id_(id),
      queue_sizes_(std::move(queue_sizes)),
      in_place_(served.in_place),
      files_(served.files) {
  // Whoever waits for events asks for readiness first.
  ::fcntl(device_.get(), F_SETFL, ::fcntl(device_.get(), F_GETFL) | O_NONBLOCK);
}

void kernel_device::start() {
  if (::ioctl(device_.get(), VLOOP_START) != 0) throw setup_error(errno, "the module refused to start a device");
}

void kernel_device::remove() {
  if (device_) ::ioctl(device_.get(), VLOOP_REMOVE);  // cannot fail on a device descriptor
}

void kernel_device::detach() {
  if (::ioctl(device_.get(), VLOOP_DETACH) != 0) throw setup_error(errno, "cannot hand " + device_name(id_) + " over");
  device_ = owned_fd{};
  queues_.clear();
}

void kernel_device::close() {
  device_ = owned_fd{};
}

void kernel_device::set_config(const std::vector<std::byte>& bytes) {
  try {
    if (device_) vloop::set_config(device_.get(), id_, bytes);
  } catch (const std::system_error& error) {
    if (error.code().value() != ENODEV) throw;
  }
}

std::optional<device_event> kernel_device::next_event() {
  if (!device_ || gone_ || taken_away_) return std::nullopt;
  vloop_record record{};
  const ssize_t bytes = ::read(device_.get(), &record, sizeof record);
  if (bytes == 0 || (bytes < 0 && errno == ENODEV)) {
    taken_away_ = true;
    return device_event::taken_away;
  }
  if (bytes != sizeof record) return std::nullopt;
  switch (record.event.event) {
    case VLOOP_EVENT_HAND_OVER:
      return device_event::hand_over;
    case VLOOP_EVENT_STOP:
      return device_event::stop;
    case VLOOP_EVENT_GONE:
      gone_ = true;
      error_ = static_cast<int>(record.event.arg);
      return device_event::progress;
    default:
      return device_event::progress;
  }
}

driver_progress kernel_device::progress() const {
  driver_progress now;
  now.gone = gone_ || taken_away_ || !device_;
  now.error = error_;
  vloop_device_info info{};
  if (!device_ || ::ioctl(device_.get(), VLOOP_GET_DEVICE_INFO, &info) != 0) return now;
  now.registered = info.virtio_index >= 0;
  now.virtio_index = info.virtio_index;
  now.status = static_cast<std::uint8_t>(info.driver_status);
  now.features = info.driver_features;
  return now;
}

// ---- data path ----

class kernel_queue::port final : public queue_port,
                                 public turn_hook,
                                 public idle_probe,
                                 public adapter::window_mover::receiver {
 public:
  port(const kernel_device& device, std::uint16_t index, loop& io)
      : io_(io),
        fd_(device.queue_fd(index)),
        file_(io.register_file(device.queue_fd(index))),
        available_(device.queue_fd(index), VLOOP_MMAP_AVAIL),
        statistics_(device.queue_fd(index), VLOOP_MMAP_STATS),
        requests_(index, device.queue_sizes().at(index), *this),
        filling_(requests_.size()),
        leaving_(requests_.size()) {
    if (device.in_place()) window_.emplace(device, index, io, *this);
    awaited_.reserve(requests_.size());
    io.add_hook(*this);
    io.add_probe(*this);
  }

  queue& requests() { return requests_; }

  void run(const request_id& id, const transfer& t, transfer_waiter& waiter) override {
    if (abandoned_) return waiter.done(-ECANCELED);
    vloop_op op = to_op(id, t);
    op.user_data = address_of(&waiter);
    awaited_.push_back(&waiter);
    filling_.add(op);  // a copy's memory stays valid until the waiter is told
  }

  void answer(const request_id& id, const transfer& t, answer_status status) override {
    if (abandoned_) return;  // it may say what a transfer that was cancelled would not have said
    if (window_ && window_->mover().can_move(id, t)) return window_->mover().move(id, t, status);
    vloop_op op = to_op(id, t);
    add_answer(op, status);
    if (t.what == verb::copy_to_request && t.length > 0)
      filling_.add_with_bytes(op);
    else
      filling_.add(op);
  }

  void moved(const request_id& id, const transfer& t, answer_status status, std::int32_t result) noexcept override;

  // Only requests show in the mapped page; everything else has to be asked for.
  void at_turn_end() noexcept override {
    flush();
    if (!set_up_ || !awaited_.empty()) read();
  }

  // The mapped page tells whether a read would find a request. So none is in flight while the loop looks, which also
  // keeps the driver from kicking; before the loop sleeps one is, and the driver's kick completes it.
  bool ready() noexcept override { return !reading_.in_flight() && !over_ && available_index() != fetched_; }
  void on_ready() noexcept override { read_now(); }
  void before_sleep() noexcept override { read(); }

  task<void> pump(std::function<void(std::uint64_t)> on_ready);
  void cancel();
  bool idle() const {
    return !reading_.in_flight() && !writing_.in_flight() && !cancelling_.in_flight() && filling_.empty() &&
           leaving_.empty() && !moving();
  }
  queue_statistics statistics() const;

 private:
  std::uint16_t available_index() const {
    auto& index = const_cast<std::uint16_t&>(available_->idx);
    return std::atomic_ref(index).load(std::memory_order_acquire);
  }

  bool moving() const { return window_ && !window_->mover().idle(); }
  void end(int error);
  void abandon();
  void tell(std::uint64_t waiter, std::int32_t result);
  void read();
  void read_now();
  void have_read(std::int32_t result);
  void handle(const vloop_record& record);
  void handle_event(const vloop_record& record);

  // Operations leave by a plain write(): it only begins them, so there is nothing to wait for, and the way through the
  // ring would be the larger part of its cost. What it did not take goes through the ring, which tells why in its turn:
  // one write at a time, and what comes meanwhile gathers in the other batch.
  void flush() {
    if (writing_.in_flight() || filling_.empty()) return;
    std::swap(filling_, leaving_);
    const auto ops = leaving_.seal();
    const ssize_t bytes = ::write(fd_, ops.data(), ops.size_bytes());
    if (bytes > 0) leaving_.drop(static_cast<std::size_t>(bytes) / sizeof(vloop_op));
    if (leaving_.empty()) {
      leaving_.clear();
    } else {
      write();
    }
  }
  void write() {
    io_.prepare(writing_, [this](io_uring_sqe& entry) {
      const auto ops = leaving_.seal();
      io_uring_prep_write(&entry, file_.index(), ops.data(), static_cast<unsigned>(ops.size_bytes()), ~0ULL);
      entry.flags |= IOSQE_FIXED_FILE;
    });
  }
  void wrote(std::int32_t result) noexcept;
  void refused(vloop_op& op, std::int32_t error) noexcept;

  loop& io_;
  int fd_;  // the device's, which outlives its queues
  fixed_file file_;
  mapped_page<vring_avail> available_;
  mapped_page<vloop_queue_stats> statistics_;
  queue requests_;
  std::optional<window> window_;
  std::uint64_t moved_in_place_ = 0;                 // bytes
  std::uint64_t failed_in_place_ = 0;                // transfers
  event* none_moving_ = nullptr;                     // lies in the frame that waits
  op_batch filling_;                                 // by the coroutines
  op_batch leaving_;                                 // the kernel reads it while writing_
  std::array<vloop_record, records_max> records_{};  // the kernel fills it while reading_
  std::function<void(std::uint64_t)> on_ready_;

  std::uint16_t fetched_ = 0;              // requests since the queue was set up, by whomever: where we are in the ring
  bool set_up_ = false;                    // by a driver, at least once
  std::vector<transfer_waiter*> awaited_;  // whose DONE record is to come
  unsigned retries_ = 0;                   // of a write that the ring itself refused
  bool ending_ = false;                    // cancel() was called
  bool over_ = false;                      // nothing is read any more
  bool abandoned_ = false;                 // nothing is written any more
  int error_ = 0;                          // what ended it, if it was not the device's end
  event ended_;

  struct reading final : completion {
    explicit reading(port& owner) : completion(&told), owner_(owner) {}
    static void told(completion& done) noexcept { static_cast<reading&>(done).owner_.have_read(done.result()); }
    port& owner_;
  } reading_{*this};
  struct writing final : completion {
    explicit writing(port& owner) : completion(&told), owner_(owner) {}
    static void told(completion& done) noexcept { static_cast<writing&>(done).owner_.wrote(done.result()); }
    port& owner_;
  } writing_{*this};
  struct cancelling final : completion {
    cancelling() : completion([](completion&) noexcept {}) {}
  } cancelling_;
};

task<void> kernel_queue::port::pump(std::function<void(std::uint64_t)> on_ready) {
  on_ready_ = std::move(on_ready);
  co_await ended_.wait();
  requests_.reset();  // what the device did not take yet is void, or the next server's
  requests_.stop();
  while (!filling_.empty() || writing_.in_flight() || moving()) {
    event none_moving;
    if (moving()) {
      none_moving_ = &none_moving;
      co_await none_moving.wait();
    }
    co_await io_.next_turn();
  }
  abandon();
  if (error_ != 0) throw setup_error(error_, "the module's queue descriptor failed");
}

void kernel_queue::port::end(int error) {
  if (std::exchange(over_, true)) return;
  error_ = error;
  ended_.set();
}

// Nobody reads DONE records any more: who waits for one would do so for ever.
void kernel_queue::port::abandon() {
  abandoned_ = true;
  for (transfer_waiter* const waiter : std::exchange(awaited_, {})) waiter->done(-ECANCELED);
}

// Its result for a waiter that still waits.
void kernel_queue::port::tell(std::uint64_t waiter, std::int32_t result) {
  const auto found = std::find_if(awaited_.begin(), awaited_.end(),
                                  [waiter](const transfer_waiter* one) { return address_of(one) == waiter; });
  if (found == awaited_.end()) return;
  transfer_waiter* const one = *found;
  *found = awaited_.back();
  awaited_.pop_back();
  one->done(result);
}

void kernel_queue::port::read() {
  if (reading_.in_flight() || over_) return;
  io_.prepare(reading_, [this](io_uring_sqe& entry) {
    io_uring_prep_read(&entry, file_.index(), records_.data(), sizeof records_, ~0ULL);
    entry.flags |= IOSQE_FIXED_FILE;
  });
}

// The page showed a request. Should it be gone by now (a reset), there is nothing to read, and nothing is waited for.
void kernel_queue::port::read_now() {
  const ssize_t bytes = ::read(fd_, records_.data(), sizeof records_);
  if (bytes > 0) {
    have_read(static_cast<std::int32_t>(bytes));
  } else {
    read();
  }
}

void kernel_queue::port::have_read(std::int32_t bytes) {
  for (std::int32_t i = 0; i < bytes / static_cast<std::int32_t>(sizeof(vloop_record)); ++i)
    handle(records_[static_cast<std::size_t>(i)]);
  const bool gone = bytes == 0 || bytes == -ENODEV;  // the device, or our part in it
  if (gone || ending_) return end(0);
  if (bytes < 0 && bytes != -EINTR && bytes != -EAGAIN) end(-bytes);
}

void kernel_queue::port::cancel() {
  if (over_ || std::exchange(ending_, true)) return;
  if (!reading_.in_flight()) return end(0);
  io_.prepare(cancelling_, [this](io_uring_sqe& entry) { io_uring_prep_cancel64(&entry, address_of(&reading_), 0); });
}

void kernel_queue::port::handle(const vloop_record& record) {
  switch (record.type) {
    case VLOOP_RECORD_REQUEST: {
      if (ending_) break;  // the next server's
      if (!(record.user_data & VLOOP_REQUEST_AGAIN)) ++fetched_;
      fetched what;
      what.id = {record.head, record.seq};
      what.readable = record.readable;
      what.writable = record.writable;
      what.inline_size = static_cast<std::uint8_t>(std::min<std::size_t>(record.readable, fetched::inline_capacity));
      std::memcpy(what.inline_bytes.data(), record.data, fetched::inline_capacity);
      if (window_) window_->mover().taken(what.id);
      requests_.deliver(what);
      break;
    }
    case VLOOP_RECORD_DONE:
      tell(record.user_data, static_cast<std::int32_t>(record.done.result));
      break;
    case VLOOP_RECORD_EVENT:
      handle_event(record);
      break;
    default:
      break;  // a later module may tell more than we know
  }
}

// The transfer that an answer goes with was done in place; what is left is to give the request back.
void kernel_queue::port::moved(const request_id& id, const transfer& t, answer_status status,
                               std::int32_t result) noexcept {
  vloop_op op = to_op(id, nothing());
  add_answer(op, status);
  if (result > 0) moved_in_place_ += static_cast<std::uint32_t>(result);
  if (result > 0 && into_request(t.what)) {
    op.verb = VLOOP_VERB_IN_PLACE;
    op.skip = t.skip;
    op.length = static_cast<std::uint32_t>(result);
  }
  if (!succeeded(t, result)) {
    op.status_ok = op.status_error;
    ++failed_in_place_;
  }
  if (!abandoned_) filling_.add(op);
  if (none_moving_ && !moving()) std::exchange(none_moving_, nullptr)->set();
}

void kernel_queue::port::handle_event(const vloop_record& record) {
  if (record.event.event != VLOOP_EVENT_QUEUE_READY) return;  // failures are in the statistics
  requests_.reset();
  fetched_ = static_cast<std::uint16_t>(record.event.extra);
  set_up_ = true;
  on_ready_(record.event.value);
}

void kernel_queue::port::wrote(std::int32_t result) noexcept {
  const bool not_tried = result == -EINTR || result == -EAGAIN || result == -ENOMEM;
  if (result >= 0) {
    leaving_.drop(static_cast<std::size_t>(result) / sizeof(vloop_op));
    retries_ = 0;
  } else if (!not_tried || ++retries_ > retries_max) {
    refused(leaving_.front(), result);
  }
  if (!leaving_.empty()) {
    write();
    return;
  }
  leaving_.clear();
}

// The first operation that is left could not begin. Its request is either not ours any more, or must be answered.
void kernel_queue::port::refused(vloop_op& op, std::int32_t error) noexcept {
  const bool ours = error != -ESTALE && error != -ENODEV && error != -ECANCELED;
  if (op.flags & VLOOP_OP_DETACH) {
    if (ours && op.verb != VLOOP_VERB_NONE) {
      op = as_failure(op);
      return;  // written again as the first of what is left
    }
    leaving_.drop(1);
    if (ours) end(-error);  // a plain answer: the driver would wait for it for ever
    return;
  }
  const std::uint64_t waiter = op.user_data;
  leaving_.drop(1);
  tell(waiter, ours ? error : -ECANCELED);
}

queue_statistics kernel_queue::port::statistics() const {
  queue_statistics now;
  now.taken = statistics_->taken;
  now.completed = statistics_->completed;
  now.kicks = statistics_->kicks;
  now.interrupts = statistics_->interrupts;
  now.deferred = statistics_->deferred;
  now.syncs = statistics_->verb_ops[VLOOP_VERB_SYNC_FILE];
  now.bytes_moved = statistics_->bytes_moved + moved_in_place_;
  now.bytes_copied = statistics_->bytes_copied;
  now.errors = statistics_->errors + failed_in_place_;
  now.in_flight = statistics_->in_flight;
  return now;
}

kernel_queue::kernel_queue(const kernel_device& device, std::uint16_t index, loop& io)
    : port_(std::make_unique<port>(device, index, io)) {}
kernel_queue::~kernel_queue() = default;

queue& kernel_queue::requests() {
  return port_->requests();
}
task<void> kernel_queue::pump(std::function<void(std::uint64_t)> on_ready) {
  return port_->pump(std::move(on_ready));
}
void kernel_queue::cancel() {
  port_->cancel();
}
bool kernel_queue::idle() const {
  return port_->idle();
}
queue_statistics kernel_queue::statistics() const {
  return port_->statistics();
}

}  // namespace vloop
