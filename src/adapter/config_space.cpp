// SPDX-License-Identifier: MIT
#include "adapter/config_space.hpp"

#include <linux/virtio_input.h>

#include <algorithm>

namespace vloop::adapter {

namespace {

// The layout of virtio 1.3, 5.8.4, the one device type that has pages.
constexpr std::size_t select_at = offsetof(virtio_input_config, select);
constexpr std::size_t subsel_at = offsetof(virtio_input_config, subsel);
constexpr std::size_t size_at = offsetof(virtio_input_config, size);
constexpr std::size_t contents_at = offsetof(virtio_input_config, u);

}  // namespace

std::size_t config_space::size() const {
  return of_.pages.empty() ? of_.config.size() : sizeof(virtio_input_config);
}

void config_space::read(std::size_t offset, std::span<std::byte> out) const {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = offset < size() && i < size() - offset ? at(offset + i) : std::byte{};
}

void config_space::write(std::size_t offset, std::span<const std::byte> bytes) {
  if (offset <= select_at && select_at - offset < bytes.size()) select_ = bytes[select_at - offset];
  if (offset <= subsel_at && subsel_at - offset < bytes.size()) subsel_ = bytes[subsel_at - offset];
}

std::byte config_space::at(std::size_t offset) const {
  if (of_.pages.empty()) return of_.config[offset];
  if (offset == select_at) return select_;
  if (offset == subsel_at) return subsel_;
  const auto page = std::ranges::find_if(of_.pages, [this](const config_page& p) {
    return std::byte{p.select} == select_ && std::byte{p.subsel} == subsel_;
  });
  if (page == of_.pages.end()) return std::byte{};
  if (offset == size_at) return static_cast<std::byte>(page->bytes.size());
  const bool inside = offset >= contents_at && offset - contents_at < page->bytes.size();
  return inside ? page->bytes[offset - contents_at] : std::byte{};
}

}  // namespace vloop::adapter
