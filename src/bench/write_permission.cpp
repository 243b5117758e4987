// SPDX-License-Identifier: MIT
#include "bench/write_permission.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "runtime/setup_error.hpp"

namespace vloop::bench {
namespace {

namespace fs = std::filesystem;

// "loop0", if that is on this file.
std::optional<std::string> loop_device_on(const std::string& path) {
  std::error_code ignored;
  const std::string real = fs::canonical(path, ignored).string();
  for (const auto& entry : fs::directory_iterator("/sys/block", ignored)) {
    std::ifstream told(entry.path() / "loop" / "backing_file");
    std::string line;
    if (std::getline(told, line) && line == real) return entry.path().filename().string();
  }
  return std::nullopt;
}

void require_permission(const std::string& path, bool may_destroy, const std::string& what) {
  if (may_destroy) return;
  throw setup_error(EPERM, "will not write to " + path, what + ": --destroy says that it may be lost");
}

// As this process sees it, which needs no right to open the device.
bool is_mounted(dev_t device) {
  const std::string number = std::to_string(major(device)) + ":" + std::to_string(minor(device));
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::string id, parent, its_number;  // proc(5)
    if (std::istringstream(line) >> id >> parent >> its_number && its_number == number) return true;
  }
  return false;
}

// O_EXCL is the kernel's own question whether somebody has claimed it: it covers mounts in every namespace, swap,
// volume managers, and the partitions of a whole disk.
owned_fd claim_device(const std::string& path, dev_t device) {
  if (is_mounted(device)) throw setup_error(EBUSY, "will not write to " + path, "it is mounted");
  owned_fd claim(::open(path.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
  if (!claim)
    throw setup_error(errno, "will not write to " + path,
                      errno == EBUSY ? "it is mounted, or in use by swap or by another device" : "");
  return claim;
}

}  // namespace

owned_fd claim_for_writing(const std::string& path, bool may_destroy) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return {};
  if (S_ISBLK(st.st_mode)) {
    owned_fd claim = claim_device(path, st.st_rdev);
    require_permission(path, may_destroy, "it is a block device, and what is on it would be overwritten");
    return claim;
  }
  if (!S_ISREG(st.st_mode)) return {};
  if (const auto loop = loop_device_on(path))
    throw setup_error(EBUSY, "will not write to " + path,
                      *loop + " is on it; detach that with: losetup -d /dev/" + *loop);
  if (st.st_blocks > 0) require_permission(path, may_destroy, "it has contents, which would be overwritten");
  return {};
}

std::vector<owned_fd> claim_for_writing(std::vector<std::string> paths, bool may_destroy) {
  std::error_code ignored;
  for (auto& path : paths)
    if (fs::exists(path, ignored)) path = fs::canonical(path, ignored).string();
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  std::vector<owned_fd> claims;
  for (const auto& path : paths) claims.push_back(claim_for_writing(path, may_destroy));
  return claims;
}

}  // namespace vloop::bench
