// SPDX-License-Identifier: MIT
#include "adapter/device_spec.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using namespace vloop;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

blk_options blk_of(std::string_view text) {
  return std::get<blk_options>(parse_device_spec(text));
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

TEST_CASE("a missing or empty path is refused") {
  refused("blk", "write blk=PATH");
  refused("blk=", "write blk=PATH");
  refused("blk=,readonly", "write blk=PATH");
  refused("blk,readonly", "write blk=PATH");
  refused("rng=", "rng alone");
}

TEST_CASE("an unknown device is refused with those there are") {
  refused("floppy=a", "no device 'floppy'; the devices are blk=PATH and rng");
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

TEST_CASE("a line break in an argument does not break the line") {
  refused("blk=a\nb,colour=red", "'blk=a\\x0ab,colour=red'");
}
