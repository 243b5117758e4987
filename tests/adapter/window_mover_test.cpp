// SPDX-License-Identifier: MIT
#include "adapter/window_mover.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include "support/temporary_file.hpp"

using namespace vloop;
using namespace vloop::adapter;

namespace {

constexpr std::size_t slice = 16384, page = 4096;
constexpr std::uint16_t queue_size = 4;
constexpr answer_status status{.present = true, .ok = 0, .error = 1};

std::vector<std::byte> bytes_of(char value, std::size_t count) {
  return std::vector<std::byte>(count, static_cast<std::byte>(value));
}

// A window whose pages can be taken away, and who is told of what was moved in it.
class rig : public window_mover::receiver {
 public:
  rig()
      : memory_(static_cast<std::byte*>(
            ::mmap(nullptr, slice * queue_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))),
        mover(io, {.descriptors = table_.data(), .memory = {memory_, slice * queue_size}, .size = queue_size}, files_,
              *this) {}
  ~rig() { ::munmap(memory_, slice * queue_size); }

  // Header, data in two pieces that are not next to each other, status: as virtio_blk lays a request out.
  void lay_out_disk_request(std::uint16_t head, bool read, std::uint64_t addresses_from = 0) {
    const std::uint64_t at = addresses_from + slice * head;
    const auto data = static_cast<std::uint16_t>(read ? VRING_DESC_F_NEXT | VRING_DESC_F_WRITE : VRING_DESC_F_NEXT);
    table_[0] = {.addr = at + 64, .len = 16, .flags = VRING_DESC_F_NEXT, .next = 1};
    table_[1] = {.addr = at + page + 512, .len = 512, .flags = data, .next = 2};
    table_[2] = {.addr = at + 2 * page, .len = 1024, .flags = data, .next = 3};
    table_[3] = {.addr = at + 3 * page + 99, .len = 1, .flags = VRING_DESC_F_WRITE, .next = 0};
  }

  std::byte* at(std::size_t offset) const { return memory_ + offset; }
  void take_away_slice(std::uint16_t head) { ::mprotect(memory_ + slice * head, slice, PROT_NONE); }

  void moved(const request_id& id, const transfer& t, answer_status, std::int32_t bytes) noexcept override {
    told.push_back({id.seq, t.what, bytes});
  }
  void run() {
    io.run([](rig& r) -> task<void> {
      while (!r.mover.idle()) co_await r.io.next_turn();
    }(*this));
  }

  struct outcome {
    std::uint32_t seq;
    verb what;
    std::int32_t bytes;
  };
  std::vector<outcome> told;
  test::temporary_file file{8192};

 private:
  std::array<vring_desc, queue_size> table_{};
  std::array<file_description, 1> files_{file_description{.fd = file.fd()}};
  std::byte* memory_;

 public:
  loop io;
  window_mover mover;
};

}  // namespace

TEST_CASE("a read of the file fills the request's own pieces and nothing beside them") {
  rig r;
  r.file.write(1000, bytes_of('a', 1536));
  r.lay_out_disk_request(0, true);
  const request_id id{0, 7};
  r.mover.taken(id);
  const transfer t = move_from(0, 1000, 1536);
  REQUIRE(r.mover.can_move(id, t));
  r.mover.move(id, t, status);
  r.run();
  REQUIRE(r.told.size() == 1);
  CHECK(r.told[0].seq == 7);
  CHECK(r.told[0].bytes == 1536);
  CHECK(std::vector(r.at(page + 512), r.at(page + 1024)) == bytes_of('a', 512));
  CHECK(std::vector(r.at(2 * page), r.at(2 * page + 1024)) == bytes_of('a', 1024));
  CHECK(*r.at(page + 511) == std::byte{0});
  CHECK(*r.at(page + 1024) == std::byte{0});
  CHECK(*r.at(2 * page + 1024) == std::byte{0});
}

TEST_CASE("a write takes the request's data without its header") {
  rig r;
  r.lay_out_disk_request(0, false);
  const auto data = bytes_of('b', 1024);
  std::copy_n(data.begin(), 512, r.at(page + 512));
  std::copy_n(data.begin(), 1024, r.at(2 * page));
  const request_id id{0, 1};
  r.mover.taken(id);
  r.mover.move(id, move_to(0, 4096, 1536, 16), status);
  r.run();
  REQUIRE(r.told.size() == 1);
  CHECK(r.told[0].bytes == 1536);
  CHECK(r.file.read(4096, 1536) == bytes_of('b', 1536));
}

