// SPDX-License-Identifier: MIT
// A front end that says what it likes, in any order, with any descriptors, to a disk that is served to it: and writes
// into the memory that it shares with the disk meanwhile. Whatever it did, the next front end is served, and nothing of
// the one before is left open.
//
//   input: steps: a message that is made up from the input, one of a proper beginning, bytes, memory, a kick
//
// The server lives on over all inputs, as `vloop run` does over its front ends.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <memory>
#include <thread>
#include <vector>

#include "devices/blk.hpp"
#include "devices/owned_fd.hpp"
#include "fuzz/input.hpp"
#include "support/socket_server.hpp"
#include "vhost_user/connection.hpp"
#include "vhost_user/message.hpp"
#include "vhost_user/socket_message.hpp"
#include "vring/split_ring.hpp"

namespace vloop::test {
namespace {

using namespace std::chrono_literals;
using vhost_user::message_header;
using vhost_user::request_code;

constexpr std::size_t memory_bytes = 1 << 16;
constexpr std::uint64_t guest_base = 0x10000;
constexpr std::uint64_t user_base = 0x7000'0000'0000;
constexpr std::uint16_t queues = 2;
constexpr std::uint16_t ring_size = 16;
constexpr std::size_t bytes_between_rings = 4096;
constexpr auto patience = 8s;

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

// What a front end has, and how it speaks. It never waits for its own messages to be taken.
class stranger {
 public:
  explicit stranger(const std::string& path)
      : link_(vhost_user::connection::open(path, 1s)),
        memory_(::memfd_create("vloop fuzz", MFD_CLOEXEC)),
        event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    int ends[2];
    must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "there is a channel");
    channel_ = {owned_fd(ends[0]), owned_fd(ends[1])};
    must(memory_ && event_ && ::ftruncate(memory_.get(), memory_bytes) == 0, "there is memory to share");
    void* const p = ::mmap(nullptr, memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
    must(p != MAP_FAILED, "it can be mapped");
    shared_ = {static_cast<std::byte*>(p), memory_bytes};
  }
  ~stranger() { ::munmap(shared_.data(), shared_.size()); }
  stranger(const stranger&) = delete;
  stranger& operator=(const stranger&) = delete;

  int socket() const { return link_.fd(); }

  void send(std::span<const std::byte> bytes, std::span<const int> fds) {
    static_cast<void>(vhost_user::send_some(socket(), bytes, fds));
    drop_replies();
  }

  void say(request_code code, std::span<const std::byte> payload, std::span<const int> fds) {
    const message_header header{.code = static_cast<std::uint32_t>(code),
                                .flags = message_header::version,
                                .size = static_cast<std::uint32_t>(payload.size())};
    std::vector<std::byte> bytes(sizeof header + payload.size());
    std::memcpy(bytes.data(), &header, sizeof header);
    std::copy(payload.begin(), payload.end(), bytes.begin() + sizeof header);
    send(bytes, fds);
  }

  // The number selects what to send along; most of it is good for something.
  int descriptor(std::uint8_t number) const {
    switch (number % 4) {
      case 0:
        return memory_.get();
      case 1:
        return event_.get();
      case 2:  // not its own socket: who has the other side's end keeps the connection for ever, as a child could
        return channel_[0].get();
      default:
        return STDIN_FILENO;
    }
  }

  void write_memory(std::size_t at, std::span<const std::byte> bytes) {
    std::memcpy(shared_.data() + at % (memory_bytes - bytes.size()), bytes.data(), bytes.size());
  }
  // Smaller than what is mapped of it; then as before.
  void cut_memory() {
    must(::ftruncate(memory_.get(), 4096) == 0 && ::ftruncate(memory_.get(), memory_bytes) == 0, "it can be cut");
  }
  void kick() {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(event_.get(), &one, sizeof one));
  }

 private:
  void drop_replies() {
    std::array<std::byte, 512> bytes;
    std::vector<owned_fd> fds;
    while (vhost_user::receive_some(socket(), bytes, fds) > 0) fds.clear();
  }

  vhost_user::connection link_;
  owned_fd memory_;
  owned_fd event_;
  std::array<owned_fd, 2> channel_;
  std::span<std::byte> shared_;
};

// A message whose every part is the input's.
void say_anything(stranger& vm, fuzz_input& input) {
  const auto code = input.take<std::uint8_t>() % 48;
  const auto how = input.take<std::uint8_t>();
  std::array<std::byte, 280> payload{};
  const std::size_t size = input.take<std::uint16_t>() % payload.size();
  input.fill(std::span(payload).first(size));
  std::array<int, 3> fds;
  const std::size_t count = how & 3;
  for (std::size_t i = 0; i < count; ++i) fds[i] = vm.descriptor(input.take<std::uint8_t>());
  vm.say(static_cast<request_code>(code), std::span(payload).first(size), std::span(fds).first(count));
}

// All features, but some.
std::uint64_t features_but(std::uint16_t without) {
  constexpr std::uint64_t offered = 0x1'7000'1244;  // seg_max, blk_size, flush, mq; rings; protocol features; version 1
  return offered & ~(std::uint64_t{without} << 20);
}

