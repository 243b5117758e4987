// SPDX-License-Identifier: MIT
#include "adapter/device_spec.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>

using namespace vloop;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

blk_options blk_of(std::string_view text) {
  return std::get<blk_options>(parse_device_spec(text));
}
input_options input_of(std::string_view text) {
  return std::get<input_options>(parse_device_spec(text));
}
rng_options rng_of(std::string_view text) {
  return std::get<rng_options>(parse_device_spec(text));
}

/// The refusal is a usage error, one line, names the argument and says what to do.
void refused(std::string_view text, const std::string& why) {
  INFO(text);
  REQUIRE_THROWS_MATCHES(parse_device_spec(text), usage_error, MessageMatches(ContainsSubstring(why)));
  REQUIRE_THROWS_MATCHES(parse_device_spec(text), usage_error, MessageMatches(ContainsSubstring("--device '")));
  REQUIRE_THROWS_MATCHES(parse_device_spec(text), usage_error, MessageMatches(!ContainsSubstring("\n")));
}

}  // namespace

TEST_CASE("a disk with a path alone gets the defaults") {
  const auto disk = blk_of("blk=disk.img");
  CHECK(disk.path == "disk.img");
  CHECK_FALSE(disk.read_only);
  CHECK(disk.serial.empty());
  CHECK(disk.queues == 1);
  CHECK(disk.queue_size == 256);
  CHECK(disk.direct == direct_mode::automatic);
}

TEST_CASE("a disk takes every option, in any order") {
  const auto disk = blk_of("blk=/dev/sdb,direct=on,queue-size=512,queues=4,serial=abc-1,readonly");
  CHECK(disk.path == "/dev/sdb");
  CHECK(disk.read_only);
  CHECK(disk.serial == "abc-1");
  CHECK(disk.queues == 4);
  CHECK(disk.queue_size == 512);
  CHECK(disk.direct == direct_mode::on);
}

TEST_CASE("direct takes three words") {
  CHECK(blk_of("blk=d,direct=auto").direct == direct_mode::automatic);
  CHECK(blk_of("blk=d,direct=on").direct == direct_mode::on);
  CHECK(blk_of("blk=d,direct=off").direct == direct_mode::off);
  refused("blk=d,direct=yes", "direct=yes is unknown");
}

TEST_CASE("a comma in a path is written twice, an equals sign once") {
  CHECK(blk_of("blk=a,,b.img").path == "a,b.img");
  CHECK(blk_of("blk=a,,,readonly").path == "a,");
  CHECK(blk_of("blk=a,,,readonly").read_only);
  CHECK(blk_of("blk=,,").path == ",");
  CHECK(blk_of("blk=x=y=z.img,serial=a=b").path == "x=y=z.img");
  CHECK(blk_of("blk=x=y=z.img,serial=a=b").serial == "a=b");
  CHECK(blk_of("blk=a,,readonly").path == "a,readonly");
}

TEST_CASE("an rng needs nothing and takes a source") {
  CHECK(rng_of("rng").source == "/dev/urandom");
  CHECK(rng_of("rng=/dev/hwrng").source == "/dev/hwrng");
  CHECK(rng_of("rng,queue-size=4").queue_size == 4);
  refused("rng,queue-size=2", "too small: no ring is smaller than 4");
  CHECK(rng_of("rng=/a,,b,queue-size=16").source == "/a,b");
}

