// SPDX-License-Identifier: MIT
#include "vhost_user/offer.hpp"

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "runtime/setup_error.hpp"
#include "vhost_user/input_pages.hpp"
#include "vring/split_ring.hpp"

namespace vloop::vhost_user {
namespace {

constexpr std::uint64_t wanted_protocol_features =
    bit(protocol_feature::mq) | bit(protocol_feature::reply_ack) | bit(protocol_feature::backend_req) |
    bit(protocol_feature::config) | bit(protocol_feature::inflight_shmfd) | bit(protocol_feature::reset_device) |
    bit(protocol_feature::configure_mem_slots) | bit(protocol_feature::status);

constexpr std::uint16_t queues_max = 64;  // of the module
constexpr std::uint32_t blk_descriptors_besides_data = 2;
constexpr std::uint32_t blk_block_bytes_max = 4096;
// The block layer counts the bytes of a disk in a signed number.
constexpr std::uint64_t blk_sectors_max = std::uint64_t{INT64_MAX} >> 9;

constexpr std::uint64_t bit_of(unsigned feature) {
  return std::uint64_t{1} << feature;
}

std::string hexadecimal(std::uint64_t number) {
  char text[2 + 16 + 1];
  std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(number));
  return text;
}

std::vector<std::byte> ask_for_config(client& daemon, const offer& so_far, const device_type& type) {
  if (type.config_sizes.empty()) return {};
  if (so_far.has(protocol_feature::config)) {
    for (const std::uint32_t size : type.config_sizes)
      if (auto config = daemon.get_config(size)) return *std::move(config);
  }
  if (!type.has_status) return {};  // others may do without; their fields then read as zero
  daemon.link().refuse("GET_CONFIG", EPROTO,
                       so_far.has(protocol_feature::config) ? "it refuses every size that a " + type.name + " has"
                                                            : "it cannot tell its configuration; is it a " + type.name);
}

std::vector<config_page> ask_for_pages(client& daemon, const offer& so_far, const device_type& type) {
  if (!type.has_pages) return {};
  if (!so_far.has(protocol_feature::config))
    daemon.link().refuse("GET_CONFIG", EPROTO, "it cannot tell its configuration; is it an " + type.name + " device");
  return ask_for_input_pages(daemon);
}

// The one field of a structure of virtio_blk_config that stands at `at`.
template <class T>
T field(const std::vector<std::byte>& config, std::size_t at) {
  T value{};
  if (config.size() >= at + sizeof value) std::memcpy(&value, config.data() + at, sizeof value);
  return value;
}
template <class T>
void set_field(std::vector<std::byte>& config, std::size_t at, T value) {
  if (config.size() >= at + sizeof value) std::memcpy(config.data() + at, &value, sizeof value);
}

// What the module would refuse as well, without a word on what was wrong.
void check_disk(const client& daemon, const offer& disk) {
  const auto capacity = field<std::uint64_t>(disk.config, offsetof(virtio_blk_config, capacity));
  if (capacity > blk_sectors_max)
    daemon.link().refuse("GET_CONFIG", EPROTO, "its capacity of " + std::to_string(capacity) + " sectors is no disk's");
  if ((disk.device_features & bit_of(VIRTIO_BLK_F_BLK_SIZE)) == 0) return;
  const auto block = field<std::uint32_t>(disk.config, offsetof(virtio_blk_config, blk_size));
  if (!std::has_single_bit(block) || block < 512 || block > blk_block_bytes_max)
    daemon.link().refuse("GET_CONFIG", EPROTO, "its blocks of " + std::to_string(block) + " bytes are no disk's");
}

// A disk's driver cuts requests into pieces as the disk says. Together they have to fit the memory that is shared with
// the daemon, and the ring.
void fit_disk(client& daemon, offer& disk, std::uint16_t queue_size) {
  constexpr auto size_max_at = offsetof(virtio_blk_config, size_max);
  constexpr auto seg_max_at = offsetof(virtio_blk_config, seg_max);
  const auto page = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
  auto& config = disk.config;
  check_disk(daemon, disk);

  std::uint32_t size_max = request_bytes_max;
  if (disk.device_features & bit_of(VIRTIO_BLK_F_SIZE_MAX)) {
    const auto told = field<std::uint32_t>(config, size_max_at);
    if (told != 0 && told < page)  // 0 is what qemu-storage-daemon says for "any"
      daemon.link().refuse("GET_CONFIG", EPROTO, "its size_max is " + std::to_string(told) + ", less than a page");
    if (told != 0) size_max = std::min(size_max, told);
  }
  disk.piece_bytes_max = size_max;

  std::uint32_t seg_max = 1;
  if (disk.device_features & bit_of(VIRTIO_BLK_F_SEG_MAX)) {
    seg_max = std::min({field<std::uint32_t>(config, seg_max_at), queue_size - blk_descriptors_besides_data,
                        request_bytes_max / page});
    if (seg_max == 0) daemon.link().refuse("GET_CONFIG", EPROTO, "its seg_max is 0");
    set_field(config, seg_max_at, seg_max);
  }
  size_max = std::clamp(request_bytes_max / seg_max / page * page, page, size_max / page * page);
  disk.device_features |= bit_of(VIRTIO_BLK_F_SIZE_MAX);
  set_field(config, size_max_at, size_max);
  set_field(config, offsetof(virtio_blk_config, num_queues), disk.queues);
}

std::uint16_t choose_queues(client& daemon, const offer& disk, const device_type& type,
                            std::optional<std::uint16_t> wanted) {
  std::uint64_t most = disk.has(protocol_feature::mq) ? daemon.get(request_code::get_queue_num)
                                                      : std::max<std::uint64_t>(type.queues, wanted.value_or(1));
  if (most == 0) daemon.link().refuse("GET_QUEUE_NUM", EPROTO, "it has no queues");
  most = std::min<std::uint64_t>(most, queues_max);
  std::uint64_t queues = wanted.value_or(type.queues);
  if (type.id == VIRTIO_ID_BLOCK) {
    const bool several = (disk.device_features & bit_of(VIRTIO_BLK_F_MQ)) != 0;
    const auto told = several ? field<std::uint16_t>(disk.config, offsetof(virtio_blk_config, num_queues)) : 1;
    if (told == 0) daemon.link().refuse("GET_CONFIG", EPROTO, "its disk has no queues");
    most = std::min<std::uint64_t>(most, told);
    if (!wanted) queues = most;
  }
  if (queues > most)
    throw setup_error(
        EINVAL, daemon.link().name() + " has " + std::to_string(most) + " queue(s), not " + std::to_string(queues));
  return static_cast<std::uint16_t>(queues);
}

}  // namespace

