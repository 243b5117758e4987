// SPDX-License-Identifier: MIT
// What may be served as a disk, how it is opened, and what set-up says when it may not.
#include "devices/backing_file.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "devices/blk.hpp"
#include "runtime/setup_error.hpp"
#include "support/temporary_file.hpp"

namespace vloop::test {
namespace {

using Catch::Matchers::ContainsSubstring;

void serve(const std::string& path, bool read_only = false, direct_mode mode = direct_mode::automatic) {
  const backing_file file(path, read_only, mode);
}

virtio_blk_config config_of(const blk& device) {
  virtio_blk_config config{};
  std::memcpy(&config, device.describe().config.data(), device.describe().config.size());
  return config;
}

TEST_CASE("a missing file is refused with the way to create one") {
  CHECK_THROWS_WITH(serve("nowhere.img"), ContainsSubstring("nowhere.img") && ContainsSubstring("No such file") &&
                                              ContainsSubstring("truncate"));
}

TEST_CASE("a disk without a file has its size and no descriptor") {
  const backing_file none("null:1048576", false, direct_mode::automatic);
  CHECK(none.bytes() == 1048576);
  CHECK(none.describe().fd == -1);
  CHECK_FALSE(none.describe().direct);
}

TEST_CASE("a disk without a file and without a size is refused") {
  for (const auto* path : {"null:", "null:x", "null:4k", "null:-1", "null:511", "null:18446744073709551615"})
    CHECK_THROWS_WITH(serve(path), ContainsSubstring(path) && ContainsSubstring("size in bytes"));
}

TEST_CASE("a directory is refused") {
  CHECK_THROWS_WITH(serve("/tmp"), ContainsSubstring("Is a directory"));
}

TEST_CASE("a character device is refused") {
  CHECK_THROWS_WITH(serve("/dev/zero"), ContainsSubstring("regular file or a block device"));
}

TEST_CASE("a FIFO is refused without waiting for its other end") {
  REQUIRE(::mkfifo("vloop-test-fifo", 0600) == 0);
  CHECK_THROWS_WITH(serve("vloop-test-fifo"), ContainsSubstring("regular file or a block device"));
  ::unlink("vloop-test-fifo");
}

TEST_CASE("an empty file is refused with the way to give it a size") {
  temporary_file file(0);
  CHECK_THROWS_WITH(serve(file.path()), ContainsSubstring("empty") && ContainsSubstring("truncate"));
}

TEST_CASE("a file smaller than a block is refused") {
  temporary_file file(511);
  CHECK_THROWS_WITH(serve(file.path()), ContainsSubstring("smaller than one block"));
}

TEST_CASE("a file that may not be written is refused, and served read-only") {
  temporary_file file(4096);
  REQUIRE(::chmod(file.path().c_str(), 0444) == 0);
  const uid_t root = ::geteuid();
  if (root == 0) REQUIRE(::seteuid(65534) == 0);  // root may write everything
  CHECK_THROWS_WITH(serve(file.path()), ContainsSubstring("Permission denied") && ContainsSubstring("readonly"));
  CHECK_NOTHROW(serve(file.path(), true));
  if (root == 0) REQUIRE(::seteuid(root) == 0);
}

TEST_CASE("errors are one line") {
  try {
    serve("nowhere.img");
    FAIL("nothing was thrown");
  } catch (const std::system_error& e) {
    CHECK(std::string(e.what()).find('\n') == std::string::npos);
    CHECK(e.code().value() == ENOENT);
  }
}

TEST_CASE("direct=off opens through the page cache") {
  temporary_file file(1 << 20);
  const backing_file backing(file.path(), false, direct_mode::off);
  CHECK_FALSE(backing.describe().direct);
  CHECK((::fcntl(backing.describe().fd, F_GETFL) & O_DIRECT) == 0);
  CHECK(backing.block_size() == 512);
}

TEST_CASE("automatic either opens directly or says why not") {
  temporary_file file(1 << 20);
  const backing_file backing(file.path(), false, direct_mode::automatic);
  const auto described = backing.describe();
  if (described.direct) {
    CHECK((::fcntl(described.fd, F_GETFL) & O_DIRECT) != 0);
    CHECK((::fcntl(described.buffered_fd, F_GETFL) & O_DIRECT) == 0);
    CHECK(described.memory_alignment <= 512);
    CHECK(backing.access().starts_with("direct I/O"));
    CHECK_NOTHROW(serve(file.path(), false, direct_mode::on));
  } else {
    CHECK(backing.access().starts_with("buffered I/O: "));
    CHECK_THROWS_WITH(serve(file.path(), false, direct_mode::on), ContainsSubstring("direct I/O"));
  }
}

TEST_CASE("a file in memory is served buffered, and direct=on refuses it with the reason") {
  if (::access("/dev/shm", W_OK) != 0) SKIP("no /dev/shm");
  temporary_file file(1 << 20, "/dev/shm");
  const backing_file backing(file.path(), false, direct_mode::automatic);
  CHECK_FALSE(backing.describe().direct);
  CHECK_THROWS_WITH(serve(file.path(), false, direct_mode::on), ContainsSubstring("direct I/O"));
}

TEST_CASE("read-only is opened read-only") {
  temporary_file file(1 << 20);
  const backing_file backing(file.path(), true, direct_mode::off);
  CHECK((::fcntl(backing.describe().fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
}

TEST_CASE("a disk's config tells capacity, block size and segments") {
  temporary_file file(1 << 20);
  const blk device({.path = file.path(), .queue_size = 64, .direct = direct_mode::off});
  const auto config = config_of(device);
  CHECK(config.capacity == 2048);
  CHECK(config.blk_size == 512);
  CHECK(config.seg_max == 62);
  CHECK(config.num_queues == 1);
}

TEST_CASE("seg_max is bounded for large queues") {
  temporary_file file(1 << 20);
  CHECK(config_of(blk({.path = file.path(), .queue_size = 1024})).seg_max == 254);
  CHECK(config_of(blk({.path = file.path(), .queue_size = 256})).seg_max == 254);
}

TEST_CASE("a tail that is no whole block cannot be reached, and a note says so") {
  temporary_file file((1 << 20) + 100);
  const blk device({.path = file.path(), .direct = direct_mode::off});
  CHECK(config_of(device).capacity == 2048);
  REQUIRE(device.describe().notes.size() == 2);
  CHECK_THAT(device.describe().notes[1], ContainsSubstring("the last 100 bytes"));
}

TEST_CASE("features follow the options") {
  temporary_file file(1 << 20);
  const auto has = [](const blk& d, unsigned feature) { return (d.describe().features >> feature & 1) != 0; };
  const blk plain({.path = file.path()});
  CHECK(has(plain, VIRTIO_BLK_F_FLUSH));
  CHECK(has(plain, VIRTIO_BLK_F_SEG_MAX));
  CHECK(has(plain, VIRTIO_BLK_F_BLK_SIZE));
  CHECK_FALSE(has(plain, VIRTIO_BLK_F_RO));
  CHECK_FALSE(has(plain, VIRTIO_BLK_F_MQ));
  const blk other({.path = file.path(), .read_only = true, .queues = 2});
  CHECK(has(other, VIRTIO_BLK_F_RO));
  CHECK(has(other, VIRTIO_BLK_F_MQ));
  CHECK(other.describe().queues.size() == 2);
}

}  // namespace
}  // namespace vloop::test
