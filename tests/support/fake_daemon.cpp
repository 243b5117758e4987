// SPDX-License-Identifier: MIT
#include "support/fake_daemon.hpp"

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "vring/chain.hpp"

namespace vloop::test {
namespace {

using vhost_user::message_header;
using vhost_user::protocol_feature;
using namespace std::chrono_literals;

constexpr std::uint64_t bit(unsigned n) {
  return std::uint64_t{1} << n;
}

constexpr std::uint64_t disk_features = bit(VIRTIO_BLK_F_SEG_MAX) | bit(VIRTIO_BLK_F_BLK_SIZE) |
                                        bit(VIRTIO_BLK_F_FLUSH) | bit(VIRTIO_BLK_F_DISCARD) |
                                        bit(VIRTIO_RING_F_EVENT_IDX) | bit(VIRTIO_RING_F_INDIRECT_DESC) |
                                        bit(VIRTIO_F_VERSION_1) | vhost_user::has_protocol_features;
constexpr std::uint64_t protocol_features = vhost_user::bit(protocol_feature::mq) |
                                            vhost_user::bit(protocol_feature::config) |
                                            vhost_user::bit(protocol_feature::reply_ack);

}  // namespace

fake_daemon::fake_daemon(script how) : script_(std::move(how)), disk_(sectors * 512), rings_(script_.queues) {
  static std::atomic<unsigned> number{0};
  path_ = "vloop-fake-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
  ::unlink(path_.c_str());
  listener_ = owned_fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  end_ = owned_fd(::eventfd(0, EFD_CLOEXEC));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path_.begin(), path_.end(), address.sun_path);
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 1) != 0)
    throw std::system_error(errno, std::generic_category(), "fake daemon");
  thread_ = std::thread([this] { run(); });
}

fake_daemon::~fake_daemon() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(end_.get(), &one, sizeof one);
  thread_.join();
  unmap();
  ::unlink(path_.c_str());
}

