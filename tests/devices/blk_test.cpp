// SPDX-License-Identifier: MIT
// How the block device behaves, over every transport.
#include "devices/blk.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <future>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "support/any_transport.hpp"
#include "support/rig.hpp"
#include "support/temporary_file.hpp"

namespace vloop::test {
namespace {

constexpr std::uint64_t disk_bytes = 8 << 20;
constexpr std::uint32_t sector = 512;

// A disk on a temporary file, served over one of the transports.
struct served_disk {
  explicit served_disk(const transport& over, blk_options blk_of = {}, rig_options rig_of = {},
                       std::uint64_t bytes = disk_bytes)
      : file(bytes) {
    blk_of.path = file.path();
    device.emplace(blk_of);
    rig = over.make(*device, rig_of);
  }
  blk_driver disk(std::size_t queue = 0) { return blk_driver(rig->queue(queue)); }

  temporary_file file;
  std::optional<blk> device;
  std::unique_ptr<test::rig> rig;
};

file_description opened(const char* path, int flags) {
  const int fd = ::open(path, flags | O_CLOEXEC);
  REQUIRE(fd >= 0);
  return {.fd = fd};
}

TEST_CASE("what the driver writes is in the file, and what is in the file is read") {
  served_disk d(any_transport());
  auto disk = d.disk();
  const auto data = pattern(4096, 1);
  const auto written = disk.finish(disk.write(16, data));
  CHECK(written.ok());
  CHECK(written.written == 1);
  CHECK(d.file.read(16 * sector, 4096) == data);
  const auto read = disk.finish(disk.read(16, 4096));
  CHECK(read.ok());
  CHECK(read.written == 4097);
  CHECK(read.data == data);
}

// Random reads and writes of random shapes, many in flight, against a model of the disk's content. Gives what went
// wrong, or nothing: it runs on threads of its own too, where Catch2's checks may not.
std::string verify_random_io(blk_driver disk, const temporary_file& file, std::uint64_t first, std::uint64_t sectors,
                             std::uint64_t seed, int rounds) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> model = file.read(first * sector, sectors * sector);
  struct pending {
    blk_driver::ticket ticket;
    std::uint64_t at;
    std::uint32_t bytes;
    bool read;
  };
  for (int round = 0; round < rounds; ++round) {
    std::vector<pending> batch;
    std::vector<bool> touched(sectors);
    for (int i = 0; i < 16; ++i) {
      const auto at = random() % sectors;
      const auto count = 1 + random() % std::min<std::uint64_t>(sectors - at, 64);
      bool free = true;  // requests in flight together must not overlap: their order is not defined
      for (auto s = at; s < at + count; ++s) free = free && !touched[s];
      if (!free) continue;
      for (auto s = at; s < at + count; ++s) touched[s] = true;
      const auto bytes = static_cast<std::uint32_t>(count * sector);
      driver::cuts how;
      std::vector<std::uint32_t> sizes;
      for (std::uint32_t left = bytes; left > 0 && sizes.size() < 6;) {
        const auto piece = std::min<std::uint32_t>(left, static_cast<std::uint32_t>((1 + random() % 8) * sector));
        sizes.push_back(piece);
        left -= piece;
      }
      if (random() % 2) {
        how.writable = sizes;
        batch.push_back({disk.read(first + at, bytes, how), at, bytes, true});
      } else {
        how.readable = sizes;
        how.readable.insert(how.readable.begin(), 16);
        const auto data = pattern(bytes, random());
        std::memcpy(model.data() + at * sector, data.data(), bytes);
        batch.push_back({disk.write(first + at, data, how), at, bytes, false});
      }
    }
    for (const auto& p : batch) {
      const auto o = disk.finish(p.ticket);
      if (!o.ok()) return "status " + std::to_string(o.status) + " in round " + std::to_string(round);
      if (p.read && std::memcmp(o.data.data(), model.data() + p.at * sector, p.bytes) != 0)
        return "different data in round " + std::to_string(round) + " at sector " + std::to_string(p.at);
    }
  }
  return file.read(first * sector, sectors * sector) == model ? "" : "the file's content differs from what was written";
}

TEST_CASE("random reads and writes of random shapes verify") {
  const auto& over = any_transport();
  const bool event_index = GENERATE(false, true);
  const bool indirect = GENERATE(false, true);
  const auto direct = GENERATE(direct_mode::off, direct_mode::automatic);
  served_disk d(over, {.direct = direct}, {.event_index = event_index, .indirect = indirect});
  CHECK(verify_random_io(d.disk(), d.file, 0, disk_bytes / sector, 7, 100) == "");
}

TEST_CASE("several queues are served at once and verify") {
  served_disk d(any_transport(), {.queues = 4, .queue_size = 256});
  constexpr std::uint64_t share = disk_bytes / sector / 4;
  std::vector<std::future<std::string>> drivers;
  for (std::size_t q = 0; q < 4; ++q)
    drivers.push_back(std::async(
        std::launch::async, [&d, q] { return verify_random_io(d.disk(q), d.file, q * share, share, 100 + q, 50); }));
  for (auto& f : drivers) CHECK(f.get() == "");
}

TEST_CASE("memory that is not aligned is served where the file is accessed directly") {
  served_disk d(any_transport());
  auto disk = d.disk();
  const auto data = pattern(4096, 3);
  CHECK(disk.finish(disk.write(0, data, {.misalignment = 7})).ok());
  CHECK(d.file.read(0, 4096) == data);
  CHECK(disk.finish(disk.read(0, 4096, {.misalignment = 3})).data == data);
  CHECK(disk.finish(disk.read(0, 4096, {.writable = {100, 1, 2000}})).data == data);
}

TEST_CASE("a ring of the smallest size serves one request after the other") {
  served_disk d(any_transport(), {.queue_size = 4});
  CHECK(verify_random_io(d.disk(), d.file, 0, 1, 5, 20) == "");
}

TEST_CASE("requests in flight together are all answered") {
  served_disk d(any_transport(), {.queue_size = 128});
  auto disk = d.disk();
  std::vector<blk_driver::ticket> tickets;
  for (std::uint64_t i = 0; i < 32; ++i) tickets.push_back(disk.write(i * 8, pattern(4096, i)));
  for (const auto t : tickets) CHECK(disk.finish(t).ok());
  for (std::uint64_t i = 0; i < 32; ++i) CHECK(d.file.read(i * 4096, 4096) == pattern(4096, i));
}

TEST_CASE("a flush succeeds") {
  served_disk d(any_transport());
  auto disk = d.disk();
  const auto o = disk.finish(disk.flush());
  CHECK(o.ok());
  CHECK(o.written == 1);
}

TEST_CASE("GET_ID gives the serial, padded with zeros") {
  served_disk d(any_transport(), {.serial = "disk-17"});
  auto disk = d.disk();
  const auto o = disk.finish(disk.get_id());
  CHECK(o.ok());
  REQUIRE(o.data.size() == 20);
  CHECK(std::memcmp(o.data.data(), "disk-17\0\0\0\0\0\0\0\0\0\0\0\0\0", 20) == 0);
}

TEST_CASE("GET_ID with less or more room gives what fits, and nothing is left unwritten") {
  served_disk d(any_transport(), {.serial = "12345678901234567890"});
  auto disk = d.disk();
  const auto less = disk.finish(disk.get_id(4));
  CHECK(std::memcmp(less.data.data(), "1234", 4) == 0);
  const auto more = disk.finish(disk.get_id(30));
  CHECK(more.ok());
  CHECK(more.written == 31);
  CHECK(std::memcmp(more.data.data(), "12345678901234567890\0\0\0\0\0\0\0\0\0\0", 30) == 0);
}

TEST_CASE("a serial that nobody gave is the same for the same file") {
  temporary_file file(disk_bytes);
  std::vector<std::vector<std::byte>> ids;
  for (int i = 0; i < 2; ++i) {
    blk device({.path = file.path()});
    const auto rig = transports()[0].make(device, {});
    blk_driver disk(rig->queue(0));
    ids.push_back(disk.finish(disk.get_id()).data);
  }
  CHECK(ids[0] == ids[1]);
  CHECK(ids[0][0] == std::byte{'v'});
}

TEST_CASE("a read-only disk refuses writes, leaves the file alone and goes on") {
  served_disk d(any_transport(), {.read_only = true});
  auto disk = d.disk();
  CHECK(disk.finish(disk.write(0, pattern(512, 1))).status == VIRTIO_BLK_S_IOERR);
  CHECK(d.file.read(0, 512) == std::vector<std::byte>(512));
  CHECK(disk.finish(disk.read(0, 512)).ok());
  CHECK(disk.finish(disk.flush()).ok());
}

TEST_CASE("a request beyond the end fails with IOERR and the next one works") {
  served_disk d(any_transport());
  auto disk = d.disk();
  const auto o = disk.finish(disk.read(disk_bytes / sector, 512));
  CHECK(o.status == VIRTIO_BLK_S_IOERR);
  CHECK(o.data == std::vector<std::byte>(512));  // zeros, as the length covers it
  CHECK(disk.finish(disk.write(~std::uint64_t{0}, pattern(512, 1))).status == VIRTIO_BLK_S_IOERR);
  CHECK(disk.finish(disk.read(0, 512)).ok());
}

TEST_CASE("an unknown request type is unsupported and the next one works") {
  served_disk d(any_transport());
  auto disk = d.disk();
  CHECK(disk.finish(disk.raw(77, 0, {}, 1)).status == VIRTIO_BLK_S_UNSUPP);
  CHECK(disk.finish(disk.raw(VIRTIO_BLK_T_DISCARD, 0, pattern(16, 1), 1)).status == VIRTIO_BLK_S_UNSUPP);
  CHECK(disk.finish(disk.read(0, 512)).ok());
}

TEST_CASE("a request shorter than a header fails with IOERR and the next one works") {
  served_disk d(any_transport());
  auto disk = d.disk();
  const auto t = disk.below().submit(pattern(15, 1), 513);
  CHECK(disk.finish(t).status == VIRTIO_BLK_S_IOERR);
  CHECK(disk.finish(disk.read(0, 512)).ok());
}

TEST_CASE("a request without a status byte is given back unwritten and the next one works") {
  served_disk d(any_transport());
  auto disk = d.disk();
  const auto t = disk.raw(VIRTIO_BLK_T_OUT, 0, pattern(512, 1), 0);
  CHECK(disk.below().finish(t).written == 0);
  CHECK(d.file.read(0, 512) == std::vector<std::byte>(512));
  CHECK(disk.finish(disk.read(0, 512)).ok());
}

TEST_CASE("a header cut into single bytes is understood") {
  served_disk d(any_transport());
  auto disk = d.disk();
  const auto data = pattern(512, 4);
  CHECK(disk.finish(disk.write(1, data, {.readable = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}})).ok());
  CHECK(d.file.read(512, 512) == data);
}

