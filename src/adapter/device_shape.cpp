// SPDX-License-Identifier: MIT
#include "adapter/device_shape.hpp"

#include <fmt/format.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include <algorithm>
#include <cstring>

namespace vloop {

namespace {

// Feature bits that the transport offers by itself (virtio 1.3, 2.2).
constexpr std::uint64_t transport_features =
    ((std::uint64_t{1} << VIRTIO_TRANSPORT_F_END) - 1) & ~((std::uint64_t{1} << VIRTIO_TRANSPORT_F_START) - 1);

std::string different_features(const device_shape& there, std::uint64_t wanted) {
  constexpr std::uint64_t read_only = std::uint64_t{1} << VIRTIO_BLK_F_RO;
  const std::uint64_t has = there.features & ~transport_features;
  if (has == wanted) return {};
  if (there.id == VIRTIO_ID_BLOCK && (has ^ wanted) == read_only)
    return has & read_only ? "it was made read-only, so add ,readonly" : "it was not made read-only";
  return fmt::format("it offers its driver the features {:#x}, not {:#x}", has, wanted);
}

std::string different_queues(const device_shape& there, const std::vector<queue_description>& wanted) {
  if (there.queue_count != wanted.size())
    return fmt::format("it was made with {} queues, not {}", there.queue_count, wanted.size());
  if (!there.queue_sizes) return {};
  for (std::size_t i = 0; i < std::min(wanted.size(), there.queue_sizes->size()); ++i) {
    if ((*there.queue_sizes)[i] != wanted[i].size)
      return fmt::format("its queue {} was made with {} entries, not {}", i, (*there.queue_sizes)[i], wanted[i].size);
  }
  return {};
}

std::uint32_t block_size_of(const std::vector<std::byte>& config) {
  std::uint32_t bytes = 0;
  constexpr auto at = offsetof(virtio_blk_config, blk_size);
  if (config.size() >= at + sizeof bytes) std::memcpy(&bytes, config.data() + at, sizeof bytes);
  return bytes;
}

std::string different_config(const device_shape& there, const device_description& wanted) {
  if (!there.config) return {};
  const auto& has = *there.config;
  if (there.id == VIRTIO_ID_BLOCK && block_size_of(has) != block_size_of(wanted.config))
    return fmt::format("it was made with blocks of {} bytes, this file has {}", block_size_of(has),
                       block_size_of(wanted.config));
  const auto fixed = static_cast<std::ptrdiff_t>(std::min(wanted.config_changes, wanted.config.size()));
  if (has.size() != wanted.config.size() || !std::equal(has.begin() + fixed, has.end(), wanted.config.begin() + fixed))
    return "its configuration space is another";
  return {};
}

}  // namespace

std::string kind_of(std::uint32_t virtio_id) {
  switch (virtio_id) {
    case VIRTIO_ID_BLOCK:
      return "blk";
    case VIRTIO_ID_RNG:
      return "rng";
    case VIRTIO_ID_INPUT:
      return "input";
    default:
      return fmt::format("virtio id {}", virtio_id);
  }
}

std::string misfit(const device_shape& there, const device_description& server) {
  if (there.id != server.id) return fmt::format("it is of the kind {}, not {}", kind_of(there.id), server.kind);
  if (there.in_place && *there.in_place != server.in_place)
    return *there.in_place ? "it was made with a window, so add ,access=window"
                           : "it was made without a window, so leave access=window out";
  std::string why = different_queues(there, server.queues);
  if (why.empty()) why = different_features(there, server.features);
  if (why.empty()) why = different_config(there, server);
  return why;
}

}  // namespace vloop