bool offer::goes_on_with(const std::vector<std::byte>& other) const {
  if (other.size() != config.size()) return false;
  const auto fixed = static_cast<std::ptrdiff_t>(std::min(config_changes, config.size()));
  return std::equal(config.begin() + fixed, config.end(), other.begin() + fixed);
}

bool offer::goes_on_with(const offer& other) const {
  const auto same_page = [](const config_page& a, const config_page& b) {
    return a.select == b.select && a.subsel == b.subsel && a.bytes == b.bytes;
  };
  return other.virtio_features == virtio_features && other.protocol_features == protocol_features &&
         other.queues == queues && goes_on_with(other.config) &&
         std::equal(pages.begin(), pages.end(), other.pages.begin(), other.pages.end(), same_page);
}

offer ask_for_offer(client& daemon, const device_type& type, std::optional<std::uint16_t> queues,
                    std::uint16_t queue_size) {
  offer all;
  all.virtio_features = daemon.get(request_code::get_features);
  if (all.virtio_features & has_protocol_features) {
    const std::uint64_t offered = daemon.get(request_code::get_protocol_features);
    all.protocol_features = offered & wanted_protocol_features;
    daemon.set(request_code::set_protocol_features, all.protocol_features);
    all.notes.push_back("vhost-user: features " + hexadecimal(all.virtio_features) + ", protocol features " +
                        hexadecimal(offered) + " of which " + hexadecimal(all.protocol_features) + " are used");
  } else {
    all.notes.push_back("vhost-user: features " + hexadecimal(all.virtio_features) + ", no protocol features");
  }
  if ((all.virtio_features & bit_of(VIRTIO_F_VERSION_1)) == 0)
    daemon.link().refuse("GET_FEATURES", EPROTO, "it has no VIRTIO_F_VERSION_1: it speaks another virtio");
  if (all.has(protocol_feature::reply_ack)) daemon.expect_acknowledgements();
  daemon.say(request_code::set_owner);
  if (all.has(protocol_feature::configure_mem_slots) && daemon.get(request_code::get_max_mem_slots) == 0)
    daemon.link().refuse("GET_MAX_MEM_SLOTS", EPROTO, "it has room for no memory at all");

  all.device_features = all.virtio_features & type.features;
  all.config = ask_for_config(daemon, all, type);
  all.pages = ask_for_pages(daemon, all, type);
  all.config_changes = type.config_changes;
  all.queues = choose_queues(daemon, all, type, queues);
  if (type.id == VIRTIO_ID_BLOCK) fit_disk(daemon, all, queue_size);
  return all;
}

std::vector<std::byte> ask_for_new_config(client& daemon, const offer& first, const device_type& type,
                                          std::uint16_t queue_size) {
  auto told = daemon.get_config(static_cast<std::uint32_t>(first.config.size()));
  if (!told) daemon.link().refuse("GET_CONFIG", EPROTO, "it tells its configuration no more");
  offer now = first;
  now.config = *std::move(told);
  now.device_features = now.virtio_features & type.features;
  if (type.id == VIRTIO_ID_BLOCK) fit_disk(daemon, now, queue_size);
  if (!first.goes_on_with(now.config))
    daemon.link().refuse("GET_CONFIG", EPROTO,
                         "of its configuration something changed that a " + type.name + " keeps for its life");
  return now.config;
}

// SIZE_MAX may be ours alone: a daemon is told of nothing that it did not offer.
std::uint64_t features_for_daemon(const offer& from, std::uint64_t acknowledged) {
  const std::uint64_t relayed = acknowledged & from.device_features;
  const std::uint64_t of_the_relay =
      bit_of(VIRTIO_F_VERSION_1) | bit_of(VIRTIO_RING_F_EVENT_IDX) | has_protocol_features;
  return from.virtio_features & (relayed | of_the_relay);
}

}  // namespace vloop::vhost_user
