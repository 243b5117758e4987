// SPDX-License-Identifier: MIT
#include "adapter/device_table.hpp"

#include <catch2/catch_test_macros.hpp>

#include "fake_system.hpp"

using namespace vloop;
using namespace vloop::adapter;

TEST_CASE("without the module, or without a device, nothing is listed") {
  const fake_system system;
  CHECK(list_devices(system.folders()).empty());
  system.make_folder("sys/class/vloop");
  CHECK(list_devices(system.folders()).empty());
}

TEST_CASE("a device is listed with what its attributes say") {
  const fake_system system;
  system.add_disk(3);
  const auto devices = list_devices(system.folders());
  REQUIRE(devices.size() == 1);
  const auto& disk = devices.front();
  CHECK(disk.name() == "vloop3");
  CHECK(disk.state == "live");
  CHECK(disk.server == 4711);
  CHECK(disk.on_exit == "reissue");
  CHECK(disk.grace_ms == 30000);
  CHECK(disk.recoveries == 2);
  CHECK(disk.owner == 1000);
  CHECK(disk.shape.id == 2);
  CHECK(disk.shape.features == 0x130000244);
  CHECK(disk.shape.queue_count == 2);
  CHECK(disk.shape.queue_sizes == std::vector<std::uint16_t>{256, 128});
  CHECK(disk.shape.config == std::vector<std::byte>{std::byte{0x00}, std::byte{0x2a}, std::byte{0xff}});
  CHECK(disk.files == std::vector<std::string>{"/srv/disk one.img"});  // open twice, told once
  CHECK(disk.description == "vloop/1 threads=2 poll=70 blk=/srv/described.img,queues=2");
  CHECK(disk.virtio == "virtio7");
  CHECK(disk.node == "/dev/vdx");
  CHECK(disk.recoverable());
  CHECK_FALSE(disk.deserted());
}

TEST_CASE("devices are listed by number") {
  const fake_system system;
  system.add_disk(10);
  system.add_disk(9);
  system.make_folder("sys/class/vloop/vloopx");
  const auto devices = list_devices(system.folders());
  REQUIRE(devices.size() == 2);
  CHECK(devices[0].id == 9);
  CHECK(devices[1].id == 10);
}

TEST_CASE("attributes that vanish are read as nothing, a device without its state is left out") {
  const fake_system system;
  system.add_disk(0);
  system.remove("sys/class/vloop/vloop0/server_pid");
  system.remove("sys/class/vloop/vloop0/files");
  system.remove("sys/class/vloop/vloop0/queue_sizes");
  system.remove("sys/bus/virtio/devices/virtio7");
  const auto disk = find_device(0, system.folders());
  REQUIRE(disk);
  CHECK(disk->server == 0);
  CHECK(disk->files.empty());
  CHECK_FALSE(disk->shape.queue_sizes);
  CHECK(disk->node.empty());
  system.remove("sys/class/vloop/vloop0/state");
  CHECK_FALSE(find_device(0, system.folders()));
  CHECK(list_devices(system.folders()).empty());
}

TEST_CASE("a path with a line break or a backslash is read as it is") {
  const fake_system system;
  system.add_disk(0);
  system.write("sys/class/vloop/vloop0/files", "0 /a\\012b\\134c\\d\\9\n1 /e\\01");
  CHECK(find_device(0, system.folders())->files == std::vector<std::string>{"/a\nb\\c\\d\\9", "/e\\01"});
}

TEST_CASE("a configuration that is not shown whole is not known") {
  const fake_system system;
  system.add_disk(0);
  system.write("sys/class/vloop/vloop0/config", std::string(2048, '0'));
  CHECK_FALSE(find_device(0, system.folders())->shape.config);
  system.write("sys/class/vloop/vloop0/config", "");
  CHECK(find_device(0, system.folders())->shape.config->empty());
}

TEST_CASE("a node that is not there is not told") {
  const fake_system system;
  system.add_disk(0);
  system.remove("dev/vdx");
  CHECK(find_device(0, system.folders())->node.empty());
}

TEST_CASE("what backs a device is its files, or what its description names") {
  listed_device device;
  CHECK(backing_of(device) == "-");
  device.description = "another program's";
  CHECK(backing_of(device) == "-");
  device.description = "vloop/1 blk=/srv/a,,b";
  CHECK(backing_of(device) == "/srv/a,b");
  device.description = "vloop/1 rng=/dev/random";
  CHECK(backing_of(device) == "/dev/random");
  device.description = "vloop/1 input=/dev/input/event3,shared";
  CHECK(backing_of(device) == "/dev/input/event3");
  device.description = "vloop/1 input=synthetic:mouse";
  CHECK(backing_of(device) == "synthetic:mouse");
  device.files = {"/one", "/two"};
  CHECK(backing_of(device) == "/one, /two");
}

TEST_CASE("a device is deserted when it is recoverable and nobody serves it") {
  listed_device device;
  device.on_exit = "queue";
  device.state = "deserted";
  CHECK(device.deserted());
  device.state = "failing";
  CHECK(device.deserted());
  device.state = "live";
  CHECK_FALSE(device.deserted());
  device.state = "failing";
  device.on_exit = "fail";
  CHECK_FALSE(device.deserted());
}

TEST_CASE("a number that is given to a new device has another identity") {
  const fake_system system;
  CHECK(identity_of_device(0, system.folders()) == 0);
  system.add_disk(0);
  const auto first = identity_of_device(0, system.folders());
  CHECK(first != 0);
  system.move("sys/class/vloop/vloop0", "sys/elsewhere");
  CHECK(identity_of_device(0, system.folders()) == 0);
  system.add_disk(0);
  CHECK(identity_of_device(0, system.folders()) != first);
}
