// SPDX-License-Identifier: MIT
#include "vhost_user/input_pages.hpp"

#include <linux/input-event-codes.h>
#include <linux/virtio_input.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>

namespace vloop::vhost_user {
namespace {

// Those that a driver has a bitmap for; the module takes no others.
constexpr std::array<std::uint8_t, 8> event_types{EV_KEY, EV_REL, EV_ABS, EV_MSC, EV_SW, EV_LED, EV_SND, EV_REP};
constexpr std::size_t name_bytes_max = 63;  // the driver has room for 64, and wants a zero at the end

std::string name_of(std::uint8_t select, std::uint8_t subsel) {
  return "page " + std::to_string(select) + "/" + std::to_string(subsel);
}

// Written and read whole, as other front ends do it: daemons look at no offset.
virtio_input_config window_at(client& daemon, std::uint8_t select, std::uint8_t subsel) {
  virtio_input_config window{};
  window.select = select;
  window.subsel = subsel;
  daemon.set_config(std::as_bytes(std::span(&window, 1)));
  const auto bytes = daemon.get_config(sizeof window);
  if (!bytes) daemon.link().refuse("GET_CONFIG", EPROTO, "it does not show " + name_of(select, subsel));
  std::memcpy(&window, bytes->data(), sizeof window);
  return window;
}

// Adds the page, if there is one.
void ask_for(client& daemon, std::uint8_t select, std::uint8_t subsel, std::vector<config_page>& pages) {
  const virtio_input_config window = window_at(daemon, select, subsel);
  if (window.size == 0) return;
  if (window.select != select || window.subsel != subsel)
    daemon.link().refuse(
        "GET_CONFIG", EPROTO,
        "it shows " + name_of(window.select, window.subsel) + " instead of " + name_of(select, subsel));
  if (window.size > sizeof window.u)
    daemon.link().refuse("GET_CONFIG", EPROTO,
                         "its " + name_of(select, subsel) + " has " + std::to_string(window.size) + " bytes");
  const auto bytes = std::as_bytes(std::span(window.u.bitmap, window.size));
  pages.push_back({.select = select, .subsel = subsel, .bytes = {bytes.begin(), bytes.end()}});
}

// Daemons differ in whether a text ends with a zero, and how long it may be.
void ask_for_text(client& daemon, std::uint8_t select, std::vector<config_page>& pages) {
  std::vector<config_page> found;
  ask_for(daemon, select, 0, found);
  if (found.empty()) return;
  auto& bytes = found.front().bytes;
  bytes.erase(std::find(bytes.begin(), bytes.end(), std::byte{0}), bytes.end());
  bytes.resize(std::min(bytes.size(), name_bytes_max));
  if (!bytes.empty()) pages.push_back(std::move(found.front()));
}

bool has_bit(const std::vector<std::byte>& bitmap, std::size_t number) {
  return number / 8 < bitmap.size() && (std::to_integer<unsigned>(bitmap[number / 8]) >> number % 8 & 1) != 0;
}

void ask_for_axes(client& daemon, std::vector<config_page>& pages) {
  const auto axes = std::find_if(pages.begin(), pages.end(), [](const config_page& page) {
    return page.select == VIRTIO_INPUT_CFG_EV_BITS && page.subsel == EV_ABS;
  });
  if (axes == pages.end()) return;
  const std::vector<std::byte> bitmap = axes->bytes;
  for (std::uint8_t axis = 0; axis < ABS_CNT; ++axis)
    if (has_bit(bitmap, axis)) ask_for(daemon, VIRTIO_INPUT_CFG_ABS_INFO, axis, pages);
}

}  // namespace

std::vector<config_page> ask_for_input_pages(client& daemon) {
  std::vector<config_page> pages;
  ask_for_text(daemon, VIRTIO_INPUT_CFG_ID_NAME, pages);
  ask_for_text(daemon, VIRTIO_INPUT_CFG_ID_SERIAL, pages);
  ask_for(daemon, VIRTIO_INPUT_CFG_ID_DEVIDS, 0, pages);
  ask_for(daemon, VIRTIO_INPUT_CFG_PROP_BITS, 0, pages);
  for (const std::uint8_t type : event_types) ask_for(daemon, VIRTIO_INPUT_CFG_EV_BITS, type, pages);
  ask_for_axes(daemon, pages);
  if (pages.empty()) daemon.link().refuse("GET_CONFIG", EPROTO, "it has no page of an input device; is it one");
  return pages;
}

}  // namespace vloop::vhost_user
