// SPDX-License-Identifier: MIT
// What the block device asks of a transport for each request: seen by a port that writes it down and moves nothing.
#include <catch2/catch_test_macros.hpp>

#include <cerrno>
#include <cstring>
#include <functional>
#include <vector>

#include "devices/blk.hpp"
#include "runtime/task_group.hpp"
#include "support/temporary_file.hpp"

namespace vloop::test {
namespace {

constexpr std::uint64_t flush_feature = std::uint64_t{1} << VIRTIO_BLK_F_FLUSH;

struct asked {
  transfer what;
  answer_status status;
  bool fused = false;  // by answer(): nobody waits
};

struct writing_port final : queue_port {
  std::vector<asked> log;
  std::int32_t result = 0;  // of every run()

  void run(const request_id&, const transfer& t, transfer_waiter& waiter) override {
    log.push_back({.what = t, .status = {}, .fused = false});
    waiter.done(result);
  }
  void answer(const request_id&, const transfer& t, answer_status status) override {
    log.push_back({.what = t, .status = status, .fused = true});
  }
};

fetched make_request(std::uint32_t type, std::uint64_t sector, std::uint32_t data_out, std::uint32_t writable) {
  const blk_header header{.type = type, .ioprio = 0, .sector = sector};
  fetched f{};
  f.readable = static_cast<std::uint32_t>(sizeof header) + data_out;
  f.writable = writable;
  f.inline_size = sizeof header;
  std::memcpy(f.inline_bytes.data(), &header, sizeof header);
  return f;
}

// Serves one request after the other and gives what the device asked for each.
class observed_disk {
 public:
  explicit observed_disk(std::uint64_t acked) : file_(1 << 20), disk_(blk_options{.path = file_.path()}) {
    disk_.start(acked);
  }
  std::vector<asked> serve(const std::vector<fetched>& requests, std::int32_t result = 0) {
    port_ = writing_port{};
    port_.result = result;
    io_.run(serve_all(requests));
    return port_.log;
  }

 private:
  task<void> serve_all(const std::vector<fetched>& requests) {
    queue q(0, 16, port_);
    for (const fetched& f : requests) q.deliver(f);
    q.stop();
    co_await disk_.serve(q, io_);
  }

  temporary_file file_;
  blk disk_;
  loop io_;
  writing_port port_;
};

TEST_CASE("a read is one fused transfer from the file with a status") {
  observed_disk disk(~std::uint64_t{0});
  const auto log = disk.serve({make_request(VIRTIO_BLK_T_IN, 8, 0, 4097)});
  REQUIRE(log.size() == 1);
  CHECK(log[0].fused);
  CHECK(log[0].what.what == verb::file_to_request);
  CHECK(log[0].what.offset == 4096);
  CHECK(log[0].what.length == 4096);
  CHECK(log[0].what.skip == 0);
  CHECK(log[0].status.present);
  CHECK(log[0].status.ok == VIRTIO_BLK_S_OK);
  CHECK(log[0].status.error == VIRTIO_BLK_S_IOERR);
}

TEST_CASE("a write is one fused transfer to the file, from behind the header") {
  observed_disk disk(~std::uint64_t{0});
  const auto log = disk.serve({make_request(VIRTIO_BLK_T_OUT, 2, 512, 1)});
  REQUIRE(log.size() == 1);
  CHECK(log[0].fused);
  CHECK(log[0].what.what == verb::request_to_file);
  CHECK(log[0].what.offset == 1024);
  CHECK(log[0].what.length == 512);
  CHECK(log[0].what.skip == 16);
}

TEST_CASE("a write is stable before its answer exactly when FLUSH was not acknowledged") {
  const auto write = make_request(VIRTIO_BLK_T_OUT, 0, 512, 1);
  CHECK_FALSE(observed_disk(~std::uint64_t{0}).serve({write})[0].what.dsync);
  CHECK(observed_disk(~flush_feature).serve({write})[0].what.dsync);
}

TEST_CASE("a flush syncs the file that writes go to, and is answered after it") {
  observed_disk disk(~std::uint64_t{0});
  const auto log = disk.serve({make_request(VIRTIO_BLK_T_OUT, 0, 512, 1), make_request(VIRTIO_BLK_T_FLUSH, 0, 0, 1)});
  REQUIRE(log.size() == 3);
  CHECK(log[1].what.what == verb::sync);
  CHECK(log[1].what.file == log[0].what.file);
  CHECK_FALSE(log[1].fused);
  CHECK(log[2].what.what == verb::none);
  CHECK(log[2].status.ok == VIRTIO_BLK_S_OK);
}

TEST_CASE("after one failed sync every later flush fails, though its own sync succeeds") {
  observed_disk disk(~std::uint64_t{0});
  const auto flush = make_request(VIRTIO_BLK_T_FLUSH, 0, 0, 1);
  CHECK(disk.serve({flush}, -EIO).back().status.ok == VIRTIO_BLK_S_IOERR);
  CHECK(disk.serve({flush}, 0).back().status.ok == VIRTIO_BLK_S_IOERR);
}

TEST_CASE("a refused request moves nothing") {
  observed_disk disk(~std::uint64_t{0});
  const auto log = disk.serve({make_request(VIRTIO_BLK_T_IN, 2048, 0, 513), make_request(99, 0, 0, 1)});
  REQUIRE(log.size() == 2);
  CHECK(log[0].what.what == verb::none);
  CHECK(log[0].status.ok == VIRTIO_BLK_S_IOERR);
  CHECK(log[1].what.what == verb::none);
  CHECK(log[1].status.ok == VIRTIO_BLK_S_UNSUPP);
}

}  // namespace
}  // namespace vloop::test
