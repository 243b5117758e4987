// SPDX-License-Identifier: MIT
// The in-process transport: rings in a memfd, a memory_port for each queue, all on one worker.
#include <future>
#include <stdexcept>
#include <thread>

#include "adapter/config_space.hpp"
#include "runtime/task_group.hpp"
#include "support/transports.hpp"

namespace vloop::test {
namespace {

class memory_rig final : public rig {
 public:
  memory_rig(device& d, const rig_options& options)
      : device_(d), options_(options), memory_(bytes_needed(d, options)), config_(d.describe()) {
    const auto& description = d.describe();
    for (const auto& q : description.queues)
      drivers_.push_back(
          std::make_unique<driver>(memory_, driver_options{.queue_size = q.size,
                                                           .event_index = options.event_index,
                                                           .indirect = options.indirect,
                                                           .request_bytes_max = options.request_bytes_max}));
    d.start(description.features & ~options.not_acked);
    std::promise<void> serving;
    auto is_serving = serving.get_future();
    worker_ = std::thread([this, &serving] { work(serving); });
    is_serving.get();
  }
  ~memory_rig() override { stop(); }

  driver& queue(std::size_t index) override { return *drivers_[index]; }

  std::vector<std::byte> read_config(std::size_t offset, std::size_t count) override {
    std::vector<std::byte> bytes(count);
    config_.read(offset, bytes);
    return bytes;
  }
  void write_config(std::size_t offset, std::span<const std::byte> bytes) override { config_.write(offset, bytes); }

  void stop() override {
    if (!worker_.joinable()) return;
    io_->post([this] {
      for (auto& port : ports_) port->stop();
    });
    stop_posted_.set_value();
    worker_.join();
  }

  void reset(std::size_t index) override {
    std::promise<void> done;
    io_->post([this, index, &done] { background_->spawn(reset_port(*ports_[index], *drivers_[index], done)); });
    done.get_future().get();
  }

  void on_worker(const std::function<void()>& work) override {
    std::promise<void> done;
    io_->post([&done, &work] {
      work();
      done.set_value();
    });
    done.get_future().get();
  }

  ring_error error(std::size_t index) override { return look(index).first; }
  adapter::memory_port_counters counters(std::size_t index) override { return look(index).second; }

 private:
  static std::size_t bytes_needed(const device& d, const rig_options& options) {
    std::size_t bytes = 0;
    for (const auto& q : d.describe().queues)
      bytes +=
          65536 + std::size_t{q.size} * (options.request_bytes_max + 3 * 4096 + (options.indirect ? 8192 : 0) + 64);
    return bytes;
  }

  using seen = std::pair<ring_error, adapter::memory_port_counters>;
  seen look(std::size_t index) {
    if (!worker_.joinable()) return last_seen_[index];
    seen now;
    on_worker([this, index, &now] { now = {ports_[index]->error(), ports_[index]->counters()}; });
    return now;
  }

  void work(std::promise<void>& serving) {
    loop io(loop_options{.spin_limit = options_.spin_limit});
    task_group background;
    io_ = &io;
    background_ = &background;
    for (std::size_t i = 0; i < drivers_.size(); ++i)
      ports_.push_back(std::make_unique<adapter::memory_port>(io, port_options(i)));
    io.run(serve_all(serving));
    for (auto& port : ports_) last_seen_.emplace_back(port->error(), port->counters());
    ports_.clear();
    stop_posted_.get_future().wait();  // the loop must outlive the call that posts to it
  }

  adapter::memory_port_options port_options(std::size_t i) const {
    adapter::memory_port_options o;
    o.index = static_cast<std::uint16_t>(i);
    o.memory = &memory_.map();
    o.ring = drivers_[i]->ring();
    o.event_index = options_.event_index;
    o.indirect = options_.indirect;
    o.kick_fd = drivers_[i]->kick_fd();
    o.interrupt_fd = drivers_[i]->interrupt_fd();
    o.files = options_.files.empty() ? device_.describe().files : options_.files;
    return o;
  }

  task<void> serve_all(std::promise<void>& serving) {
    task_group queues;
    for (auto& port : ports_) {
      port->start();
      queues.spawn(serve_one(*port));
    }
    serving.set_value();
    co_await queues.join();
    co_await background_->join();
  }

  task<void> serve_one(adapter::memory_port& port) {
    co_await device_.serve(port.requests(), *io_);
    co_await port.drained();
  }

  static task<void> reset_port(adapter::memory_port& port, driver& d, std::promise<void>& done) {
    co_await port.reset();
    d.reset();
    port.start();
    done.set_value();
  }

  device& device_;
  const rig_options options_;
  shared_memory memory_;
  adapter::config_space config_;
  std::vector<std::unique_ptr<driver>> drivers_;
  std::vector<std::unique_ptr<adapter::memory_port>> ports_;  // made and destroyed on the worker
  std::vector<seen> last_seen_;                               // of the ports, when the worker ended
  loop* io_ = nullptr;                                        // lives on the worker's stack
  task_group* background_ = nullptr;
  std::promise<void> stop_posted_;
  std::thread worker_;
};

}  // namespace

std::unique_ptr<rig> make_memory_rig(device& d, const rig_options& options) {
  return std::make_unique<memory_rig>(d, options);
}

}  // namespace vloop::test
