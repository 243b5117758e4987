// SPDX-License-Identifier: MIT
// Calls of every kind while a device is being started, and while it ends: each gets an answer, and nothing is left
// behind.
#include "cases.hpp"
#include "disk.hpp"

#include <dirent.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <future>
#include <random>

namespace vloop::raw {

namespace {

using random_numbers = std::minstd_rand;

// A kernel that checks everything takes several times as long for each, and looks closer at each.
int rounds_here(int rounds) {
  return std::max(3, rounds / time_factor());
}

// A queue's whole life, in which it answers what is there: so a probe comes to its end.
void use_queue(const device& d, random_numbers& random) {
  const long fd = d.queue_fd(static_cast<std::uint32_t>(random() % 3));
  one_of("QUEUE_FD", fd < 0 ? fd : 0, {0, -EBUSY, -EINVAL, -ENODEV});
  if (fd < 0) return;
  const queue q(owned_fd(static_cast<int>(fd)));
  const mapping stats = q.map_stats(), avail(q.fd(), VLOOP_MMAP_AVAIL);
  one_of("mmap", stats.error(), {0, -ENODEV});
  for (int i = 0; i < 8 && q.wait(milliseconds(2)); ++i) {
    for (const auto& record : q.read_all()) {
      if (record.type != VLOOP_RECORD_REQUEST) continue;
      const long begun = q.write(good_answer(record));
      one_of("an answer", begun, {sizeof(vloop_op), -ENODEV, -ESTALE, -EBADF, -EINVAL});
    }
  }
}

void call_device(const device& d, int file, random_numbers& random) {
  vloop_device_info info{};
  vloop_record record{};
  pollfd wanted{d.fd(), POLLIN, 0};
  switch (random() % 5) {
    case 0:
      one_of("GET_DEVICE_INFO", call(d.fd(), VLOOP_GET_DEVICE_INFO, &info), {0, -ENODEV});
      return;
    case 1:
      one_of("SET_FILE", d.set_file(0, file), {0, -ENODEV});
      return;
    case 2:
      one_of("START", d.start(), {0, -EBUSY, -ENODEV});
      return;
    case 3:
      if (::poll(&wanted, 1, 0) > 0) one_of("a read of the device", d.read(record), {sizeof(record), 0});
      return;
    default:
      use_queue(d, random);
  }
}

// By its number and by its files, as others see it.
void look_from_outside(const control& module, std::uint32_t id, random_numbers& random) {
  const auto folder = sysfs_folder(id);
  if (DIR* entries = ::opendir(folder.c_str())) {
    while (const dirent* entry = ::readdir(entries)) {
      const owned_fd file(::open((folder + '/' + entry->d_name).c_str(), O_RDONLY | O_CLOEXEC));
      std::array<char, 4096> text;
      // Whatever is said of a device on its way out, somebody looked.
      if (file && entry->d_type == DT_REG) [[maybe_unused]]
        const auto looked = ::read(file.get(), text.data(), text.size());
    }
    ::closedir(entries);
  }
  const owned_fd node(::open(disk_node(id).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (random() % 4 == 0) one_of("STOP", module.stop(id), {0, -ENODEV});
  if (random() % 2 == 0) {
    const long fd = module.attach(id);
    one_of("ATTACH", fd < 0 ? fd : 0, {0, -EBUSY, -ENODEV});
    const owned_fd served_for_a_moment(static_cast<int>(fd));
  }
}

// The device is used by threads while `end` ends it.
void used_while_it_ends(int rounds, const std::function<void(const control&, device&)>& end) {
  const control module;
  const auto file = memory_file(disk_sectors * sector_bytes);
  random_numbers random(7);
  for (int i = 0; i < rounds_here(rounds); ++i) {
    auto shape = blk_shape(disk_sectors, 2);
    shape.arg.on_exit = VLOOP_EXIT_REISSUE;
    device d(std::move(shape));
    std::atomic<bool> stop = false;
    std::vector<std::future<void>> users;
    for (unsigned u = 0; u < 3; ++u) {
      // A descriptor of its own: the numbers of closed ones are used again.
      users.push_back(
          std::async(std::launch::async, [&, u, seed = random(), own = device(owned_fd(::dup(d.fd())), d.id())] {
            for (random_numbers numbers(seed); !stop;) {
              if (u == 2)
                look_from_outside(module, own.id(), numbers);
              else
                call_device(own, file.get(), numbers);
            }
          }));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30000));
    end(module, d);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 10000));
    // Before the users are waited for: one of them may wait for a disk that nobody serves.
    one_of("STOP by force", module.stop(d.id(), VLOOP_STOP_FORCE), {0, -ENODEV});
    stop = true;
    for (auto& user : users) user.get();
    d.close();
    wait_until_gone(d.id());
  }
}

void a_device_that_is_removed_while_it_is_used() {
  used_while_it_ends(12, [](const control&, device& d) { equal("REMOVE", d.remove(), 0); });
}

void a_device_that_is_stopped_while_it_is_used() {
  used_while_it_ends(
      25, [](const control& module, device& d) { equal("STOP by force", module.stop(d.id(), VLOOP_STOP_FORCE), 0); });
}

void a_device_that_is_given_up_while_it_is_used() {
  used_while_it_ends(12, [](const control&, device& d) { one_of("DETACH", d.detach(), {0, -EBUSY}); });
}

// The queue's descriptor and a mapping are the last that is left of the device.
void a_queue_that_is_left_over_keeps_its_memory() {
  for (int i = 0; i < rounds_here(15); ++i) {
    disk d;
    const auto id = d.dev().id();
    queue left(owned_fd(::dup(d.q().fd())));
    const mapping stats = left.map_stats();
    d.close();
    wait_until_gone(id);
    vloop_record record{};
    equal("a read of a queue without a device", left.read(std::span(&record, 1)), 0);
    equal("an operation of a queue without a device", left.write(vloop_op{}), -ENODEV);
    std::thread closer([&] { left.close(); });
    expect(stats.as<vloop_queue_stats>().size != 0, "the mapping is still there");
    closer.join();
  }
}

constexpr named_case cases[] = {
    {"a_device_that_is_removed_while_it_is_used", a_device_that_is_removed_while_it_is_used},
    {"a_device_that_is_stopped_while_it_is_used", a_device_that_is_stopped_while_it_is_used},
    {"a_device_that_is_given_up_while_it_is_used", a_device_that_is_given_up_while_it_is_used},
    {"a_queue_that_is_left_over_keeps_its_memory", a_queue_that_is_left_over_keeps_its_memory},
};

}  // namespace

std::span<const named_case> race_cases() {
  return cases;
}

}  // namespace vloop::raw