void fake_daemon::run() {
  for (;;) {
    std::vector<pollfd> waits{{.fd = end_.get(), .events = POLLIN, .revents = 0},
                              {.fd = socket_ ? socket_.get() : listener_.get(), .events = POLLIN, .revents = 0}};
    for (auto& r : rings_) waits.push_back({.fd = r.kick.get(), .events = POLLIN, .revents = 0});
    if (::poll(waits.data(), waits.size(), -1) < 0) continue;
    if (waits[0].revents != 0) return;
    for (std::size_t i = 0; i < rings_.size(); ++i) {
      if ((waits[2 + i].revents & POLLIN) == 0) continue;
      std::uint64_t count;
      [[maybe_unused]] const auto n = ::read(rings_[i].kick.get(), &count, sizeof count);
      if (rings_[i].ring) serve_ring(rings_[i]);
    }
    if (waits[1].revents == 0) continue;
    if (socket_) {
      serve_socket();
    } else if (listener_) {
      ++connections_;
      socket_ = owned_fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
  }
}

void fake_daemon::serve_socket() {
  // The front end's own codec would do, but for a daemon's own ideas of what is right.
  message m;
  std::array<char, CMSG_SPACE(sizeof(int) * 8)> control{};
  iovec piece{.iov_base = &m.header, .iov_len = sizeof m.header};
  msghdr in{};
  in.msg_iov = &piece;
  in.msg_iovlen = 1;
  in.msg_control = control.data();
  in.msg_controllen = control.size();
  if (::recvmsg(socket_.get(), &in, MSG_CMSG_CLOEXEC | MSG_WAITALL) != sizeof m.header) return close_socket();
  for (cmsghdr* part = CMSG_FIRSTHDR(&in); part; part = CMSG_NXTHDR(&in, part)) {
    for (std::size_t i = 0; i < (part->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      m.fds.emplace_back(fd);
    }
  }
  m.payload.resize(m.header.size);
  if (!m.payload.empty() &&
      ::recv(socket_.get(), m.payload.data(), m.payload.size(), MSG_WAITALL) != static_cast<ssize_t>(m.payload.size()))
    return close_socket();
  {
    const std::lock_guard held(lock_);
    seen_.push_back(static_cast<request_code>(m.header.code));
  }
  if (script_.on_message && script_.on_message(*this, m)) return;
  handle(m);
}

// One that is gone touches no ring: the front end makes it anew.
void fake_daemon::close_socket() {
  drop_connection();
  listener_ = owned_fd{};
  // Nobody connects again; the thread waits for its end.
  socket_ = owned_fd(::eventfd(0, EFD_CLOEXEC));
}

void fake_daemon::drop_connection() {
  socket_ = owned_fd{};
  for (auto& r : rings_) r = ring_state{};
  unmap();
  acknowledges_ = false;
  dropped_ = true;
}

std::uint64_t fake_daemon::number_in(const message& m) const {
  std::uint64_t value = 0;
  std::memcpy(&value, m.payload.data(), std::min(sizeof value, m.payload.size()));
  return value;
}

void fake_daemon::handle(message& m) {
  const auto code = static_cast<request_code>(m.header.code);
  switch (code) {
    case request_code::get_features:
      return reply_number(code, (disk_features | script_.features) & ~script_.without_features);
    case request_code::get_protocol_features:
      return reply_number(code, (protocol_features | script_.protocol_features) & ~script_.without_protocol_features);
    case request_code::get_queue_num:
      return reply_number(code, script_.queues);
    case request_code::get_status:
      return reply_number(code, 0xf);
    case request_code::get_config: {
      vhost_user::config_head head;
      std::memcpy(&head, m.payload.data(), sizeof head);
      virtio_blk_config config{};
      config.capacity = capacity_;
      config.seg_max = 126;
      config.blk_size = 512;
      config.num_queues = script_.queues;
      std::vector<std::byte> payload(sizeof head + head.size);
      std::memcpy(payload.data(), &head, sizeof head);
      std::memcpy(payload.data() + sizeof head, &config, std::min<std::size_t>(head.size, sizeof config));
      return reply(code, payload);
    }
    case request_code::set_protocol_features:
      acknowledges_ = (number_in(m) & vhost_user::bit(protocol_feature::reply_ack)) != 0;
      break;
    case request_code::set_features:
      features_set_ = number_in(m);
      break;
    case request_code::set_mem_table: {
      vhost_user::memory_table table;
      std::memcpy(&table, m.payload.data(), sizeof table);
      map(table.region, m.fds.at(0).get());
      break;
    }
    case request_code::get_max_mem_slots:
      return reply_number(code, 32);
    case request_code::add_mem_reg: {
      vhost_user::memory_slot slot;
      std::memcpy(&slot, m.payload.data(), sizeof slot);
      map(slot.region, m.fds.at(0).get());
      break;
    }
    case request_code::get_inflight_fd:
      return get_inflight(m);
    case request_code::set_inflight_fd:
      set_inflight(m);
      break;
    case request_code::get_vring_base:
      return get_base(m);
    case request_code::set_backend_req_fd: {
      const std::lock_guard held(lock_);
      back_ = std::move(m.fds.at(0));
      break;
    }
    default:
      handle_vring(m);
  }
  if (acknowledges_ && m.header.flags & message_header::need_reply) reply_number(code, 0);
}

void fake_daemon::handle_vring(message& m) {
  const auto code = static_cast<request_code>(m.header.code);
  vhost_user::vring_state state;
  const bool of_a_ring = code == request_code::set_vring_num || code == request_code::set_vring_addr ||
                         code == request_code::set_vring_base || code == request_code::set_vring_call ||
                         code == request_code::set_vring_err || code == request_code::set_vring_kick;
  if (!of_a_ring || m.payload.size() < sizeof state) return;
  std::memcpy(&state, m.payload.data(), sizeof state);
  ring_state& r = rings_.at(state.index & 0xff);
  if (code == request_code::set_vring_num) r.size = static_cast<std::uint16_t>(state.value);
  if (code == request_code::set_vring_base) r.base = static_cast<std::uint16_t>(state.value);
  if (code == request_code::set_vring_addr) std::memcpy(&r.address, m.payload.data(), sizeof r.address);
  if (code == request_code::set_vring_call) r.call = std::move(m.fds.at(0));
  if (code == request_code::set_vring_err) r.error = std::move(m.fds.at(0));
  if (code == request_code::set_vring_kick) {
    r.kick = std::move(m.fds.at(0));
    begin(r);
  }
}

void fake_daemon::map(const vhost_user::memory_region& region, int fd) {
  unmap_memory();
  void* const p = ::mmap(nullptr, region.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "fake daemon's mmap");
  mapping_ = {static_cast<std::byte*>(p), region.size};
  guest_ = region.guest_address;
  user_ = region.user_address;
  memory_.add({.address = guest_, .memory = mapping_});
}

void fake_daemon::unmap_memory() {
  memory_ = memory_map{};
  if (!mapping_.empty()) ::munmap(mapping_.data(), mapping_.size());
  mapping_ = {};
}

void fake_daemon::unmap() {
  unmap_memory();
  if (!logs_.empty()) ::munmap(logs_.data(), logs_.size());
  logs_ = {};
}

void fake_daemon::get_inflight(const message& m) {
  vhost_user::inflight_description wanted;
  std::memcpy(&wanted, m.payload.data(), sizeof wanted);
  wanted.mmap_size = inflight_log::bytes(wanted.queue_size) * wanted.queues;
  const owned_fd memory(::memfd_create("vloop fake daemon", MFD_CLOEXEC));
  if (::ftruncate(memory.get(), static_cast<off_t>(wanted.mmap_size)) != 0)
    throw std::system_error(errno, std::generic_category(), "fake daemon's memfd");
  reply_with_fd(request_code::get_inflight_fd, std::as_bytes(std::span(&wanted, 1)), memory.get());
}

void fake_daemon::set_inflight(message& m) {
  vhost_user::inflight_description where;
  std::memcpy(&where, m.payload.data(), sizeof where);
  if (!logs_.empty()) ::munmap(logs_.data(), logs_.size());
  void* const p = ::mmap(nullptr, where.mmap_size, PROT_READ | PROT_WRITE, MAP_SHARED, m.fds.at(0).get(),
                         static_cast<off_t>(where.mmap_offset));
  if (p == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "fake daemon's mmap");
  logs_ = {static_cast<std::byte*>(p), where.mmap_size};
}

void fake_daemon::get_base(const message& m) {
  vhost_user::vring_state state;
  std::memcpy(&state, m.payload.data(), sizeof state);
  ring_state& r = rings_.at(state.index);
  state.value = r.available ? r.available->next() : r.base;
  r = ring_state{};
  reply(request_code::get_vring_base, std::as_bytes(std::span(&state, 1)));
}

void fake_daemon::begin(ring_state& r) {
  const auto guest = [&](std::uint64_t user) { return user - user_ + guest_; };
  r.ring = split_ring::find(memory_, guest(r.address.descriptors), guest(r.address.available), guest(r.address.used),
                            r.size);
  const auto used = std::atomic_ref(r.ring->used->idx).load(std::memory_order_relaxed);
  std::uint16_t next = r.base;
  if (!logs_.empty()) {
    const auto index = static_cast<std::size_t>(&r - rings_.data());
    const std::size_t bytes = inflight_log::bytes(r.size);
    r.log.emplace(logs_.subspan(index * bytes, bytes), r.size);
    auto left = r.log->resume(used);
    r.again = std::move(left.heads);
    next = left.next_available;
  }
  r.available.emplace(r.ring->available, r.size, next);
  r.used.emplace(*r.ring, (features_set_ & bit(VIRTIO_RING_F_EVENT_IDX)) != 0, used);
}

// What the last daemon left comes first.
std::optional<std::uint16_t> fake_daemon::next_head(ring_state& r) {
  if (!r.again.empty()) {
    const std::uint16_t head = r.again.front();
    r.again.erase(r.again.begin());
    return head;
  }
  for (;;) {
    const auto head = r.available->take();
    if (head.error != ring_error::none) throw std::runtime_error(to_string(head.error));
    if (head.some) {
      if (r.log) r.log->take(head.value);
      return head.value;
    }
    r.used->ask_for_kick(r.available->next());
    if (!r.available->has_new()) return std::nullopt;
  }
}

fake_daemon::taken fake_daemon::take(ring_state& r, std::uint16_t head) {
  std::array<segment, 300> segments;
  chain parts;
  const auto error = walk_chain(*r.ring, head, memory_, false, segments, parts);
  if (error != ring_error::none) throw std::runtime_error(to_string(error));
  taken t{.daemon = *this,
          .ring = *r.ring,
          .used = *r.used,
          .log = r.log ? &*r.log : nullptr,
          .head = head,
          .header = {},
          .readable = {},
          .writable = {}};
  for (std::uint32_t i = 0; i < parts.readable_segments + parts.writable_segments; ++i)
    (i < parts.readable_segments ? t.readable : t.writable)
        .emplace_back(static_cast<std::byte*>(segments[i].base), segments[i].length);
  if (!t.readable.empty()) t.header = t.readable.front();
  return t;
}

void fake_daemon::taken::give_back(std::uint32_t written) {
  if (log) log->giving_back(head);
  used.push(head, written);
  if (log) log->gave_back(used.next());
}

void fake_daemon::serve_ring(ring_state& r) {
  bool any = false;
  dropped_ = false;
  while (const auto head = next_head(r)) {
    taken t = take(r, *head);
    const bool dealt_with = script_.on_request && script_.on_request(t);
    if (dropped_) return;
    if (dealt_with) continue;
    serve_blk(t);
    any = true;
  }
  std::uint64_t one = 1;
  if (any && r.used->notification_wanted()) {
    [[maybe_unused]] const auto n = ::write(r.call.get(), &one, sizeof one);
  }
}

// Header alone in the first buffer, status alone in the last: as some daemons insist on.
void fake_daemon::serve_blk(taken& t) {
  const std::lock_guard held(lock_);
  virtio_blk_outhdr header;
  std::uint32_t written = 1;
  std::uint8_t status = VIRTIO_BLK_S_OK;
  if (t.header.size() != sizeof header || t.writable.empty() || t.writable.back().size() != 1)
    throw std::runtime_error("the fake daemon got a request that is not laid out as a disk's");
  std::memcpy(&header, t.header.data(), sizeof header);
  std::size_t at = header.sector * 512;
  const auto fits = [&](std::size_t bytes) { return at + bytes <= disk_.size(); };
  if (header.type == VIRTIO_BLK_T_OUT) {
    for (std::size_t i = 1; i < t.readable.size() && fits(t.readable[i].size()); ++i) {
      std::copy(t.readable[i].begin(), t.readable[i].end(), disk_.begin() + static_cast<std::ptrdiff_t>(at));
      at += t.readable[i].size();
    }
  } else if (header.type == VIRTIO_BLK_T_IN) {
    for (std::size_t i = 0; i + 1 < t.writable.size(); ++i) {
      if (!fits(t.writable[i].size())) {
        status = VIRTIO_BLK_S_IOERR;
        break;
      }
      std::copy_n(disk_.begin() + static_cast<std::ptrdiff_t>(at), t.writable[i].size(), t.writable[i].begin());
      at += t.writable[i].size();
      written += static_cast<std::uint32_t>(t.writable[i].size());
    }
  } else if (header.type != VIRTIO_BLK_T_FLUSH) {
    status = VIRTIO_BLK_S_UNSUPP;
  }
  t.writable.back()[0] = std::byte{status};
  t.give_back(written);
}

void fake_daemon::send_raw(int socket, std::span<const std::byte> bytes, std::size_t fds, int fd) {
  std::array<char, CMSG_SPACE(sizeof(int) * 64)> control{};
  std::vector<std::byte> copy(bytes.begin(), bytes.end());
  iovec piece{.iov_base = copy.data(), .iov_len = copy.size()};
  msghdr out{};
  out.msg_iov = &piece;
  out.msg_iovlen = 1;
  if (fds > 0) {
    out.msg_control = control.data();
    out.msg_controllen = CMSG_SPACE(sizeof(int) * fds);
    cmsghdr* const part = CMSG_FIRSTHDR(&out);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int) * fds);
    for (std::size_t i = 0; i < fds; ++i) std::memcpy(CMSG_DATA(part) + i * sizeof fd, &fd, sizeof fd);
  }
  [[maybe_unused]] const auto n = ::sendmsg(socket, &out, MSG_NOSIGNAL);
}

