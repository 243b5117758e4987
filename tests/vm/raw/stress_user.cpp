// SPDX-License-Identifier: MIT
#include "stress_user.hpp"

#include "dice.hpp"
#include "disk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/fs.h>
#include <linux/hdreg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace vloop::raw {

namespace {

constexpr std::size_t transfer_max = 256 << 10;

std::vector<std::string> names_in(const std::string& folder, std::string_view prefix) {
  std::vector<std::string> names;
  DIR* entries = ::opendir(folder.c_str());
  if (entries == nullptr) return names;
  while (const dirent* entry = ::readdir(entries)) {
    if (std::string_view(entry->d_name).starts_with(prefix)) names.emplace_back(entry->d_name);
  }
  ::closedir(entries);
  std::sort(names.begin(), names.end());
  return names;
}

// One of the module's devices, or "".
std::string some_device(dice& roll) {
  const auto all = names_in("/sys/class/vloop", "vloop");
  return all.empty() ? std::string() : all[roll.below(all.size())];
}

constexpr unsigned depth = 16;

void prepare(io_uring_sqe* sqe, dice& roll, int disk, std::byte* memory) {
  const auto bytes = static_cast<unsigned>((1 + roll.below(transfer_max / sector_bytes)) * sector_bytes);
  const auto at = roll.below(disk_sectors) * sector_bytes;
  switch (roll.below(8)) {
    case 0:
      ::io_uring_prep_fsync(sqe, disk, IORING_FSYNC_DATASYNC);
      return;
    case 1:
    case 2:
      ::io_uring_prep_write(sqe, disk, memory, bytes, at);
      return;
    default:
      ::io_uring_prep_read(sqe, disk, memory, bytes, at);
  }
}

// Several transfers at a time, all of which are waited for.
void use_disk(dice& roll, tally& count, io_uring& ring, const std::string& node, std::byte* memory) {
  const int flags = roll.pick({O_RDWR, O_RDONLY}) | (roll.one_in(4) ? 0 : O_DIRECT);
  const owned_fd disk(::open(node.c_str(), flags | O_CLOEXEC));
  if (!disk) return;
  hd_geometry geometry{};
  if (roll.one_in(4)) ::ioctl(disk.get(), HDIO_GETGEO, &geometry);
  if (roll.one_in(4)) ::ioctl(disk.get(), BLKFLSBUF);
  for (unsigned i = 0; i < depth; ++i) prepare(::io_uring_get_sqe(&ring), roll, disk.get(), memory);
  ::io_uring_submit_and_wait(&ring, depth);
  for (unsigned i = 0; i < depth; ++i) {
    io_uring_cqe* cqe = nullptr;
    if (::io_uring_wait_cqe(&ring, &cqe) != 0) continue;
    ++(cqe->res < 0 ? count.errors : count.transfers);
    ::io_uring_cqe_seen(&ring, cqe);
  }
}

void use_entropy(tally& count) {
  std::array<char, 32> bytes;
  const owned_fd node(::open("/dev/hwrng", O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (node) ++(::read(node.get(), bytes.data(), bytes.size()) < 0 ? count.errors : count.transfers);
}

void read_attributes(const std::string& folder) {
  std::array<char, 4096> text;
  for (const auto& name : names_in(folder, "")) {
    const owned_fd file(::open((folder + '/' + name).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file && ::read(file.get(), text.data(), text.size()) < 0) continue;
  }
}

void write_text(const std::string& path, const std::string& text) {
  const owned_fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file && ::write(file.get(), text.data(), text.size()) < 0) return;
}

}  // namespace

void be_user(std::uint64_t seed, tally& count, const std::atomic<bool>& stop) {
  dice roll(seed);
  const std::unique_ptr<std::byte, decltype(&std::free)> memory(
      static_cast<std::byte*>(std::aligned_alloc(page_bytes, transfer_max)), &std::free);
  io_uring ring{};
  expect(::io_uring_queue_init(depth, &ring, 0) == 0, "an io_uring");
  while (!stop) {
    const auto device = some_device(roll);
    const auto node = device.empty() ? device : disk_node(static_cast<std::uint32_t>(std::atoi(device.c_str() + 5)));
    if (!node.empty())
      use_disk(roll, count, ring, node, memory.get());
    else
      std::this_thread::sleep_for(milliseconds(2));
    if (roll.one_in(4)) use_entropy(count);
  }
  ::io_uring_queue_exit(&ring);
}

void be_administrator(std::uint64_t seed, const std::atomic<bool>& stop) {
  dice roll(seed);
  while (!stop) {
    std::this_thread::sleep_for(milliseconds(roll.below(100)));
    const auto device = some_device(roll);
    if (device.empty()) continue;
    const auto folder = "/sys/class/vloop/" + device;
    read_attributes(folder);
    const auto virtio = names_in(folder, "virtio");
    if (virtio.empty() || !roll.one_in(3)) continue;
    const auto driver =
        "/sys/bus/virtio/drivers/" + std::string(roll.pick({"virtio_blk", "virtio_rng", "virtio_input"}));
    write_text(driver + roll.pick({"/unbind", "/bind"}), virtio.front());
  }
}

}  // namespace vloop::raw
