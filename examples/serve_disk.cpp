// SPDX-License-Identifier: MIT
//
// Serves a file as a disk of this machine, from inside a program of your own, until Ctrl-C.
//   c++ -std=c++20 serve_disk.cpp -o serve_disk $(pkg-config --cflags --libs --static vloop)
//   truncate -s 64M disk.img && ./serve_disk disk.img
#include <exception>
#include <iostream>
#include <vloop/vloop.hpp>

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "usage: serve_disk FILE\n";
    return 2;
  }
  vloop::server server{{.on_ready = [](const vloop::ready_device& disk) { std::cout << disk.node << std::endl; }}};
  server.add(vloop::disk{.path = argv[1]});
  server.run();
} catch (const std::exception& error) {
  std::cerr << "serve_disk: " << error.what() << '\n';
  return 1;
}
