// SPDX-License-Identifier: MIT
// A vhost-user daemon for tests: a disk of zeros in memory, behind a socket, on a thread of its own. It is honest but
// for what a test lets it do instead, message by message and request by request.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "devices/owned_fd.hpp"
#include "vhost_user/connection.hpp"
#include "vhost_user/message.hpp"
#include "vring/inflight_log.hpp"
#include "vring/memory_map.hpp"
#include "vring/split_ring.hpp"

namespace vloop::test {

class fake_daemon {
 public:
  using request_code = vhost_user::request_code;
  using message = vhost_user::message;

  // One chain that was taken, and what a test may do with it and with the ring.
  struct taken {
    fake_daemon& daemon;
    split_ring& ring;
    used_writer& used;
    inflight_log* log;  // null without INFLIGHT_SHMFD
    std::uint16_t head;
    std::span<std::byte> header;  // as the front end laid it out
    std::vector<std::span<std::byte>> readable;
    std::vector<std::span<std::byte>> writable;

    // As a daemon does that keeps a log, if it does.
    void give_back(std::uint32_t written);
  };

  struct script {
    // True: the message was dealt with here.
    std::function<bool(fake_daemon&, const message&)> on_message{};
    // True: the request was dealt with here.
    std::function<bool(taken&)> on_request{};
    std::uint64_t features = 0;  // besides what a disk of ours has
    std::uint64_t without_features = 0;
    std::uint64_t without_protocol_features = 0;
    std::uint64_t protocol_features = 0;  // besides
    std::uint16_t queues = 1;
  };

  static constexpr std::uint64_t sectors = 4096;

  explicit fake_daemon(script how);
  fake_daemon() : fake_daemon(script{}) {}
  ~fake_daemon();
  fake_daemon(const fake_daemon&) = delete;
  fake_daemon& operator=(const fake_daemon&) = delete;

  const std::string& path() const { return path_; }

  // For scripts, on the daemon's thread.
  void send_raw(std::span<const std::byte> bytes, std::size_t fds = 0) { send_raw(socket_.get(), bytes, fds); }
  void reply(request_code code, std::span<const std::byte> payload, std::size_t fds = 0,
             std::uint32_t flags = vhost_user::message_header::version | vhost_user::message_header::reply);
  void reply_number(request_code code, std::uint64_t value) { reply(code, std::as_bytes(std::span(&value, 1))); }
  void reply_with_fd(request_code code, std::span<const std::byte> payload, int fd);
  void close_socket();     // for good
  void drop_connection();  // as if it had died, and another was started
  void interrupt(std::size_t queue = 0);
  void report_error(std::size_t queue = 0);
  int call_fd(std::size_t queue = 0) const { return rings_[queue].call.get(); }

  // Any thread: on the back channel, once there is one. What came there in reply, within a second; or nothing.
  void ask_back(std::uint32_t code, std::uint32_t flags = vhost_user::message_header::version,
                std::span<const std::byte> payload = {}, std::size_t fds = 0);
  void ask_back_raw(std::span<const std::byte> bytes);
  void close_back_channel();
  std::vector<std::byte> back_reply();
  void resize(std::uint64_t to) { capacity_ = to; }

  // From the test's thread. All messages that came, in order.
  std::vector<request_code> seen();
  unsigned connections() const { return connections_; }
  std::uint64_t features_set() const { return features_set_; }
  std::vector<std::byte> disk();

 private:
  struct ring_state {
    std::uint16_t size = 0;
    std::uint16_t base = 0;
    vhost_user::vring_address address;
    owned_fd kick;
    owned_fd call;
    owned_fd error;
    std::optional<split_ring> ring;
    std::optional<available_reader> available;
    std::optional<used_writer> used;
    std::optional<inflight_log> log;
    std::vector<std::uint16_t> again;  // heads that the last daemon left
  };

  static void send_raw(int socket, std::span<const std::byte> bytes, std::size_t fds, int fd);
  void send_raw(int socket, std::span<const std::byte> bytes, std::size_t fds) {
    send_raw(socket, bytes, fds, end_.get());
  }
  int back_channel();
  void run();
  void serve_socket();
  void handle(message& m);
  void handle_vring(message& m);
  void map(const vhost_user::memory_region& region, int fd);
  void unmap_memory();
  void unmap();
  void get_inflight(const message& m);
  void set_inflight(message& m);
  void get_base(const message& m);
  void begin(ring_state& r);
  std::optional<std::uint16_t> next_head(ring_state& r);
  taken take(ring_state& r, std::uint16_t head);
  void serve_ring(ring_state& r);
  void serve_blk(taken& t);
  std::uint64_t number_in(const message& m) const;

  const script script_;
  std::string path_;
  owned_fd listener_;
  owned_fd socket_;
  owned_fd end_;
  std::vector<std::byte> disk_;
  std::span<std::byte> mapping_;
  memory_map memory_;          // by guest address
  std::span<std::byte> logs_;  // of all queues, one behind the other
  std::uint64_t guest_ = 0;
  std::uint64_t user_ = 0;
  std::vector<ring_state> rings_;
  bool acknowledges_ = false;
  std::atomic<unsigned> connections_{0};
  bool dropped_ = false;  // in the middle of a ring's service
  std::atomic<std::uint64_t> features_set_{0};
  std::atomic<std::uint64_t> capacity_{sectors};
  std::mutex lock_;
  owned_fd back_;
  std::vector<request_code> seen_;
  std::thread thread_;
};

}  // namespace vloop::test
