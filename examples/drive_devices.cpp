// SPDX-License-Identifier: MIT
//
// A disk, a source of random bytes and a mouse in this process, and a program that uses them: no module, no privileges.
//   c++ -std=c++20 drive_devices.cpp -o drive_devices $(pkg-config --cflags --libs vloop)
//   truncate -s 1M disk.img && ./drive_devices disk.img
#include <exception>
#include <iostream>
#include <system_error>
#include <vector>
#include <vloop/driver.hpp>

namespace {

// Operations give -errno.
void check(std::int32_t result) {
  if (result < 0) throw std::system_error(-result, std::generic_category());
}

vloop::driver_task<> fill_first_block(vloop::disk_driver& disk, vloop::entropy_driver& random) {
  std::vector<std::byte> block(512), back(512);
  const std::int32_t got = co_await random.read(block);
  check(got);
  const std::int32_t put = co_await disk.write(0, block);
  check(put);
  const std::int32_t flushed = co_await disk.flush();
  check(flushed);
  const std::int32_t read = co_await disk.read(0, back);
  check(read);
  std::cout << (back == block ? "written and read back: " : "DIFFERENT: ") << read << " bytes\n";
}

vloop::driver_task<> follow(vloop::input_driver& mouse, int movements) {
  while (movements > 0) {
    const auto event = co_await mouse.next();
    if (!event) break;
    constexpr std::uint16_t relative = 2;  // EV_REL of linux/input-event-codes.h
    if (event->type == relative) --movements;
  }
  std::cout << "the mouse moved\n";
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "usage: drive_devices FILE\n";
    return 2;
  }
  vloop::driver_loop io;
  vloop::disk_driver disk(io, {.path = argv[1]});
  vloop::entropy_driver random(io);
  vloop::input_driver mouse(io, "synthetic:mouse,rate=1000");
  io.run(fill_first_block(disk, random));
  io.run(follow(mouse, 10));
} catch (const std::exception& error) {
  std::cerr << "drive_devices: " << error.what() << '\n';
  return 1;
}
