// SPDX-License-Identifier: MIT
// What an input device tells a driver of itself.
#include "devices/input_capabilities.hpp"

#include <catch2/catch_test_macros.hpp>

#include <linux/virtio_input.h>

#include <cstring>
#include <limits>
#include <optional>
#include <string>

namespace vloop::test {
namespace {

using bytes = std::vector<std::byte>;

std::optional<bytes> page(const std::vector<config_page>& pages, unsigned select, unsigned subsel = 0) {
  std::optional<bytes> found;
  for (const config_page& p : pages) {
    if (p.select != select || p.subsel != subsel) continue;
    REQUIRE_FALSE(found);  // one page for one selection
    found = p.bytes;
  }
  return found;
}

std::string text(const std::optional<bytes>& contents) {
  REQUIRE(contents);
  return {reinterpret_cast<const char*>(contents->data()), contents->size()};
}

bool bit(const bytes& bitmap, std::size_t number) {
  return number / 8 < bitmap.size() && (bitmap[number / 8] >> (number % 8) & std::byte{1}) != std::byte{0};
}

TEST_CASE("name, serial and ids have a page each") {
  input_capabilities c;
  c.name = "A mouse";
  c.serial = "00-1";
  c.ids = {.bustype = BUS_USB, .vendor = 0x1234, .product = 0x5678, .version = 0x9abc};
  const auto pages = input_pages(c);
  CHECK(text(page(pages, VIRTIO_INPUT_CFG_ID_NAME)) == "A mouse");
  CHECK(text(page(pages, VIRTIO_INPUT_CFG_ID_SERIAL)) == "00-1");
  virtio_input_devids ids{};
  const auto contents = page(pages, VIRTIO_INPUT_CFG_ID_DEVIDS);
  REQUIRE(contents);
  REQUIRE(contents->size() == sizeof ids);
  std::memcpy(&ids, contents->data(), sizeof ids);
  CHECK(ids.bustype == BUS_USB);
  CHECK(ids.vendor == 0x1234);
  CHECK(ids.product == 0x5678);
  CHECK(ids.version == 0x9abc);
}

TEST_CASE("what is empty has no page") {
  const auto pages = input_pages({});
  CHECK_FALSE(page(pages, VIRTIO_INPUT_CFG_ID_NAME));
  CHECK_FALSE(page(pages, VIRTIO_INPUT_CFG_ID_SERIAL));
  CHECK_FALSE(page(pages, VIRTIO_INPUT_CFG_PROP_BITS));
  CHECK_FALSE(page(pages, VIRTIO_INPUT_CFG_EV_BITS, EV_KEY));
}

TEST_CASE("texts are cut to what Linux has room for, and control characters become question marks") {
  input_capabilities c;
  c.name = "a\nb\x7f" + std::string(300, 'x');
  c.serial = "\xc3\xa4";
  const auto served = served_part(c);
  CHECK(served.name == "a?b?" + std::string(59, 'x'));
  CHECK(served.serial == c.serial);
}

TEST_CASE("a bitmap is as long as its last bit needs") {
  input_capabilities c;
  c.codes[EV_KEY].set(KEY_A);     // 30
  c.codes[EV_KEY].set(BTN_LEFT);  // 0x110
  const auto keys = page(input_pages(c), VIRTIO_INPUT_CFG_EV_BITS, EV_KEY);
  REQUIRE(keys);
  CHECK(keys->size() == BTN_LEFT / 8 + 1);
  CHECK(bit(*keys, KEY_A));
  CHECK(bit(*keys, BTN_LEFT));
  CHECK_FALSE(bit(*keys, KEY_B));
}

TEST_CASE("the last key there is fits") {
  input_capabilities c;
  c.codes[EV_KEY].set(KEY_CNT - 1);
  CHECK(page(input_pages(c), VIRTIO_INPUT_CFG_EV_BITS, EV_KEY)->size() == KEY_CNT / 8);
}

TEST_CASE("each axis has its range in a page of its own") {
  input_capabilities c;
  c.codes[EV_ABS].set(ABS_Y);
  c.axes[ABS_Y] = {.min = -5, .max = 1000, .fuzz = 2, .flat = 3, .resolution = 40};
  const auto contents = page(input_pages(c), VIRTIO_INPUT_CFG_ABS_INFO, ABS_Y);
  REQUIRE(contents);
  virtio_input_absinfo range{};
  REQUIRE(contents->size() == sizeof range);
  std::memcpy(&range, contents->data(), sizeof range);
  CHECK(static_cast<std::int32_t>(range.min) == -5);
  CHECK(range.max == 1000);
  CHECK(range.fuzz == 2);
  CHECK(range.flat == 3);
  CHECK(range.res == 40);
  CHECK_FALSE(page(input_pages(c), VIRTIO_INPUT_CFG_ABS_INFO, ABS_X));
}

TEST_CASE("what virtio cannot serve is left out: force feedback, power, synchronisation") {
  input_capabilities c;
  for (const auto type : {EV_SYN, EV_FF, EV_PWR, EV_FF_STATUS}) c.codes[type].set(1);
  c.codes[EV_LED].set(LED_CAPSL);
  const auto served = served_part(c);
  for (const auto type : {EV_SYN, EV_FF, EV_PWR, EV_FF_STATUS}) CHECK(served.codes[type].none());
  CHECK(served.codes[EV_LED].count() == 1);
}

TEST_CASE("a range that cannot be computed with is no axis, and what lies flat lies within the range") {
  input_capabilities c;
  c.codes[EV_ABS].set(ABS_X).set(ABS_Y).set(ABS_Z);
  c.axes[ABS_X] = {.min = -1, .max = std::numeric_limits<std::int32_t>::max() - 1};
  c.axes[ABS_Y] = {.max = 10, .flat = 11};
  c.axes[ABS_Z] = {.max = 10, .flat = -1};
  const auto served = served_part(c);
  CHECK(served.codes[EV_ABS] == code_set{}.set(ABS_Y).set(ABS_Z));
  CHECK(served.axes[ABS_Y].flat == 0);
  CHECK(served.axes[ABS_Z].flat == 0);
}

TEST_CASE("what a driver could trip over is left out: codes beyond the type's, empty ranges, uncountable fingers") {
  input_capabilities c;
  c.codes[EV_ABS].set(ABS_CNT + 3).set(ABS_X).set(ABS_Y).set(ABS_MT_SLOT);
  c.codes[EV_LED].set(LED_CNT);
  c.axes[ABS_X] = {.min = 3, .max = 2};
  c.axes[ABS_MT_SLOT] = {.max = touch_slots_max};
  const auto served = served_part(c);
  CHECK(served.codes[EV_ABS] == code_set{}.set(ABS_Y));
  CHECK(served.codes[EV_LED].none());
  CHECK(served.slots() == 0);
}

TEST_CASE("fingers are counted by the range of their slots") {
  input_capabilities c;
  CHECK(c.slots() == 0);
  c.codes[EV_ABS].set(ABS_MT_SLOT);
  c.axes[ABS_MT_SLOT] = {.max = 9};
  CHECK(c.slots() == 10);
  c.axes[ABS_MT_SLOT] = {.max = -1};
  CHECK(c.slots() == 0);
  c.axes[ABS_MT_SLOT] = {.min = 1, .max = 9};
  CHECK(c.slots() == 0);
}

}  // namespace
}  // namespace vloop::test
