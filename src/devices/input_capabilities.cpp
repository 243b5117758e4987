// SPDX-License-Identifier: MIT
#include "devices/input_capabilities.hpp"

#include <linux/virtio_input.h>

#include <algorithm>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace vloop {
namespace {

constexpr std::size_t page_bytes_max = sizeof(virtio_input_config::u);
constexpr std::size_t text_bytes_max = 63;

class page_list {
 public:
  // An empty page would say no more than none.
  void add(std::uint8_t select, std::uint8_t subsel, std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    pages_.push_back({.select = select, .subsel = subsel, .bytes = {bytes.begin(), bytes.end()}});
  }
  void add(std::uint8_t select, std::string_view text) { add(select, 0, std::as_bytes(std::span(text))); }
  // As many bytes as it takes to hold the last bit that is set.
  template <std::size_t Bits>
  void add(std::uint8_t select, std::uint8_t subsel, const std::bitset<Bits>& bits) {
    static_assert(Bits <= page_bytes_max * 8);
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i < Bits; ++i) {
      if (!bits[i]) continue;
      bytes.resize(i / 8 + 1);
      bytes[i / 8] |= std::byte{1} << (i % 8);
    }
    add(select, subsel, std::span<const std::byte>(bytes));
  }

  std::vector<config_page> take() { return std::move(pages_); }

 private:
  std::vector<config_page> pages_;
};

virtio_input_absinfo to_wire(const axis_range& a) {
  const auto bits = [](std::int32_t value) { return static_cast<std::uint32_t>(value); };
  return {
      .min = bits(a.min), .max = bits(a.max), .fuzz = bits(a.fuzz), .flat = bits(a.flat), .res = bits(a.resolution)};
}

std::string printable(std::string_view text) {
  std::string out(text.substr(0, text_bytes_max));
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  std::replace_if(out.begin(), out.end(), is_control, '?');
  return out;
}

}  // namespace

std::size_t code_count(std::size_t type) {
  switch (type) {
    case EV_KEY:
      return KEY_CNT;
    case EV_REL:
      return REL_CNT;
    case EV_ABS:
      return ABS_CNT;
    case EV_MSC:
      return MSC_CNT;
    case EV_SW:
      return SW_CNT;
    case EV_LED:
      return LED_CNT;
    case EV_SND:
      return SND_CNT;
    case EV_REP:
      return REP_CNT;
    default:
      return 0;
  }
}

std::size_t input_capabilities::slots() const {
  const axis_range& slot = axes[ABS_MT_SLOT];
  const bool counted = has(EV_ABS, ABS_MT_SLOT) && slot.min == 0 && slot.max >= 0 && slot.max < touch_slots_max;
  return counted ? static_cast<std::size_t>(slot.max) + 1 : 0;
}

input_capabilities served_part(input_capabilities all) {
  all.name = printable(all.name);
  all.serial = printable(all.serial);
  if (all.slots() == 0) all.codes[EV_ABS].reset(ABS_MT_SLOT);
  for (std::size_t axis = 0; axis < ABS_CNT; ++axis) {
    const std::int64_t range = std::int64_t{all.axes[axis].max} - all.axes[axis].min;
    if (range < 0 || range >= std::numeric_limits<std::int32_t>::max()) all.codes[EV_ABS].reset(axis);
    if (all.axes[axis].flat < 0 || all.axes[axis].flat > range) all.axes[axis].flat = 0;
  }
  for (std::size_t type = 0; type < EV_CNT; ++type)
    for (std::size_t code = code_count(type); code < KEY_CNT; ++code) all.codes[type].reset(code);
  return all;
}

std::vector<config_page> input_pages(const input_capabilities& served) {
  page_list pages;
  pages.add(VIRTIO_INPUT_CFG_ID_NAME, served.name);
  pages.add(VIRTIO_INPUT_CFG_ID_SERIAL, served.serial);
  const virtio_input_devids ids{.bustype = served.ids.bustype,
                                .vendor = served.ids.vendor,
                                .product = served.ids.product,
                                .version = served.ids.version};
  pages.add(VIRTIO_INPUT_CFG_ID_DEVIDS, 0, std::as_bytes(std::span(&ids, 1)));
  pages.add(VIRTIO_INPUT_CFG_PROP_BITS, 0, served.properties);
  for (std::size_t type = 0; type < EV_CNT; ++type)
    pages.add(VIRTIO_INPUT_CFG_EV_BITS, static_cast<std::uint8_t>(type), served.codes[type]);
  for (std::size_t axis = 0; axis < ABS_CNT; ++axis) {
    if (!served.codes[EV_ABS][axis]) continue;
    const virtio_input_absinfo range = to_wire(served.axes[axis]);
    pages.add(VIRTIO_INPUT_CFG_ABS_INFO, static_cast<std::uint8_t>(axis), std::as_bytes(std::span(&range, 1)));
  }
  return pages.take();
}

}  // namespace vloop