TEST_CASE("header and data in one descriptor are understood") {
  served_disk d(any_transport());
  auto disk = d.disk();
  const auto data = pattern(1024, 4);
  CHECK(disk.finish(disk.write(1, data, {.readable = {2000}})).ok());
  CHECK(d.file.read(512, 1024) == data);
  CHECK(disk.finish(disk.read(1, 1024, {.writable = {2000}})).data == data);
}

TEST_CASE("a full backing file system fails that write alone, with IOERR") {
  // /dev/full: every write gives ENOSPC, reads give zeros.
  served_disk d(any_transport(), {}, {.files = {opened("/dev/full", O_RDWR)}});
  auto disk = d.disk();
  CHECK(disk.finish(disk.write(0, pattern(4096, 1))).status == VIRTIO_BLK_S_IOERR);
  CHECK(disk.finish(disk.read(0, 4096)).ok());
}

TEST_CASE("a backing that gives EIO fails that read alone, with IOERR and zeros") {
  // Reading a process's memory where nothing is mapped gives EIO; position 0 never is.
  served_disk d(any_transport(), {}, {.files = {opened("/proc/self/mem", O_RDONLY)}});
  auto disk = d.disk();
  const auto o = disk.finish(disk.read(0, 4096));
  CHECK(o.status == VIRTIO_BLK_S_IOERR);
  CHECK(o.data == std::vector<std::byte>(4096));
  CHECK(disk.finish(disk.get_id()).ok());
}

