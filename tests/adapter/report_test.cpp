// SPDX-License-Identifier: MIT
#include "adapter/report.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

using namespace vloop::adapter;

namespace {

/// A service manager: a datagram socket in the abstract name space, named in NOTIFY_SOCKET while it lives.
class listening_manager {
 public:
  explicit listening_manager(const std::string& name) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    REQUIRE(bind(fd_, reinterpret_cast<const sockaddr*>(&address), bytes) == 0);
    setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  }
  listening_manager(const listening_manager&) = delete;
  listening_manager& operator=(const listening_manager&) = delete;
  ~listening_manager() {
    unsetenv("NOTIFY_SOCKET");
    close(fd_);
  }

  std::string heard() const {
    std::array<char, 64> text{};
    const auto n = recv(fd_, text.data(), text.size(), 0);
    return n < 0 ? "" : std::string(text.data(), static_cast<std::size_t>(n));
  }

 private:
  int fd_;
};

}  // namespace

TEST_CASE("a device that is there is one line, its node first") {
  CHECK(device_line({"blk", "disk.img", "vloop0", "virtio0", "/dev/vda"}) == "/dev/vda blk disk.img");
  CHECK(device_line({"blk", "disk.img", "vloop0", "virtio0", ""}) == "- blk disk.img");
}

TEST_CASE("the same as JSON, escaped") {
  CHECK(device_json({"blk", "disk.img", "vloop3", "virtio0", "/dev/vda"}) ==
        R"({"device":"blk","path":"disk.img","id":"vloop3","virtio":"virtio0","node":"/dev/vda"})");
  CHECK(device_json({"blk", "a\"b\\c\n", "vloop3", "virtio0", ""}) ==
        R"({"device":"blk","path":"a\"b\\c\u000a","id":"vloop3","virtio":"virtio0","node":null})");
  CHECK(device_json({"rng", "/dev/urandom", "", "", "rng.sock"}) ==
        R"({"device":"rng","path":"/dev/urandom","id":null,"virtio":null,"node":"rng.sock"})");
}

TEST_CASE("the table of devices is aligned, and says when there is none") {
  CHECK(device_table_text({}) == "no devices");
  listed_device disk;
  disk.id = 3;
  disk.state = "live";
  disk.server = 4711;
  disk.shape.id = 2;
  disk.node = "/dev/vda";
  disk.files = {"/srv/a\nb.img"};
  listed_device source;
  source.id = 12;
  source.state = "deserted";
  source.shape.id = 4;
  source.recoveries = 2;
  CHECK(device_table_text({disk, source}) ==
        "ID       NODE      KIND  STATE     PID   RECOVERIES  BACKING\n"
        "vloop3   /dev/vda  blk   live      4711  0           /srv/a?b.img\n"
        "vloop12  -         rng   deserted  -     2           -");
}

TEST_CASE("a listed device as JSON has all that is known of it") {
  listed_device disk;
  disk.id = 3;
  disk.state = "live";
  disk.server = 4711;
  disk.on_exit = "reissue";
  disk.grace_ms = 30000;
  disk.recoveries = 1;
  disk.owner = 1000;
  disk.shape.id = 2;
  disk.virtio = "virtio5";
  disk.files = {"/srv/a.img", "/srv/\"b"};
  disk.description = "any text";
  CHECK(listed_json(disk) ==
        R"({"id":"vloop3","node":null,"virtio":"virtio5","device":"blk","device_id":2,"state":"live","pid":4711,)"
        R"("recoveries":1,"on_exit":"reissue","grace_ms":30000,"owner":1000,"backing":"/srv/a.img, /srv/\"b",)"
        R"("files":["/srv/a.img","/srv/\"b"],"description":"any text"})");
}

TEST_CASE("the service manager is told when it asked, and only then") {
  CHECK_FALSE(notify_service_manager("READY=1"));
  {
    const listening_manager manager("vloop-report-test-" + std::to_string(getpid()));
    CHECK(notify_service_manager("READY=1"));
    CHECK(manager.heard() == "READY=1");
  }
  setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
  CHECK_FALSE(notify_service_manager("READY=1"));
  setenv("NOTIFY_SOCKET", std::string(200, '/').c_str(), 1);
  CHECK_FALSE(notify_service_manager("READY=1"));
  unsetenv("NOTIFY_SOCKET");
}
