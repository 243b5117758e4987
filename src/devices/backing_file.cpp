// SPDX-License-Identifier: MIT
// Direct I/O: drivers send memory that is aligned to 512 bytes and lengths that are multiples of the block size we
// announce. A file whose rules are stricter than that can't be accessed directly without I/O errors, so it isn't.
#include "devices/backing_file.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "devices/null_disk.hpp"
#include "runtime/setup_error.hpp"

namespace vloop {
namespace {

constexpr std::uint32_t sector_bytes = 512;      // virtio's unit, and the alignment of a block driver's memory
constexpr std::uint32_t block_bytes_max = 4096;  // what Linux's virtio_blk accepts as a logical block

// How a file wants direct I/O to be aligned, or why there is none.
struct direct_rules {
  std::uint32_t memory = 0;
  std::uint32_t offset = 0;
  std::string refusal;  // not empty: no direct I/O
};

direct_rules refused(std::string why) {
  return {.refusal = std::move(why)};
}

[[noreturn]] void cannot(const char* what, const std::string& path, int error, const std::string& hint) {
  throw setup_error(error, std::string("cannot ") + what + " disk " + path, hint);
}

std::string hint_for(int error, bool read_only) {
  switch (error) {
    case ENOENT:
      return "create it with: truncate -s 1G FILE";
    case EACCES:
    case EPERM:
      return read_only ? "check the permissions of the file and its directories"
                       : "check its permissions, or add ,readonly";
    case EROFS:
      return "add ,readonly";
    case EBUSY:
      return "something else has claimed it (a mount, a volume manager)";
    case ETXTBSY:
      return "a running program is read from it";
    default:
      return "";
  }
}

owned_fd open_as(const std::string& path, bool read_only, int more) {
  return owned_fd(::open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | more));
}

void require_disk_like(const std::string& path, const struct stat& st) {
  if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) return;
  cannot("serve", path, S_ISDIR(st.st_mode) ? EISDIR : ENOTBLK, "name a regular file or a block device");
}

std::uint64_t size_of(const std::string& path, int fd, const struct stat& st) {
  if (!S_ISBLK(st.st_mode)) return static_cast<std::uint64_t>(st.st_size);
  std::uint64_t bytes = 0;
  if (::ioctl(fd, BLKGETSIZE64, &bytes) != 0) cannot("measure", path, errno, "");
  return bytes;
}

std::uint32_t logical_block_of(int fd) {
  int bytes = 0;
  return ::ioctl(fd, BLKSSZGET, &bytes) == 0 && bytes > 0 ? static_cast<std::uint32_t>(bytes) : sector_bytes;
}

// Whether a read of `bytes` at that position, into memory aligned to 512 but to nothing more, is accepted.
bool accepts(int fd, std::uint32_t bytes) {
  struct freer {
    void operator()(void* p) const { std::free(p); }
  };
  const std::unique_ptr<void, freer> memory(std::aligned_alloc(block_bytes_max, 4 * block_bytes_max));
  return memory && ::pread(fd, static_cast<std::byte*>(memory.get()) + sector_bytes, bytes, bytes) >= 0;
}

// The file is open with O_DIRECT: its rules, as the kernel tells them (statx, Linux 6.1) or as trying shows them.
direct_rules rules_of(int fd, bool is_block_device) {
  struct statfs fs {};
  if (!is_block_device && ::fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC))
    return refused("the file is in memory (tmpfs), there is no disk to go to directly");
#ifdef STATX_DIOALIGN
  struct statx told {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &told) == 0 && (told.stx_mask & STATX_DIOALIGN) != 0) {
    if (told.stx_dio_offset_align == 0) return refused("its file system has no direct I/O for this file");
    return {.memory = told.stx_dio_mem_align, .offset = told.stx_dio_offset_align, .refusal = {}};
  }
#endif
  for (std::uint32_t bytes = is_block_device ? logical_block_of(fd) : sector_bytes; bytes <= block_bytes_max;
       bytes *= 2)
    if (accepts(fd, bytes)) return {.memory = sector_bytes, .offset = bytes, .refusal = {}};
  return refused("its file system refuses direct I/O from memory aligned to 512 bytes");
}

