// SPDX-License-Identifier: MIT
// The vhost-user transport: the device behind a unix socket, as `vloop run --listen` serves it, and a front end of
// ours.
#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>
#include <future>
#include <stdexcept>

#include "support/front_end.hpp"
#include "support/socket_server.hpp"
#include "support/transports.hpp"

namespace vloop::test {
namespace {

using namespace std::chrono_literals;
using vhost_user::message_header;
using vhost_user::request_code;

// The test's own device, which outlives the server that takes this for it. Where it logs and tells stays the test's.
class borrowed final : public device {
 public:
  borrowed(device& d, const rig_options& options, std::atomic<loop*>& worker)
      : device_(d), description_(d.describe()), worker_(worker) {
    if (!options.files.empty()) description_.files = options.files;
  }
  const device_description& describe() const override { return description_; }
  void start(std::uint64_t acked_features) override { device_.start(acked_features); }
  task<void> serve(queue& requests, loop& io) override {
    worker_ = &io;
    return device_.serve(requests, io);
  }

 private:
  device& device_;
  device_description description_;
  std::atomic<loop*>& worker_;
};

front_end_options options_for(const device_description& d, const rig_options& options) {
  for (const auto& q : d.queues)
    if (q.size != d.queues.front().size) throw std::logic_error("a front end has queues of one size");
  return {.queues = static_cast<std::uint16_t>(d.queues.size()),
          .queue_size = d.queues.front().size,
          .event_index = options.event_index,
          .indirect = options.indirect,
          .device_features = ~options.not_acked,
          .request_bytes_max = options.request_bytes_max};
}

class vhost_user_rig final : public rig {
 public:
  vhost_user_rig(device& d, const rig_options& options)
      : queues_(static_cast<std::uint32_t>(d.describe().queues.size())),
        server_(std::make_unique<borrowed>(d, options, worker_), 1, loop_options{.spin_limit = options.spin_limit}),
        vm_(server_.path(), options_for(d.describe(), options)) {
    vm_.set_up();
  }
  ~vhost_user_rig() override { stop(); }

  driver& queue(std::size_t index) override { return vm_.queue(index); }

  // As a virtual machine monitor does: what is beyond any configuration space never becomes a message.
  std::vector<std::byte> read_config(std::size_t offset, std::size_t count) override {
    std::vector<std::byte> bytes(count);
    if (offset >= vhost_user::config_bytes_max) return bytes;
    auto payload = config_message(offset, std::min(count, vhost_user::config_bytes_max - offset));
    send(request_code::get_config, payload);
    const auto reply = vm_.say().link().receive("GET_CONFIG");
    if (reply.payload.size() != payload.size()) throw std::runtime_error("no such configuration");
    std::copy(reply.payload.begin() + sizeof(vhost_user::config_head), reply.payload.end(), bytes.begin());
    return bytes;
  }

  void write_config(std::size_t offset, std::span<const std::byte> bytes) override {
    if (offset >= vhost_user::config_bytes_max) return;
    const auto sent = bytes.first(std::min(bytes.size(), vhost_user::config_bytes_max - offset));
    auto payload = config_message(offset, sent.size());
    std::copy(sent.begin(), sent.end(), payload.begin() + sizeof(vhost_user::config_head));
    send(request_code::set_config, payload);
  }

  void stop() override { server_.stop(); }

  // There is no word for one queue: the device is reset, and all of them are set up anew.
  void reset(std::size_t) override {
    vm_.say().say(request_code::reset_device);
    server_.forget_lines();
    for (std::uint32_t i = 0; i < queues_; ++i) vm_.queue(i).reset();
    vm_.say().set(request_code::set_features, vm_.features());
    for (std::uint32_t i = 0; i < queues_; ++i) vm_.set_up_ring(i, 0);
  }

  // A front end's messages are answered on that thread.
  void on_worker(const std::function<void()>& work) override {
    std::promise<void> done;
    worker_.load()->post([&done, &work] {
      work();
      done.set_value();
    });
    done.get_future().get();
  }

  ring_error error(std::size_t index) override {
    const auto said = server_.lines("queue " + std::to_string(index) + ": the driver broke");
    if (said.empty()) return ring_error::none;
    for (auto e = ring_error::avail_jump; e <= ring_error::indirect_chained;
         e = static_cast<ring_error>(static_cast<std::uint8_t>(e) + 1))
      if (said.front().find(to_string(e)) != std::string::npos) return e;
    throw std::runtime_error("not an error of a ring: " + said.front());
  }

  // They are told when it ends.
  adapter::memory_port_counters counters(std::size_t index) override {
    stop();
    const std::string words = "queue " + std::to_string(index) + ": taken ";
    const auto said = server_.lines(words);
    if (said.size() != 1) throw std::runtime_error("the server does not say what it counted");
    return {.requests = number_after(said.front(), words),
            .answers = number_after(said.front(), "completed "),
            .kicks = number_after(said.front(), "kicks "),
            .interrupts = number_after(said.front(), "interrupts ")};
  }

 private:
  static std::vector<std::byte> config_message(std::size_t offset, std::size_t count) {
    const vhost_user::config_head head{
        .offset = static_cast<std::uint32_t>(offset), .size = static_cast<std::uint32_t>(count), .flags = 0};
    std::vector<std::byte> payload(sizeof head + count);
    std::memcpy(payload.data(), &head, sizeof head);
    return payload;
  }

  void send(request_code code, std::span<const std::byte> payload) {
    const message_header header{.code = static_cast<std::uint32_t>(code),
                                .flags = message_header::version,
                                .size = static_cast<std::uint32_t>(payload.size())};
    vm_.say().link().send(to_string(code), header, payload, {});
  }

  static std::uint64_t number_after(const std::string& line, const std::string& words) {
    const auto begin = line.find(words);
    std::uint64_t value = 0;
    if (begin == std::string::npos) throw std::runtime_error("no '" + words + "' in: " + line);
    std::from_chars(line.data() + begin + words.size(), line.data() + line.size(), value);
    return value;
  }

  const std::uint32_t queues_;
  std::atomic<loop*> worker_{nullptr};
  socket_server server_;
  front_end vm_;
};

}  // namespace

std::unique_ptr<rig> make_vhost_user_rig(device& d, const rig_options& options) {
  return std::make_unique<vhost_user_rig>(d, options);
}

}  // namespace vloop::test