TEST_CASE("a file that ends too early gives what there was") {
  rig r;
  r.lay_out_disk_request(0, true);
  const request_id id{0, 1};
  r.mover.taken(id);
  r.mover.move(id, move_from(0, 8192 - 512, 1536), status);
  r.run();
  REQUIRE(r.told.size() == 1);
  CHECK(r.told[0].bytes == 512);
}

TEST_CASE("a copy into a request is done at once") {
  rig r;
  r.lay_out_disk_request(0, true);
  const request_id id{0, 1};
  r.mover.taken(id);
  const auto data = bytes_of('c', 600);
  r.mover.move(id, copy_in(data), status);
  REQUIRE(r.told.size() == 1);
  CHECK(r.told[0].bytes == 600);
  CHECK(*r.at(page + 512) == std::byte{'c'});
  CHECK(*r.at(2 * page + 87) == std::byte{'c'});
  CHECK(*r.at(2 * page + 88) == std::byte{0});
}

TEST_CASE("memory that is taken away fails the transfer with EFAULT") {
  rig r;
  r.lay_out_disk_request(0, false);
  const request_id id{0, 1};
  r.mover.taken(id);
  r.take_away_slice(0);
  r.mover.move(id, move_to(0, 0, 1536, 16), status);
  r.run();
  REQUIRE(r.told.size() == 1);
  CHECK(r.told[0].bytes == -EFAULT);
  CHECK(r.file.read(0, 1536) == bytes_of(0, 1536));
}

TEST_CASE("what is not in the window, or not the request's, is left to others") {
  rig r;
  r.lay_out_disk_request(0, true, ~std::uint64_t{0} - 3 * slice);
  r.mover.taken({0, 1});
  CHECK_FALSE(r.mover.can_move({0, 1}, move_from(0, 0, 512)));
  r.lay_out_disk_request(0, true);
  r.mover.taken({0, 2});
  CHECK(r.mover.can_move({0, 2}, move_from(0, 0, 1536)));
  CHECK_FALSE(r.mover.can_move({0, 1}, move_from(0, 0, 512)));
  CHECK_FALSE(r.mover.can_move({0, 2}, move_from(0, 0, 1538)));
  CHECK_FALSE(r.mover.can_move({0, 2}, move_from(1, 0, 512)));
  CHECK_FALSE(r.mover.can_move({0, 2}, move_to(0, 0, 512)));
  CHECK_FALSE(r.mover.can_move({0, 2}, sync(0)));
  CHECK_FALSE(r.mover.can_move({0, 2}, nothing()));
  CHECK_FALSE(r.mover.can_move({queue_size, 2}, move_from(0, 0, 512)));
}

TEST_CASE("a head that is used again under a transfer waits until that has ended") {
  rig r;
  r.file.write(0, bytes_of('d', 512));
  r.file.write(2048, bytes_of('e', 512));
  r.lay_out_disk_request(0, true);
  r.mover.taken({0, 1});
  r.mover.move({0, 1}, move_from(0, 0, 512), status);
  r.mover.taken({0, 2});  // the driver reset the queue
  REQUIRE(r.mover.can_move({0, 2}, move_from(0, 2048, 512)));
  r.mover.move({0, 2}, move_from(0, 2048, 512), status);
  r.run();
  REQUIRE(r.told.size() == 2);
  CHECK(r.told[0].seq == 1);
  CHECK(r.told[1].seq == 2);
  CHECK(r.told[1].bytes == 512);
  CHECK(std::vector(r.at(page + 512), r.at(page + 1024)) == bytes_of('e', 512));
}

TEST_CASE("a request that waits for a transfer is forgotten when the driver resets once more") {
  rig r;
  r.lay_out_disk_request(0, true);
  r.mover.taken({0, 1});
  r.mover.move({0, 1}, move_from(0, 0, 512), status);
  r.mover.taken({0, 2});
  r.mover.move({0, 2}, move_from(0, 0, 512), status);
  r.mover.taken({0, 3});
  r.run();
  REQUIRE(r.told.size() == 1);
  CHECK(r.told[0].seq == 1);
  CHECK(r.mover.can_move({0, 3}, move_from(0, 0, 512)));
}