TEST_CASE("an external device is a socket, a class and its queues") {
  const auto of = [](const char* text) { return std::get<vhost_user::options>(parse_device_spec(text)); };
  CHECK(of("vhost-user=/run/a.sock").path == "/run/a.sock");
  CHECK(of("vhost-user=a").type == "blk");
  CHECK_FALSE(of("vhost-user=a").queues);
  CHECK(of("vhost-user=a,type=i2c").type == "i2c");
  CHECK(of("vhost-user=a,type=34").type == "34");
  CHECK(of("vhost-user=a,queues=4,queue-size=64").queues == 4);
  CHECK(of("vhost-user=a,queues=4,queue-size=64").queue_size == 64);
  CHECK(device_spec_text(parse_device_spec("vhost-user=/a,,b,type=rng,queues=1,queue-size=8")) ==
        "vhost-user=/a,,b,type=rng,queues=1,queue-size=8");
  CHECK(of("vhost-user=a,reconnect=30").reconnect == std::chrono::seconds(30));
  CHECK(of("vhost-user=a").reconnect.count() == 0);
  CHECK(device_spec_text(parse_device_spec("vhost-user=/a,type=blk,reconnect=30")) ==
        "vhost-user=/a,type=blk,reconnect=30");
  refused("vhost-user=a,reconnect=0", "out of range; give 1 to 3600");
  CHECK(device_spec_text(parse_device_spec("vhost-user=/a")) == "vhost-user=/a,type=blk");
  refused("vhost-user", "write vhost-user=PATH");
  refused("vhost-user=", "write vhost-user=PATH");
  refused("vhost-user=a,type=disk", "type='disk' is unknown; give blk, rng");
  refused("vhost-user=a,type=floppy", "type='floppy' is unknown");
  refused("vhost-user=a,type=64", "type='64' is unknown");
  refused("vhost-user=a,readonly", "vhost-user has no option 'readonly'; it has type=T");
}

TEST_CASE("data can be touched in place instead of being moved by the module") {
  CHECK_FALSE(blk_of("blk=d").in_place);
  CHECK_FALSE(blk_of("blk=d,access=mover").in_place);
  CHECK(blk_of("blk=d,access=window").in_place);
  CHECK(blk_of("blk=d,access=window,direct=off").in_place);
  CHECK(rng_of("rng,access=window").in_place);
  CHECK(device_spec_text(parse_device_spec("blk=/d,access=window")).ends_with(",direct=auto,access=window"));
  CHECK(device_spec_text(parse_device_spec("rng=/r,access=window")).ends_with(",access=window"));
  refused("blk=d,access=map", "access=map is unknown; give access=mover or access=window");
  refused("blk=d,access", "access");
  refused("blk=d,direct=on,access=window", "direct=on and access=window exclude each other");
  refused("input=synthetic:mouse,access=window", "has no option 'access'");
}

TEST_CASE("a missing or empty path is refused") {
  refused("blk", "write blk=PATH");
  refused("blk=", "write blk=PATH");
  refused("blk=,readonly", "write blk=PATH");
  refused("blk,readonly", "write blk=PATH");
  refused("rng=", "rng alone");
}

TEST_CASE("an unknown device is refused with those there are") {
  refused("floppy=a", "no device 'floppy'; the devices are blk=PATH, rng, input=SOURCE and vhost-user=PATH");
  refused("disk.img", "no device 'disk.img'");
  refused("BLK=a", "no device 'BLK'");
  refused("", "the device's name is missing");
  refused("=a", "the device's name is missing");
  refused(",readonly", "the device's name is missing");
}

TEST_CASE("an unknown option is refused with those there are") {
  refused("blk=d,colour=red", "blk has no option 'colour'; it has readonly, serial=S");
  refused("blk=d,Readonly", "blk has no option 'Readonly'");
  refused("rng,queues=2", "rng has no option 'queues'; it has queue-size=N");
}

TEST_CASE("an option given twice is refused, even with the same value") {
  refused("blk=d,queues=2,queues=4", "'queues' is given twice");
  refused("blk=d,readonly,readonly", "'readonly' is given twice");
}

TEST_CASE("an option without its value, or with one it does not take, is refused") {
  refused("blk=d,queues", "queues has no value");
  refused("blk=d,queues=", "queues has no value");
  refused("blk=d,serial=", "serial has no value");
  refused("blk=d,readonly=on", "readonly takes no value");
  refused("blk=d,", "a comma is not followed by an option");
  refused("blk=d,readonly,", "a comma is not followed by an option");
  refused("blk=d,=3", "a comma is not followed by an option");
}

