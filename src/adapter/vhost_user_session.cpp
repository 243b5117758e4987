// SPDX-License-Identifier: MIT
// Lifetimes: work at a ring refers to this session, which waits for it. Memory of the guest stays mapped while a ring
// that runs has it; a ring is paused before memory is taken from it, so that no request uses what is unmapped.
#include "adapter/vhost_user_session.hpp"

#include <fcntl.h>
#include <linux/virtio_config.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <utility>

#include "adapter/run_on.hpp"
#include "runtime/setup_error.hpp"
#include "vhost_user/front_end_request.hpp"

namespace vloop::adapter {
namespace {

using vhost_user::bit;
using vhost_user::payload_as;
using vhost_user::protocol_feature;
using namespace std::chrono_literals;

// For what a front end has begun to send, and for what it does not take.
constexpr std::chrono::milliseconds rest_max = 5s;

constexpr std::uint64_t our_protocol_features =
    bit(protocol_feature::mq) | bit(protocol_feature::reply_ack) | bit(protocol_feature::backend_req) |
    bit(protocol_feature::config) | bit(protocol_feature::inflight_shmfd) | bit(protocol_feature::reset_device) |
    bit(protocol_feature::configure_mem_slots) | bit(protocol_feature::status);

constexpr std::size_t inflight_alignment = 64;

std::uint64_t virtio_bit(unsigned feature) {
  return std::uint64_t{1} << feature;
}

std::string hexadecimal(std::uint64_t number) {
  std::array<char, 2 + 16 + 1> text{};
  std::snprintf(text.data(), text.size(), "%#llx", static_cast<unsigned long long>(number));
  return text.data();
}

owned_fd new_eventfd() {
  owned_fd fd(::eventfd(0, EFD_CLOEXEC));
  if (!fd) throw setup_error(errno, "cannot make an eventfd", "too many open files: ulimit -n");
  return fd;
}

template <class T>
std::vector<std::byte> bytes_of(const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  return {bytes.begin(), bytes.end()};
}

// Anything else that is read or written as one could wait in ways that no eventfd does, or never.
// io_uring has a thread of the kernel write to an eventfd that may wait, which takes longer than a small request. The
// flag is the front end's too, whose reads should not wait either: other back ends set it as well.
void write_without_waiting(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

bool is_eventfd(int fd) {
  std::array<char, 64> name{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), name.data(), name.size());
  return length < 0 || std::string_view(name.data(), static_cast<std::size_t>(length)) == "anon_inode:[eventfd]";
}

// A question that no file system answers, which could take its time.
bool is_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

// Sealed, so that the front end can keep it and hand it back, but not make it smaller under us.
owned_fd new_log(std::uint64_t bytes) {
  owned_fd fd(::memfd_create("vloop-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    throw setup_error(errno, "GET_INFLIGHT_FD", "there is no memory for it");
  return fd;
}

// ---- at a ring, on its thread ----

task<void> done() {
  co_return;
}

task<void> pause_ring(vhost_user_ring& ring, std::uint16_t& base) {
  const std::uint16_t next = co_await ring.pause();
  base = next;
}

}  // namespace

vhost_user_session::vhost_user_session(owned_fd socket, const std::string& name, spdlog::logger& log, device& served,
                                       const device_description& shown, std::vector<vhost_user_place>& places,
                                       loop& home)
    : name_(name),
      log_(log),
      device_(served),
      shown_(shown),
      places_(places),
      home_(home),
      front_end_(std::move(socket), home, rest_max),
      memory_lost_(new_eventfd()),
      memory_(memory_lost_.get()),
      config_(shown),
      rings_(places.size()) {}

void vhost_user_session::refuse(const message& m, const std::string& why) {
  throw setup_error(EPROTO, to_string(vhost_user::code_of(m)), why);
}

// ---- life ----

task<void> vhost_user_session::run() {
  log_.info("{}: a front end is there", name_);
  task_group watching;
  watching.spawn(watch_memory());
  std::string why;
  try {
    co_await serve();
  } catch (const std::exception& error) {
    why = error.what();
  }
  ending_ = true;
  if (!why_.empty()) why = why_;
  if (why.empty()) {
    log_.info("{}: the front end has gone", name_);
  } else {
    log_.warn("{}: the front end's connection is ended: {}", name_, why);
  }
  front_end_.hang_up();
  if (back_channel_) back_channel_->hang_up();
  co_await close();
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t woken = ::write(memory_lost_.get(), &one, sizeof one);
  co_await watching.join();
  co_await telling_.join();
}

void vhost_user_session::hang_up() {
  ending_ = true;
  front_end_.hang_up();
}

task<void> vhost_user_session::serve() {
  for (;;) {
    std::optional<message> m = co_await front_end_.next();
    if (!m) co_return;
    check_form(*m, protocol_features_);
    co_await handle(*m);
    // However fast they come: others on this loop have their turns in between.
    co_await home_.next_turn();
  }
}

// Whatever ends a session, nothing of the front end's is left: what was taken is finished first.
task<void> vhost_user_session::close() {
  for (std::size_t i = 0; i < rings_.size(); ++i) {
    try {
      const ring_work work = [](vhost_user_ring& ring) { return ring.leave(); };
      co_await at_ring(i, work);
    } catch (const std::exception& error) {
      log_.warn("{}: {}", name_, error.what());
    }
  }
  memory_.clear();
  inflight_.reset();
}

// Its own end wakes it too.
task<void> vhost_user_session::watch_memory() {
  std::uint64_t count = 0;
  operation news = home_.read(memory_lost_.get(), std::as_writable_bytes(std::span(&count, 1)));
  co_await news;
  if (ending_) co_return;
  why_ = "its memory: Bad address (a file of it was made smaller while it was in use)";
  hang_up();
}

// ---- messages ----

task<void> vhost_user_session::handle(message& m) {
  log_.trace("{}: {}", name_, to_string(vhost_user::code_of(m)));
  switch (vhost_user::code_of(m)) {
    case request_code::get_features:
    case request_code::get_protocol_features:
    case request_code::get_queue_num:
    case request_code::get_max_mem_slots:
    case request_code::get_status:
    case request_code::get_vring_base:
    case request_code::get_config:
    case request_code::get_inflight_fd:
      co_await answer(m);
      co_return;
    case request_code::set_owner:
      break;
    case request_code::reset_owner:
      co_await disable_all();
      break;
    case request_code::set_features:
      co_await set_features(m);
      break;
    case request_code::set_protocol_features: {
      const auto wanted = payload_as<std::uint64_t>(m);
      const std::uint64_t beyond = wanted & ~offered_protocol_features();
      if (beyond) refuse(m, hexadecimal(beyond) + " was not offered");
      protocol_features_ = wanted;
      break;
    }
    case request_code::set_mem_table:
      co_await set_memory_table(m);
      break;
    case request_code::add_mem_reg:
      co_await add_memory(m);
      break;
    case request_code::rem_mem_reg:
      co_await remove_memory(m);
      break;
    case request_code::set_vring_num:
    case request_code::set_vring_addr:
    case request_code::set_vring_base:
      co_await set_ring(m);
      break;
    case request_code::set_vring_kick:
    case request_code::set_vring_call:
    case request_code::set_vring_err:
      co_await set_ring_fd(m);
      break;
    case request_code::set_vring_enable:
      co_await enable_ring(m);
      break;
    case request_code::set_config:
      set_config(m);
      break;
    case request_code::set_inflight_fd:
      set_inflight(m);
      break;
    case request_code::set_backend_req_fd:
      co_await set_back_channel(m);
      break;
    case request_code::set_status:
      co_await set_status(m);
      break;
    case request_code::reset_device:
      co_await reset_device();
      break;
    case request_code::set_log_base:
    case request_code::set_log_fd:
      refuse(m, "a log of written memory, which was not offered");
  }
  const bool wants_reply = (m.header.flags & vhost_user::message_header::need_reply) != 0;
  if (wants_reply && has(protocol_feature::reply_ack)) co_await reply_number(m, 0);
}

// What has a reply of its own.
task<void> vhost_user_session::answer(const message& m) {
  switch (vhost_user::code_of(m)) {
    case request_code::get_features:
      co_return co_await reply_number(m, offered());
    case request_code::get_protocol_features:
      co_return co_await reply_number(m, offered_protocol_features());
    case request_code::get_queue_num:
      co_return co_await reply_number(m, rings_.size());
    case request_code::get_max_mem_slots:
      co_return co_await reply_number(m, vhost_user::guest_memory::regions_max);
    case request_code::get_status:
      co_return co_await reply_number(m, status_);
    case request_code::get_vring_base:
      co_return co_await get_ring_base(m);
    case request_code::get_config:
      co_return co_await get_config(m);
    default:
      co_return co_await get_inflight(m);
  }
}

task<void> vhost_user_session::reply(const message& m, std::vector<std::byte> payload, int fd) {
  const vhost_user::message_header header{
      .code = m.header.code,
      .flags = vhost_user::message_header::version | vhost_user::message_header::reply,
      .size = static_cast<std::uint32_t>(payload.size())};
  const std::span<const int> fds = fd < 0 ? std::span<const int>() : std::span<const int>(&fd, 1);
  co_await front_end_.send(header, payload, fds);
}

task<void> vhost_user_session::reply_number(const message& m, std::uint64_t value) {
  std::vector<std::byte> payload = bytes_of(value);
  co_await reply(m, std::move(payload), -1);
}

// ---- the device ----

std::uint64_t vhost_user_session::offered() const {
  return shown_.features | virtio_bit(VIRTIO_F_VERSION_1) | virtio_bit(VIRTIO_RING_F_EVENT_IDX) |
         virtio_bit(VIRTIO_RING_F_INDIRECT_DESC) | vhost_user::has_protocol_features;
}

// Some front ends warn of a configuration that they don't know how to read.
std::uint64_t vhost_user_session::offered_protocol_features() const {
  return config_.size() > 0 ? our_protocol_features : our_protocol_features & ~bit(protocol_feature::config);
}

task<void> vhost_user_session::set_features(const message& m) {
  const auto wanted = payload_as<std::uint64_t>(m);
  if (wanted & ~offered()) refuse(m, hexadecimal(wanted & ~offered()) + " was not offered");
  const bool runs = std::ranges::any_of(rings_, &ring_state::running);
  if (runs && wanted != features_) refuse(m, "other features while a ring is running");
  if (!runs) device_started_ = false;
  features_ = wanted;
  log_.debug("{}: the driver acknowledged features {:#x}", name_, wanted);
  // Without protocol features there is no word for it.
  if (wanted & vhost_user::has_protocol_features) co_return;
  for (std::size_t i = 0; i < rings_.size(); ++i) {
    rings_[i].enabled = true;
    co_await update(i);
  }
}

// Before the first ring runs, when no request is in flight.
void vhost_user_session::start_device() {
  if (std::exchange(device_started_, true)) return;
  log_.info("{}: stage 3: driver is ready with features {:#x}, queues started", name_, *features_);
  device_.start(*features_ & shown_.features);
}

task<void> vhost_user_session::get_config(const message& m) {
  auto head = payload_as<vhost_user::config_head>(m);
  std::vector<std::byte> payload(sizeof head + head.size);
  std::memcpy(payload.data(), &head, sizeof head);
  config_.read(head.offset, std::span(payload).subspan(sizeof head));
  co_await reply(m, std::move(payload), -1);
}

// What cannot be written stays as it is, as on any transport.
void vhost_user_session::set_config(const message& m) {
  const auto head = payload_as<vhost_user::config_head>(m);
  config_.write(head.offset, std::span(m.payload).subspan(sizeof head));
}

task<void> vhost_user_session::set_status(const message& m) {
  const auto wanted = payload_as<std::uint64_t>(m);
  if (wanted > UINT8_MAX) refuse(m, hexadecimal(wanted) + " is no status");
  if (wanted == 0) co_await reset_device();
  status_ = static_cast<std::uint8_t>(wanted);
}

task<void> vhost_user_session::disable_all() {
  for (std::size_t i = 0; i < rings_.size(); ++i) {
    rings_[i].enabled = false;
    co_await update(i);
  }
}

// Memory, the back channel and what was negotiated of the protocol are the connection's, and stay.
task<void> vhost_user_session::reset_device() {
  for (std::size_t i = 0; i < rings_.size(); ++i) {
    const ring_work work = [](vhost_user_ring& ring) { return ring.forget(); };
    co_await at_ring(i, work);
    rings_[i] = ring_state();
  }
  features_.reset();
  status_ = 0;
  device_started_ = false;
  inflight_.reset();
}

// ---- memory ----

task<std::vector<std::size_t>> vhost_user_session::pause_all() {
  std::vector<std::size_t> paused;
  for (std::size_t i = 0; i < rings_.size(); ++i) {
    if (!rings_[i].running) continue;
    co_await pause(i);
    paused.push_back(i);
  }
  co_return paused;
}

task<void> vhost_user_session::go_on(const std::vector<std::size_t>& paused) {
  for (const std::size_t i : paused) co_await start(i);
}

task<void> vhost_user_session::give_memory() {
  for (std::size_t i = 0; i < rings_.size(); ++i) {
    const std::vector<vhost_user::guest_region>& regions = memory_.regions();
    const ring_work work = [&regions](vhost_user_ring& ring) {
      ring.set_memory(regions);
      return done();
    };
    co_await at_ring(i, work);
  }
}

task<void> vhost_user_session::set_memory_table(const message& m) {
  const std::vector<std::size_t> paused = co_await pause_all();
  memory_.clear();
  const char* const what = to_string(vhost_user::code_of(m));
  for (std::size_t i = 0; i < m.fds.size(); ++i) {
    const auto where = payload_as<vhost_user::memory_region>(
        m, vhost_user::memory_table_head_bytes + i * sizeof(vhost_user::memory_region));
    memory_.add(what, where, m.fds[i].get());
  }
  co_await give_memory();
  co_await go_on(paused);
}

task<void> vhost_user_session::add_memory(const message& m) {
  memory_.add(to_string(vhost_user::code_of(m)), payload_as<vhost_user::memory_slot>(m).region, m.fds.front().get());
  for (std::size_t i = 0; i < rings_.size(); ++i) {
    const vhost_user::guest_region& added = memory_.regions().back();
    const ring_work work = [&added](vhost_user_ring& ring) {
      ring.add_memory(added);
      return done();
    };
    co_await at_ring(i, work);
  }
}

// What uses it is finished first. A ring that lies in it cannot go on, and start() says so.
task<void> vhost_user_session::remove_memory(const message& m) {
  const std::vector<std::size_t> paused = co_await pause_all();
  memory_.remove(to_string(vhost_user::code_of(m)), payload_as<vhost_user::memory_slot>(m).region);
  co_await give_memory();
  co_await go_on(paused);
}

// ---- rings ----

std::size_t vhost_user_session::ring_index(const message& m, std::uint32_t index) const {
  if (index >= rings_.size()) refuse(m, "queue " + std::to_string(index) + " of " + std::to_string(rings_.size()));
  return index;
}

task<void> vhost_user_session::at_ring(std::size_t index, const ring_work& work) {
  vhost_user_place& place = places_[index];
  std::function<task<void>(loop&)> do_it = [&place, &work, index](loop&) {
    if (!place.ring) throw setup_error(ENODEV, "queue " + std::to_string(index), "it could not be set up");
    return work(*place.ring);
  };
  co_await run_on(*place.on, home_, std::move(do_it));
}

task<void> vhost_user_session::set_ring(const message& m) {
  const std::size_t i = ring_index(m, payload_as<std::uint32_t>(m));
  ring_state& r = rings_[i];
  if (r.running) refuse(m, "queue " + std::to_string(i) + " is running");
  const auto value = payload_as<vhost_user::vring_state>(m).value;
  switch (vhost_user::code_of(m)) {
    case request_code::set_vring_num:
      if (!std::has_single_bit(value) || value > vhost_user_ring_size_max)
        refuse(m, std::to_string(value) + " entries: not a power of two up to " +
                      std::to_string(vhost_user_ring_size_max));
      r.size = static_cast<std::uint16_t>(value);
      break;
    case request_code::set_vring_base:
      if (value > UINT16_MAX) refuse(m, hexadecimal(value) + " is no index");
      r.base = static_cast<std::uint16_t>(value);
      break;
    default: {
      const auto where = payload_as<vhost_user::vring_address>(m);
      if (where.flags != 0) refuse(m, "flags " + hexadecimal(where.flags) + ": a log was not offered");
      r.where = where;
    }
  }
  co_return;
}

task<void> vhost_user_session::set_ring_fd(message& m) {
  const auto word = payload_as<std::uint64_t>(m);
  const std::size_t i = ring_index(m, static_cast<std::uint32_t>(word & vhost_user::vring_index_mask));
  shared_fd fd;
  if (!m.fds.empty()) {
    if (!is_eventfd(m.fds.front().get())) refuse(m, "its descriptor is no eventfd");
    fd = std::make_shared<const owned_fd>(std::move(m.fds.front()));
  }
  if (vhost_user::code_of(m) == request_code::set_vring_kick) {
    if (rings_[i].running) co_await pause(i);
    rings_[i].kick = fd;
    rings_[i].set_up = true;
    co_await update(i);
    co_return;
  }
  const bool is_call = vhost_user::code_of(m) == request_code::set_vring_call;
  if (is_call && fd) write_without_waiting(fd->get());
  const ring_work work = [&fd, is_call](vhost_user_ring& ring) {
    if (is_call) return ring.set_call(fd);
    ring.set_error(fd);
    return done();
  };
  co_await at_ring(i, work);
}

task<void> vhost_user_session::enable_ring(const message& m) {
  const auto asked = payload_as<vhost_user::vring_state>(m);
  const std::size_t i = ring_index(m, asked.index);
  if (asked.value > 1) refuse(m, std::to_string(asked.value) + " is neither 0 nor 1");
  rings_[i].enabled = asked.value == 1;
  co_await update(i);
}

task<void> vhost_user_session::get_ring_base(const message& m) {
  const std::size_t i = ring_index(m, payload_as<vhost_user::vring_state>(m).index);
  co_await pause(i);
  rings_[i].set_up = false;
  rings_[i].kick.reset();
  std::vector<std::byte> payload =
      bytes_of(vhost_user::vring_state{.index = static_cast<std::uint32_t>(i), .value = rings_[i].base});
  co_await reply(m, std::move(payload), -1);
}

// A ring runs or not, as all that was said of it has it.
task<void> vhost_user_session::update(std::size_t index) {
  const ring_state& r = rings_[index];
  const bool wanted = r.set_up && r.enabled;
  if (wanted && !r.running) co_await start(index);
  if (!wanted && r.running) co_await pause(index);
}

task<void> vhost_user_session::start(std::size_t index) {
  ring_state& r = rings_[index];
  const std::string which = "queue " + std::to_string(index);
  if (!features_) throw setup_error(EPROTO, which, "it is to run before SET_FEATURES");
  if (r.size == 0 || !r.where) throw setup_error(EPROTO, which, "it is to run before SET_VRING_NUM and SET_VRING_ADDR");
  vhost_user_ring_start how;
  try {
    how.ring =
        split_ring::find(memory_.by_user_address(), r.where->descriptors, r.where->available, r.where->used, r.size);
  } catch (const std::system_error& error) {
    throw setup_error(EPROTO, which, error.what());
  }
  how.event_index = (*features_ & virtio_bit(VIRTIO_RING_F_EVENT_IDX)) != 0;
  how.indirect = (*features_ & virtio_bit(VIRTIO_RING_F_INDIRECT_DESC)) != 0;
  how.base = r.base;
  how.kick = r.kick;
  if (inflight_) {
    if (index >= inflight_where_.queues || r.size > inflight_where_.queue_size)
      throw setup_error(EPROTO, which, "the in-flight log has no room for it");
    how.log = inflight_;
    how.log_size = inflight_where_.queue_size;
    how.log_offset = index * inflight_log::bytes(how.log_size);
  }
  start_device();
  const ring_work work = [&how](vhost_user_ring& ring) {
    ring.start(how);
    return done();
  };
  co_await at_ring(index, work);
  r.running = true;
}

task<void> vhost_user_session::pause(std::size_t index) {
  ring_state& r = rings_[index];
  if (!r.running) co_return;
  std::uint16_t base = 0;
  const ring_work work = [&base](vhost_user_ring& ring) { return pause_ring(ring, base); };
  co_await at_ring(index, work);
  r.base = base;
  r.running = false;
}

// ---- the in-flight log ----

task<void> vhost_user_session::get_inflight(const message& m) {
  auto where = payload_as<vhost_user::inflight_description>(m);
  if (where.queues == 0 || where.queues > rings_.size() || where.queue_size == 0 ||
      where.queue_size > vhost_user_ring_size_max)
    refuse(m, std::to_string(where.queues) + " queues of " + std::to_string(where.queue_size));
  where.mmap_size = inflight_log::bytes(where.queue_size) * where.queues;
  where.mmap_offset = 0;
  where.padding = 0;
  const owned_fd fd = new_log(where.mmap_size);
  std::vector<std::byte> payload = bytes_of(where);
  payload.resize(m.payload.size());
  co_await reply(m, std::move(payload), fd.get());
}

void vhost_user_session::set_inflight(const message& m) {
  const auto where = payload_as<vhost_user::inflight_description>(m);
  if (std::ranges::any_of(rings_, &ring_state::running)) refuse(m, "a ring is running");
  if (where.queues == 0 || where.queues > rings_.size() || where.queue_size == 0 ||
      where.queue_size > vhost_user_ring_size_max)
    refuse(m, std::to_string(where.queues) + " queues of " + std::to_string(where.queue_size));
  if (where.mmap_size < inflight_log::bytes(where.queue_size) * where.queues)
    refuse(m, std::to_string(where.mmap_size) + " bytes are too few for " + std::to_string(where.queues) +
                  " queues of " + std::to_string(where.queue_size));
  if (where.mmap_offset % inflight_alignment != 0) refuse(m, "it is not aligned");
  inflight_ = std::make_shared<vhost_user::guarded_memory>(to_string(vhost_user::code_of(m)), m.fds.front().get(),
                                                           where.mmap_offset, where.mmap_size, memory_lost_.get());
  inflight_where_ = where;
}

// ---- the back channel ----

task<void> vhost_user_session::set_back_channel(message& m) {
  if (!is_socket(m.fds.front().get())) refuse(m, "its descriptor is no socket");
  if (back_channel_) back_channel_->hang_up();
  co_await telling_.join();
  back_channel_.emplace(std::move(m.fds.front()), home_, rest_max);
}

void vhost_user_session::config_changed() {
  change_to_tell_ = true;
  if (ending_ || !back_channel_ || telling_.size() > 0) return;
  telling_.spawn(tell_config());
}

// A front end that does not take it reads the configuration when it likes to.
task<void> vhost_user_session::tell_config() {
  while (std::exchange(change_to_tell_, false)) {
    const vhost_user::message_header header{
        .code = static_cast<std::uint32_t>(vhost_user::backend_code::config_changed),
        .flags = vhost_user::message_header::version,
        .size = 0};
    const std::span<const std::byte> nothing;
    const std::span<const int> no_fds;
    try {
      co_await back_channel_->send(header, nothing, no_fds);
    } catch (const std::exception& error) {
      log_.warn("{}: the front end is not told that the configuration has changed: {}", name_, error.what());
    }
  }
}

}  // namespace vloop::adapter
