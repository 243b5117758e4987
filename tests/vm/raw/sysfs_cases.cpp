// SPDX-License-Identifier: MIT
// What /sys/class/vloop says is what is: each attribute against what the calls say, in every state of a device.
#include "cases.hpp"
#include "disk.hpp"
#include "process.hpp"
#include "user.hpp"
#include "window.hpp"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <fstream>
#include <iterator>

namespace vloop::raw {

namespace {

std::string attribute(std::uint32_t id, const std::string& name) {
  std::ifstream file(sysfs_folder(id) + '/' + name);
  expect(static_cast<bool>(file), "the attribute " + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

void says(std::uint32_t id, const std::string& name, const std::string& expected) {
  const auto actual = attribute(id, name);
  if (actual != expected + '\n') throw failure(name + " is '" + actual + "' instead of '" + expected + '\'');
}

std::string hex(std::uint64_t value) {
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

std::string hex(std::span<const std::byte> bytes) {
  std::string all;
  for (const auto one : bytes) {
    std::array<char, 3> text{};
    std::snprintf(text.data(), text.size(), "%02x", std::to_integer<unsigned>(one));
    all += text.data();
  }
  return all;
}

std::string absolute(const std::string& name) {
  std::array<char, 4096> folder{};
  expect(::getcwd(folder.data(), folder.size()) != nullptr, "the folder");
  return folder.data() + ('/' + name);
}

void attributes_say_what_the_calls_say() {
  auto shape = blk_shape(disk_sectors, 2);
  shape.queues[1].size = 128;
  shape.arg.on_exit = VLOOP_EXIT_QUEUE;
  shape.arg.grace_ms = 1234;
  shape.description = "a disk = \"of a test\"";
  const auto config = shape.config;
  disk d(std::move(shape));
  const auto id = d.dev().id();
  const auto info = d.dev().info();
  says(id, "device_id", "2");
  says(id, "num_queues", "2");
  says(id, "queue_sizes", "64 128");
  says(id, "on_exit", "queue");
  says(id, "grace_ms", "1234");
  says(id, "access", "mover");
  const device other(with_window(rng_shape()));
  says(other.id(), "access", "window");
  equal("the flags of a device with a window", other.info().flags, VLOOP_CREATE_WINDOW);
  says(id, "recoveries", "0");
  says(id, "description", "a disk = \"of a test\"");
  says(id, "features", hex(info.features));
  says(id, "driver_features", hex(info.driver_features));
  expect(info.driver_features != 0, "the driver took some features");
  says(id, "config", hex(config));
  says(id, "owner", "0");
  says(id, "server_pid", std::to_string(::getpid()));
  says(id, "state", "live");
  for (const char* name : {"state", "server_pid", "files", "config", "description", "owner"}) {
    struct stat status {};
    expect(::stat((sysfs_folder(id) + '/' + name).c_str(), &status) == 0, name);
    equal(name, status.st_mode & 0777, 0444);
  }
  d.remove();
  wait_until_gone(id);
}

void files_are_told_one_in_a_line() {
  disk d;
  const auto id = d.dev().id();
  const auto set = [&](std::uint32_t index, const std::string& name) {
    equal("SET_FILE", d.dev().set_file(index, open_or_throw(name, O_RDWR | O_CREAT).get()), 0);
  };
  set(0, "first file");
  set(15, "two\nlines\\");
  says(id, "files", "0 " + absolute("first file") + "\n15 " + absolute("two\\012lines\\134"));
  equal("SET_FILE to empty", d.dev().set_file(15, -1), 0);
  ::unlink("first file");
  says(id, "files", "0 " + absolute("first file") + " (deleted)");
  equal("SET_FILE to empty", d.dev().set_file(0, -1), 0);
  expect(attribute(id, "files").empty(), "no file, no line");

  // More than fits in what sysfs gives: whole lines, or none.
  std::string folder = ".";
  for (int depth = 0; depth < 5; ++depth) {
    folder += '/' + std::string(200, static_cast<char>('a' + depth));
    ::mkdir(folder.c_str(), 0755);
  }
  for (std::uint32_t i = 0; i < VLOOP_FILES_MAX; ++i) set(i, folder + "/file" + std::to_string(i));
  const auto some = attribute(id, "files");
  expect(some.size() < page_bytes && some.ends_with('\n') && some.starts_with("0 "), "as many lines as fit");
  d.remove();
}

// What the kernel tells udev.
class uevents {
 public:
  uevents() : socket_(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT)) {
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = 1;
    expect(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "a socket for uevents");
  }

  // Waits for a change of that device, and gives its state.
  std::string next_state(std::uint32_t id) {
    const auto wanted = "/vloop" + std::to_string(id);
    for (;;) {
      pollfd one{socket_.get(), POLLIN, 0};
      if (::poll(&one, 1, static_cast<int>(patience.count())) != 1) throw failure("no uevent came");
      std::array<char, 8192> message{};
      const auto got = ::recv(socket_.get(), message.data(), message.size() - 1, 0);
      expect(got > 0, "a uevent");
      const std::string all(message.data(), static_cast<std::size_t>(got));
      const std::string head = all.c_str();
      if (!head.starts_with("change@") || !head.ends_with(wanted)) continue;
      const std::string key("\0VLOOP_STATE=", 13);
      const auto at = all.find(key);
      expect(at != std::string::npos, "the state in a uevent");
      return all.c_str() + at + key.size();
    }
  }

 private:
  owned_fd socket_;
};

void is_told(uevents& events, std::uint32_t id, const std::string& state) {
  const auto told = events.next_state(id);
  if (told != state) throw failure("a uevent told '" + told + "' instead of '" + state + '\'');
  says(id, "state", state);
}

void the_state_follows_the_device_and_is_told() {
  uevents events;
  auto shape = blk_shape(disk_sectors);
  shape.arg.on_exit = VLOOP_EXIT_REISSUE;
  shape.arg.grace_ms = 300;
  const auto file = memory_file(disk_sectors * sector_bytes);
  device d(shape);
  const auto id = d.id();
  says(id, "state", "created");
  equal("SET_FILE", d.set_file(0, file.get()), 0);
  auto q = d.open_queue(0);
  equal("START", d.start(), 0);
  expect(q.wait(), "the driver's first request");
  says(id, "state", "starting");
  {
    const serving served({q.fd()});
    within(patience, "a disk that is live", [&] { return d.info().state == VLOOP_STATE_LIVE; });
    says(id, "state", "live");
  }

  equal("DETACH", d.detach(), 0);
  expect(attribute(id, "server_pid") == "0\n", "nobody serves");
  is_told(events, id, "deserted");
  is_told(events, id, "failing");
  says(id, "server_pid", "0");
  auto next = attach(control(), id);
  is_told(events, id, "live");
  says(id, "recoveries", "1");
  says(id, "server_pid", std::to_string(::getpid()));

  // What is in flight holds the removal up.
  q = next.open_queue(0);
  const auto user = transfer::read(disk_node(id), 0, page_bytes);
  const auto request = q.next_request();
  equal("REMOVE", next.remove(), 0);
  within(patience, "a device that is being removed", [&] { return attribute(id, "state") == "removing\n"; });
  equal("an answer", q.write(good_answer(request)), sizeof(vloop_op));
  equal("the user's read", user.result(), page_bytes);
  const serving served({q.fd()});
  next.wait_gone();
  expect(!exists(sysfs_folder(id)), "a device that is gone is not in sysfs");
}

void the_owner_is_who_opened() {
  shared<announcement> id;
  auto server = process::run([&] {
    become(nobody);
    const device d(rng_shape());
    id->tell(d.id());
    within(patience, "the reader", [&] { return id->over.load(); });
  });
  const auto number = id->wait();
  says(number, "owner", std::to_string(nobody));
  says(number, "server_pid", std::to_string(server.pid()));
  says(number, "description", "");
  says(number, "config", "");
  id->over = true;
  server.join();
}

// Attributes are read while devices come and go: nothing is waited for for ever.
void attributes_can_be_read_while_devices_go() {
  std::atomic<bool> stop = false;
  std::atomic<long> lines = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        for (const char* name : {"state", "server_pid", "files", "config"}) {
          std::string line;
          if (std::getline(std::ifstream(sysfs_folder(0) + '/' + name), line)) ++lines;
        }
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    const device d(rng_shape());
    equal("REMOVE", d.remove(), 0);
    d.wait_gone();
  }
  stop = true;
  for (auto& one : readers) one.join();
  std::printf("%ld lines read\n", lines.load());
  expect(lines > 0, "lines that were read");
}

constexpr named_case cases[] = {
    {"attributes_say_what_the_calls_say", attributes_say_what_the_calls_say},
    {"files_are_told_one_in_a_line", files_are_told_one_in_a_line},
    {"the_state_follows_the_device_and_is_told", the_state_follows_the_device_and_is_told},
    {"the_owner_is_who_opened", the_owner_is_who_opened},
    {"attributes_can_be_read_while_devices_go", attributes_can_be_read_while_devices_go},
};

}  // namespace

std::span<const named_case> sysfs_cases() {
  return cases;
}

}  // namespace vloop::raw