TEST_CASE("the number of queues has bounds") {
  CHECK(blk_of("blk=d,queues=1").queues == 1);
  CHECK(blk_of("blk=d,queues=64").queues == 64);
  refused("blk=d,queues=0", "queues=0 is out of range; give 1 to 64");
  refused("blk=d,queues=65", "out of range");
  refused("blk=d,queues=65537", "out of range");
  refused("blk=d,queues=99999999999999999999", "out of range");
  refused("blk=d,queues=-1", "not a number");
  refused("blk=d,queues=+1", "not a number");
  refused("blk=d,queues= 1", "not a number");
  refused("blk=d,queues=1x", "not a number");
  refused("blk=d,queues=0x4", "not a number");
}

TEST_CASE("a ring's size is a power of two that a request fits in") {
  CHECK(blk_of("blk=d,queue-size=4").queue_size == 4);
  CHECK(blk_of("blk=d,queue-size=1024").queue_size == 1024);
  refused("blk=d,queue-size=0", "out of range");
  refused("blk=d,queue-size=1", "too small");
  refused("blk=d,queue-size=2", "too small: a disk request takes a header, a status");
  refused("blk=d,queue-size=3", "not a power of two; give 4, 8, 16 ... up to 1024");
  refused("blk=d,queue-size=2048", "out of range");
  refused("blk=d,queue-size=65540", "out of range");
}

TEST_CASE("a serial fits the 20 bytes there are") {
  CHECK(blk_of("blk=d,serial=12345678901234567890").serial.size() == 20);
  refused("blk=d,serial=123456789012345678901", "the serial has 21 bytes; a disk has room for 20");
  refused("blk=d,serial=a b", "the serial has a space");
  refused("blk=d,serial=\xc3\xa4", "not ASCII");
}

TEST_CASE("an input device has one of three kinds of source") {
  const auto mirrored = input_of("input=/dev/input/event3");
  CHECK(std::get<evdev_options>(mirrored.source).path == "/dev/input/event3");
  CHECK(std::get<evdev_options>(mirrored.source).grab);
  CHECK(mirrored.queue_size == 64);
  const auto mouse = std::get<synthetic_options>(input_of("input=synthetic:mouse").source);
  CHECK(mouse.kind == synthetic_kind::mouse);
  CHECK(mouse.rate == 100);
  CHECK(mouse.count == 0);
  CHECK(std::get<synthetic_options>(input_of("input=synthetic:keyboard").source).kind == synthetic_kind::keyboard);
  CHECK(std::get<event_text_options>(input_of("input=events:/tmp/a,,b:c").source).path == "/tmp/a,b:c");
  CHECK(std::get<evdev_options>(input_of("input=./events:x").source).path == "./events:x");
}

TEST_CASE("an input device takes the options of its source, in any order") {
  CHECK(std::get<evdev_options>(input_of("input=/dev/input/event3,grab").source).grab);
  CHECK_FALSE(std::get<evdev_options>(input_of("input=/dev/input/event3,queue-size=16,shared").source).grab);
  CHECK(input_of("input=/dev/input/event3,queue-size=16,shared").queue_size == 16);
  const auto mouse = input_of("input=synthetic:mouse,queue-size=128,count=5,rate=1000");
  CHECK(std::get<synthetic_options>(mouse.source).rate == 1000);
  CHECK(std::get<synthetic_options>(mouse.source).count == 5);
  CHECK(mouse.queue_size == 128);
  CHECK(input_of("input=events:a,queue-size=8").queue_size == 8);
}

TEST_CASE("an input device without a source, or with options of another one, is refused") {
  refused("input", "input needs a source; write input=/dev/input/eventN");
  refused("input=", "input needs a source");
  refused("input=synthetic:", "there is no synthetic ''; give synthetic:mouse");
  refused("input=synthetic:joystick", "there is no synthetic 'joystick'");
  refused("input=events:", "write input=events:PATH");
  refused("input=/dev/input/event3,rate=5", "input has no option 'rate'; it has grab or shared");
  refused("input=/dev/input/event3,grab,shared", "exclude each other");
  refused("input=/dev/input/event3,grab=yes", "grab takes no value");
  refused("input=synthetic:mouse,grab", "input has no option 'grab'; it has rate=N, count=N");
  refused("input=events:a,rate=5", "input has no option 'rate'; it has queue-size=N");
  refused("input=synthetic:mouse,rate=0", "rate=0 is out of range; give 1 to 100000");
  refused("input=synthetic:mouse,rate=100001", "out of range");
  refused("input=synthetic:mouse,count=-1", "not a number");
  refused("input=synthetic:mouse,queue-size=3", "not a power of two");
}