TEST_CASE("a write beyond the process's file size limit fails alone, with IOERR") {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  served_disk d(any_transport(), {.direct = direct_mode::off});
  auto disk = d.disk();
  const rlimit small{.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto beyond = disk.finish(disk.write((2 << 20) / sector, pattern(4096, 1)));
  const auto within = disk.finish(disk.write(0, pattern(4096, 1)));
  setrlimit(RLIMIT_FSIZE, &before);
  CHECK(beyond.status == VIRTIO_BLK_S_IOERR);
  CHECK(within.ok());
}

TEST_CASE("a backing file that was cut short fails reads beyond its end, with IOERR and zeros") {
  served_disk d(any_transport());
  auto disk = d.disk();
  d.file.write(0, pattern(4096, 1));
  REQUIRE(::ftruncate(d.file.fd(), 2048) == 0);
  const auto o = disk.finish(disk.read(0, 4096));
  CHECK(o.status == VIRTIO_BLK_S_IOERR);
  CHECK(o.written == 4097);
  CHECK(disk.finish(disk.read(0, 512)).data == d.file.read(0, 512));
}

TEST_CASE("without FLUSH acknowledged writes are written through and verify") {
  served_disk d(any_transport(), {}, {.not_acked = std::uint64_t{1} << VIRTIO_BLK_F_FLUSH});
  auto disk = d.disk();
  const auto data = pattern(4096, 9);
  CHECK(disk.finish(disk.write(0, data)).ok());
  CHECK(d.file.read(0, 4096) == data);
}

TEST_CASE("a flush that failed once fails from then on") {
  // fdatasync on a pipe is EINVAL.
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  served_disk d(any_transport(), {}, {.files = {{.fd = ends[0]}}});
  auto disk = d.disk();
  CHECK(disk.finish(disk.flush()).status == VIRTIO_BLK_S_IOERR);
  REQUIRE(::dup3(d.file.fd(), ends[0], O_CLOEXEC) >= 0);  // registered already: the port keeps the pipe
  CHECK(disk.finish(disk.flush()).status == VIRTIO_BLK_S_IOERR);
  d.rig->stop();
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("stop answers every request that was taken and takes no more") {
  served_disk d(any_transport(), {.queue_size = 256});
  auto disk = d.disk();
  std::vector<blk_driver::ticket> tickets;
  const auto data = pattern(32768, 1);
  for (std::uint64_t i = 0; i < 64; ++i) tickets.push_back(disk.write(i * 64, data));
  d.rig->stop();
  const auto counters = d.rig->counters(0);
  const auto answered = std::ranges::count_if(tickets, [&](auto t) { return disk.below().finished(t); });
  CHECK(counters.requests == counters.answers);
  CHECK(counters.answers == static_cast<std::uint64_t>(answered));
  for (std::size_t i = 0; i < tickets.size(); ++i)
    if (disk.below().finished(tickets[i])) CHECK(disk.finish(tickets[i]).ok());
}

TEST_CASE("many requests are announced by few interrupts") {
  served_disk d(any_transport(), {.queue_size = 256});
  auto disk = d.disk();
  constexpr std::uint64_t rounds = 20, batch = 32;
  const virtio_blk_outhdr header{.type = VIRTIO_BLK_T_GET_ID, .ioprio = 0, .sector = 0};
  for (std::uint64_t round = 0; round < rounds; ++round) {
    std::vector<driver::ticket> tickets;
    for (std::uint64_t i = 0; i < batch; ++i)
      tickets.push_back(disk.below().offer(std::as_bytes(std::span(&header, 1)), 21, {}));
    disk.below().publish();
    for (const auto t : tickets) CHECK(disk.finish(t).ok());
  }
  CHECK(d.rig->counters(0).answers == rounds * batch);
  CHECK(d.rig->counters(0).interrupts <= 2 * rounds);
}

// What a hostile driver does to its ring behind the engine's back; then the error that the device found, and whether a
// reset of the queue brings the service back.
void check_hostile(served_disk& d, ring_error expected, const std::function<void(const split_ring&)>& attack) {
  auto disk = d.disk();
  CHECK(disk.finish(disk.read(0, 512)).ok());
  attack(disk.below().ring());
  disk.below().kick();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (d.rig->error(0) == ring_error::none && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  CHECK(d.rig->error(0) == expected);
  d.rig->reset(0);
  CHECK(disk.finish(disk.read(0, 512)).ok());
  CHECK(d.rig->error(0) == ring_error::none);
}

// Moves the available index; the entries in between are what the attack wrote, or left-overs.
void advance_index(const split_ring& ring, std::uint16_t by) {
  std::atomic_ref(ring.available->idx).fetch_add(by, std::memory_order_release);
}

void offer_head(const split_ring& ring, std::uint16_t head) {
  ring.available->ring[ring.available->idx % ring.size] = head;
  advance_index(ring, 1);
}

TEST_CASE("hostile: an available index that jumps ends the service until a reset") {
  served_disk d(any_transport());
  check_hostile(d, ring_error::avail_jump, [](const split_ring& ring) { advance_index(ring, 300); });
}

TEST_CASE("hostile: a head that is no descriptor ends the service until a reset") {
  served_disk d(any_transport());
  check_hostile(d, ring_error::bad_head, [](const split_ring& ring) { offer_head(ring, ring.size); });
}

TEST_CASE("hostile: a chain that loops ends the service until a reset") {
  served_disk d(any_transport());
  check_hostile(d, ring_error::too_long, [](const split_ring& ring) {
    ring.descriptors[9] = {.addr = shared_memory::first_address, .len = 16, .flags = VRING_DESC_F_NEXT, .next = 9};
    offer_head(ring, 9);
  });
}

TEST_CASE("hostile: a buffer outside the shared memory ends the service until a reset") {
  served_disk d(any_transport());
  check_hostile(d, ring_error::bad_address, [](const split_ring& ring) {
    ring.descriptors[9] = {.addr = 4096, .len = 16, .flags = 0, .next = 0};
    offer_head(ring, 9);
  });
}

TEST_CASE("hostile: a head that is offered twice ends the service until a reset") {
  // A read is answered in a later turn than the one that takes it, so the second offer comes too early.
  served_disk d(any_transport());
  check_hostile(d, ring_error::head_in_use, [](const split_ring& ring) {
    const std::uint64_t at = shared_memory::first_address + (1 << 20);  // some request's memory
    // Zeros: a header that says "read sector 0".
    ring.descriptors[9] = {.addr = at, .len = 16, .flags = VRING_DESC_F_NEXT, .next = 10};
    ring.descriptors[10] = {.addr = at + 4096, .len = 513, .flags = VRING_DESC_F_WRITE, .next = 0};
    ring.available->ring[ring.available->idx % ring.size] = 9;
    ring.available->ring[(ring.available->idx + 1) % ring.size] = 9;
    advance_index(ring, 2);
  });
}

TEST_CASE("a queue that is reset again and again under load serves what comes after") {
  served_disk d(any_transport());
  auto disk = d.disk();
  for (std::uint64_t round = 0; round < 50; ++round) {
    for (std::uint64_t i = 0; i < 16; ++i) disk.write(i * 8, pattern(4096, i));
    disk.flush();
    d.rig->reset(0);
    const auto data = pattern(4096, round);
    CHECK(disk.finish(disk.write(0, data)).ok());
    CHECK(disk.finish(disk.read(0, 4096)).data == data);
  }
}

TEST_CASE("a reset with writes under way leaves no answer of theirs behind") {
  served_disk d(any_transport());
  auto disk = d.disk();
  for (std::uint64_t i = 0; i < 32; ++i) disk.write(i * 64, pattern(32768, i));
  d.rig->reset(0);
  const auto t = disk.read(0, 512);
  CHECK(disk.finish(t).ok());
  CHECK(disk.below().ring().used->idx == 1);
}

TEST_CASE("a disk whose file has another size serves to its new end once it has looked, and tells it") {
  const transport& over = any_transport();
  temporary_file file(disk_bytes);
  blk device({.path = file.path()});
  std::vector<std::uint64_t> told;
  device.tell_config([&told](const std::vector<std::byte>& config) {
    told.emplace_back();
    std::memcpy(&told.back(), config.data(), sizeof told.back());
  });
  const auto rig = over.make(device, {});
  blk_driver disk(rig->queue(0));
  const std::uint64_t end = disk_bytes / sector;
  const auto data = pattern(4096, 5);

  REQUIRE(::truncate(file.path().c_str(), 2 * disk_bytes) == 0);
  CHECK(disk.finish(disk.write(end, data)).status == VIRTIO_BLK_S_IOERR);
  device.look_again();
  CHECK(disk.finish(disk.write(end, data)).ok());
  CHECK(disk.finish(disk.read(end, 4096)).data == data);

  REQUIRE(::truncate(file.path().c_str(), disk_bytes / 2) == 0);
  device.look_again();
  device.look_again();
  CHECK(disk.finish(disk.read(end, 4096)).status == VIRTIO_BLK_S_IOERR);
  CHECK(disk.finish(disk.read(end / 2 - 8, 4096)).ok());

  REQUIRE(::truncate(file.path().c_str(), 0) == 0);
  device.look_again();
  CHECK(told == std::vector<std::uint64_t>{2 * end, end / 2});
}

TEST_CASE("with spinning on, requests verify as without") {
  served_disk d(any_transport(), {}, {.spin_limit = std::chrono::microseconds(50)});
  CHECK(verify_random_io(d.disk(), d.file, 0, disk_bytes / sector, 11, 50) == "");
}

}  // namespace
}  // namespace vloop::test