direct_rules checked(direct_rules rules) {
  if (!rules.refusal.empty()) return rules;
  const auto usable = [](std::uint32_t bytes, std::uint32_t most) {
    return std::has_single_bit(bytes) && bytes <= most;
  };
  if (!usable(rules.memory, sector_bytes))
    return refused("it needs memory aligned to " + std::to_string(rules.memory) + " bytes, drivers align to 512");
  if (!usable(rules.offset, block_bytes_max))
    return refused("it needs positions aligned to " + std::to_string(rules.offset) + " bytes, disks have at most 4096");
  return rules;
}

std::uint64_t null_size(const std::string& path) {
  std::uint64_t bytes = 0;
  const char* const end = path.data() + path.size();
  const auto [stop, error] = std::from_chars(path.data() + null_disk_prefix.size(), end, bytes);
  if (error != std::errc{} || stop != end || bytes < sector_bytes || bytes > static_cast<std::uint64_t>(INT64_MAX))
    cannot("serve", path, EINVAL, "give its size in bytes, at least 512; a file of this name is ./" + path);
  return bytes;
}

}  // namespace

backing_file::backing_file(const std::string& path, bool read_only, direct_mode mode) : path_(path) {
  if (is_null_disk(path)) {
    bytes_ = null_size(path);
    access_ = "no file: nothing is read or written";
    return;
  }
  // Looked at before it is opened: opening a FIFO would wait for its other end, opening a tape would rewind it.
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) cannot("open", path, errno, hint_for(errno, read_only));
  require_disk_like(path, st);
  buffered_ = open_as(path, read_only, 0);
  if (!buffered_) cannot("open", path, errno, hint_for(errno, read_only));
  if (::fstat(buffered_.get(), &st) != 0) cannot("examine", path, errno, "");
  require_disk_like(path, st);

  const bool is_block_device = S_ISBLK(st.st_mode);
  identity_ = is_block_device ? st.st_rdev : st.st_dev * 0x9e3779b97f4a7c15u + st.st_ino;
  bytes_ = size_of(path, buffered_.get(), st);
  if (is_block_device) block_size_ = std::clamp(logical_block_of(buffered_.get()), sector_bytes, block_bytes_max);

  direct_rules rules;
  if (mode == direct_mode::off) {
    rules = refused("asked for");
  } else if (owned_fd direct = open_as(path, read_only, O_DIRECT); !direct) {
    rules = refused(errno == EINVAL ? "its file system has no direct I/O"
                                    : "O_DIRECT: " + std::generic_category().message(errno));
  } else {
    struct stat same {};
    if (::fstat(direct.get(), &same) != 0 || same.st_dev != st.st_dev || same.st_ino != st.st_ino)
      cannot("open", path, ESTALE, "it was replaced meanwhile; try again");
    rules = checked(rules_of(direct.get(), is_block_device));
    if (rules.refusal.empty()) direct_ = std::move(direct);
  }
  if (mode == direct_mode::on && !direct_) cannot("use direct I/O on", path, EOPNOTSUPP, rules.refusal);

  if (direct_) {
    memory_alignment_ = rules.memory;
    offset_alignment_ = rules.offset;
    block_size_ = std::max(block_size_, offset_alignment_);
    access_ = "direct I/O, blocks of " + std::to_string(block_size_) + " bytes";
  } else {
    access_ = "buffered I/O: " + rules.refusal;
  }
  if (bytes_ == 0) cannot("serve empty", path, ENODATA, "give it a size with: truncate -s 1G FILE");
  if (bytes_ < block_size_)
    cannot("serve", path, ENODATA, "it is smaller than one block of " + std::to_string(block_size_) + " bytes");
}

std::uint64_t backing_file::bytes_now() const {
  if (!buffered_) return bytes_;  // there is no file
  struct stat st {};
  if (::fstat(buffered_.get(), &st) != 0) cannot("examine", path_, errno, "");
  return size_of(path_, buffered_.get(), st);
}

file_description backing_file::describe() const {
  if (!direct_) return {.fd = buffered_.get()};
  return {.fd = direct_.get(),
          .direct = true,
          .buffered_fd = buffered_.get(),
          .memory_alignment = memory_alignment_,
          .offset_alignment = offset_alignment_};
}

}  // namespace vloop