TEST_CASE("a line break in an argument does not break the line") {
  refused("blk=a\nb,colour=red", "'blk=a\\x0ab,colour=red'");
}

TEST_CASE("hostile: a value with line breaks is refused in one line") {
  refused("blk=a,direct=o\nn", "direct=o\\x0an is unknown");
  refused("blk=a,queues=\n", "queues=\\x0a is not a number");
  refused("rng,queue-size=8\x7f", "queue-size=8\\x7f is not a number");
}

TEST_CASE("a spec written out means the same device from any folder") {
  const auto here = std::filesystem::current_path().string();
  CHECK(device_spec_text(parse_device_spec("blk=/srv/disk.img")) ==
        "blk=/srv/disk.img,queues=1,queue-size=256,direct=auto");
  CHECK(device_spec_text(parse_device_spec("blk=/a,,b=c,readonly,serial=x,,y,queues=4,queue-size=64,direct=on")) ==
        "blk=/a,,b=c,readonly,serial=x,,y,queues=4,queue-size=64,direct=on");
  CHECK(device_spec_text(parse_device_spec("blk=disk.img,direct=off")) ==
        "blk=" + here + "/disk.img,queues=1,queue-size=256,direct=off");
  CHECK(device_spec_text(parse_device_spec("rng")) == "rng=/dev/urandom,queue-size=8");
  CHECK(device_spec_text(parse_device_spec("rng=a,,b")) == "rng=" + here + "/a,,b,queue-size=8");
  for (const auto* text : {"blk=/a,,b,readonly,serial=,,,queues=2,queue-size=4,direct=auto", "rng=/s,queue-size=16"})
    CHECK(device_spec_text(parse_device_spec(text)) == text);
}

TEST_CASE("a disk without a file has a size instead of a path, which is no path when it is written out") {
  CHECK(blk_of("blk=null:1G").path == "null:1073741824");
  CHECK(blk_of("blk=null:4096").path == "null:4096");
  CHECK(blk_of("blk=./null:1G").path == "./null:1G");
  CHECK(device_spec_text(parse_device_spec("blk=null:4k")) == "blk=null:4096,queues=1,queue-size=256,direct=auto");
  refused("blk=null:", "is no size");
  refused("blk=null:big", "is no size");
  refused("blk=null:512", "out of range; give 4k to 1024T");
  refused("blk=null:1025T", "out of range");
}

TEST_CASE("a size is a number with a unit of 1024, and is said as shortly as possible") {
  CHECK(parse_bytes("--size", "512", 1, UINT64_MAX) == 512);
  CHECK(parse_bytes("--size", "4k", 1, UINT64_MAX) == 4096);
  CHECK(parse_bytes("--size", "4K", 1, UINT64_MAX) == 4096);
  CHECK(parse_bytes("--size", "3M", 1, UINT64_MAX) == 3 << 20);
  CHECK(parse_bytes("--size", "2T", 1, UINT64_MAX) == std::uint64_t{2} << 40);
  CHECK(bytes_text(4096) == "4k");
  CHECK(bytes_text(1000) == "1000");
  CHECK(bytes_text(std::uint64_t{3} << 30) == "3G");
  CHECK(bytes_text(0) == "0");
  for (const char* wrong : {"", "k", "4kk", "-1", " 4", "4 k", "0x10", "1.5k", "4\n"})
    CHECK_THROWS_AS(parse_bytes("--size", wrong, 1, UINT64_MAX), usage_error);
  for (const char* outside : {"0", "9", "2k", "18446744073709551616", "17179869184G"})
    CHECK_THROWS_AS(parse_bytes("--size", outside, 10, 1024), usage_error);
}