int fake_daemon::back_channel() {
  const std::lock_guard held(lock_);
  return back_.get();
}

void fake_daemon::ask_back_raw(std::span<const std::byte> bytes) {
  send_raw(back_channel(), bytes, 0);
}

void fake_daemon::ask_back(std::uint32_t code, std::uint32_t flags, std::span<const std::byte> payload,
                           std::size_t fds) {
  const message_header header{.code = code, .flags = flags, .size = static_cast<std::uint32_t>(payload.size())};
  std::vector<std::byte> bytes(sizeof header + payload.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  std::copy(payload.begin(), payload.end(), bytes.begin() + sizeof header);
  send_raw(back_channel(), bytes, fds);
}

void fake_daemon::close_back_channel() {
  const std::lock_guard held(lock_);
  back_ = owned_fd{};
}

std::vector<std::byte> fake_daemon::back_reply() {
  pollfd wait{.fd = back_channel(), .events = POLLIN, .revents = 0};
  if (::poll(&wait, 1, 1000) != 1) return {};
  std::vector<std::byte> bytes(256);
  const ssize_t got = ::recv(wait.fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

void fake_daemon::reply_with_fd(request_code code, std::span<const std::byte> payload, int fd) {
  const message_header header{.code = static_cast<std::uint32_t>(code),
                              .flags = message_header::version | message_header::reply,
                              .size = static_cast<std::uint32_t>(payload.size())};
  std::vector<std::byte> bytes(sizeof header + payload.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  std::copy(payload.begin(), payload.end(), bytes.begin() + sizeof header);
  send_raw(socket_.get(), bytes, 1, fd);
}

void fake_daemon::reply(request_code code, std::span<const std::byte> payload, std::size_t fds, std::uint32_t flags) {
  const message_header header{
      .code = static_cast<std::uint32_t>(code), .flags = flags, .size = static_cast<std::uint32_t>(payload.size())};
  std::vector<std::byte> bytes(sizeof header + payload.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  std::copy(payload.begin(), payload.end(), bytes.begin() + sizeof header);
  send_raw(bytes, fds);
}

void fake_daemon::interrupt(std::size_t queue) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(rings_[queue].call.get(), &one, sizeof one);
}

void fake_daemon::report_error(std::size_t queue) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(rings_[queue].error.get(), &one, sizeof one);
}

std::vector<std::byte> fake_daemon::disk() {
  const std::lock_guard held(lock_);
  return disk_;
}

std::vector<fake_daemon::request_code> fake_daemon::seen() {
  const std::lock_guard held(lock_);
  return seen_;
}

}  // namespace vloop::test