// What a proper front end says, with numbers of the input where they are small ones.
void say_properly(stranger& vm, fuzz_input& input) {
  const std::array memory{vm.descriptor(0)};
  const std::array event{vm.descriptor(1)};
  const auto which = input.take<std::uint8_t>();
  const auto number = input.take<std::uint16_t>();
  const std::uint32_t index = number % (queues + 1);
  const vhost_user::memory_region region{
      .guest_address = guest_base, .size = memory_bytes, .user_address = user_base, .mmap_offset = 0};
  switch (which % 16) {
    case 0:
      return vm.say(request_code::set_features, bytes_of(features_but(number)), {});
    case 1:
      return vm.say(request_code::set_protocol_features, bytes_of(std::uint64_t{0x1b229} & ~std::uint64_t{number}), {});
    case 2:
      return vm.say(request_code::set_mem_table, bytes_of(vhost_user::memory_table{.region = region}), memory);
    case 3:
      return vm.say(request_code::add_mem_reg, bytes_of(vhost_user::memory_slot{.region = region}), memory);
    case 4:
      return vm.say(request_code::rem_mem_reg, bytes_of(vhost_user::memory_slot{.region = region}), {});
    case 5:
      return vm.say(request_code::set_vring_num, bytes_of(vhost_user::vring_state{index, ring_size}), {});
    case 6:
      return vm.say(request_code::set_vring_base, bytes_of(vhost_user::vring_state{index, number}), {});
    case 7: {
      const std::uint64_t ring = user_base + index * bytes_between_rings;
      return vm.say(request_code::set_vring_addr,
                    bytes_of(vhost_user::vring_address{
                        .index = index, .descriptors = ring, .used = ring + 1024, .available = ring + 512}),
                    {});
    }
    case 8:
      return vm.say(request_code::set_vring_kick, bytes_of(std::uint64_t{index}), event);
    case 9:
      return vm.say(request_code::set_vring_call, bytes_of(std::uint64_t{index}), event);
    case 10:
      return vm.say(request_code::set_vring_enable, bytes_of(vhost_user::vring_state{index, number & 1u}), {});
    case 11:
      return vm.say(request_code::get_vring_base, bytes_of(vhost_user::vring_state{index, 0}), {});
    case 12:
      return vm.say(request_code::get_inflight_fd,
                    bytes_of(vhost_user::inflight_description{.queues = queues, .queue_size = ring_size}), {});
    case 13:
      return vm.say(request_code::set_inflight_fd,
                    bytes_of(vhost_user::inflight_description{
                        .mmap_size = number, .mmap_offset = 0, .queues = queues, .queue_size = ring_size}),
                    memory);
    case 14:
      return vm.say(request_code::reset_device, {}, {});
    default:
      return vm.say(request_code::set_backend_req_fd, {}, std::array{vm.descriptor(2)});
  }
}

void say_bytes(stranger& vm, fuzz_input& input) {
  std::array<std::byte, 64> bytes{};
  const std::size_t count = 1 + input.take<std::uint8_t>() % bytes.size();
  input.fill(std::span(bytes).first(count));
  vm.send(std::span(bytes).first(count), {});
}

// Into the rings above all, which are at the front.
void write_bytes(stranger& vm, fuzz_input& input) {
  std::array<std::byte, 16> bytes{};
  const auto at = input.take<std::uint16_t>();
  input.fill(bytes);
  vm.write_memory(at % (3 * bytes_between_rings), bytes);
}

void step(stranger& vm, fuzz_input& input) {
  switch (input.take<std::uint8_t>() % 8) {
    case 0:
    case 1:
      return say_anything(vm, input);
    case 2:
    case 3:
    case 4:
      return say_properly(vm, input);
    case 5:
      return write_bytes(vm, input);
    case 6:
      return (input.take<std::uint8_t>() & 0xf) == 0 ? vm.cut_memory() : vm.kick();
    default:
      return say_bytes(vm, input);
  }
}

std::ptrdiff_t open_files() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

// A front end that asks what the device can do gets an answer: the one before it is gone by then, and its files soon.
void require_service(const std::string& path) {
  static std::ptrdiff_t files = -1;
  auto link = vhost_user::connection::open(path, patience);
  const message_header question{.code = static_cast<std::uint32_t>(request_code::get_features),
                                .flags = message_header::version};
  link.send("GET_FEATURES", question, {}, {});
  const auto answer = link.receive("GET_FEATURES");
  must(answer.payload.size() == sizeof(std::uint64_t), "the next front end is served");
  if (files < 0) files = open_files();
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (open_files() != files) {
    must(std::chrono::steady_clock::now() < deadline, "no descriptor is left of the one before");
    std::this_thread::sleep_for(1ms);
  }
}

socket_server& server() {
  static auto* const one = new socket_server(
      std::make_unique<blk>(blk_options{.path = "null:1048576", .queues = queues, .queue_size = ring_size}));
  return *one;
}

}  // namespace
}  // namespace vloop::test

// What only the kernel points to, a coroutine that waits for io_uring, looks like a leak while the server lives on.
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0";
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vloop::test;
  const std::string& path = server().path();
  static const bool served_before = (require_service(path), true);
  must(served_before, "it was served");
  fuzz_input input(data, size);
  {
    stranger vm(path);
    while (!input.empty()) step(vm, input);
  }
  server().forget_lines();
  require_service(path);
  return 0;
}
