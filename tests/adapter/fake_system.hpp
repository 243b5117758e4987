// SPDX-License-Identifier: MIT
// A /sys and a /dev of the test's own, gone with it.
#pragma once

#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "adapter/node.hpp"

class fake_system {
 public:
  fake_system() {
    std::string name = (std::filesystem::temp_directory_path() / "vloop-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("temporary folder " + name);
    root_ = name;
  }
  fake_system(const fake_system&) = delete;
  fake_system& operator=(const fake_system&) = delete;
  ~fake_system() { std::filesystem::remove_all(root_); }

  vloop::adapter::system_folders folders() const { return {root_ / "sys", root_ / "dev"}; }

  void make_folder(const std::string& path) const { std::filesystem::create_directories(root_ / path); }
  void remove(const std::string& path) const { std::filesystem::remove_all(root_ / path); }
  void move(const std::string& from, const std::string& to) const { std::filesystem::rename(root_ / from, root_ / to); }
  void write(const std::string& path, const std::string& text) const {
    make_folder(std::filesystem::path(path).parent_path().string());
    std::ofstream(root_ / path) << text << '\n';
  }

  /// A recoverable disk that is being served: vloopN, virtio7, /dev/vdx.
  void add_disk(std::uint32_t id) const {
    const std::string folder = "sys/class/vloop/vloop" + std::to_string(id) + "/";
    write(folder + "state", "live");
    write(folder + "server_pid", "4711");
    write(folder + "on_exit", "reissue");
    write(folder + "grace_ms", "30000");
    write(folder + "recoveries", "2");
    write(folder + "device_id", "2");
    write(folder + "features", "0x130000244");
    write(folder + "num_queues", "2");
    write(folder + "queue_sizes", "256 128");
    write(folder + "config", "002aff");
    write(folder + "owner", "1000");
    write(folder + "files", "0 /srv/disk one.img\n1 /srv/disk one.img");
    write(folder + "description", "vloop/1 threads=2 poll=70 blk=/srv/described.img,queues=2");
    make_folder(folder + "virtio7");
    make_folder("sys/bus/virtio/devices/virtio7/block/vdx");
    write("dev/vdx", "");
  }

 private:
  std::filesystem::path root_;
};
