// SPDX-License-Identifier: MIT
// What a device may say of itself: values in which the stock drivers trust, and which end in a BUG or in requests that
// can never be made, are refused before a driver sees them.
#include "cases.hpp"
#include "raw.hpp"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include <cstddef>

namespace vloop::raw {

namespace {

// A disk with one more feature and what belongs to it.
template <class Set>
long create_disk(unsigned feature, Set&& set, unsigned queues = 1) {
  auto shape = blk_shape(8192, queues);
  shape.arg.features |= 1ULL << feature;
  virtio_blk_config config{};
  std::memcpy(&config, shape.config.data(), sizeof(config));
  set(config);
  shape.config = bytes_of(config);
  return create(std::move(shape));
}

void values_that_trip_the_disk_driver_are_refused() {
  for (const unsigned value : {0U, 63U, 64U, 65536U, ~0U})
    equal("seg_max", create_disk(VIRTIO_BLK_F_SEG_MAX, [&](auto& c) { c.seg_max = value; }), -EINVAL);
  for (const unsigned value : {0U, 1U, 511U, 4095U})
    equal("size_max", create_disk(VIRTIO_BLK_F_SIZE_MAX, [&](auto& c) { c.size_max = value; }), -EINVAL);
  for (const unsigned value : {0U, 1U, 3U, 256U, 513U, 1536U, 8192U, 1U << 31})
    equal("blk_size", create_disk(VIRTIO_BLK_F_BLK_SIZE, [&](auto& c) { c.blk_size = value; }), -EINVAL);
  for (const unsigned value : {9, 32, 63, 255})
    equal("physical_block_exp",
          create_disk(VIRTIO_BLK_F_TOPOLOGY, [&](auto& c) { c.physical_block_exp = static_cast<__u8>(value); }),
          -EINVAL);
  for (const unsigned value : {0, 1, 3, 64, 0xffff})
    equal("num_queues",
          create_disk(
              VIRTIO_BLK_F_MQ, [&](auto& c) { c.num_queues = static_cast<__u16>(value); }, 2),
          -EINVAL);
  for (const unsigned value : {2, 255})
    equal("wce", create_disk(VIRTIO_BLK_F_CONFIG_WCE, [&](auto& c) { c.wce = static_cast<__u8>(value); }), -EINVAL);
  equal("size_max of a page", create_disk(VIRTIO_BLK_F_SIZE_MAX, [](auto& c) { c.size_max = 4096; }), 0);
  equal("blk_size of a page", create_disk(VIRTIO_BLK_F_BLK_SIZE, [](auto& c) { c.blk_size = 4096; }), 0);
  equal("two queues",
        create_disk(
            VIRTIO_BLK_F_MQ, [](auto& c) { c.num_queues = 2; }, 2),
        0);
}

void features_that_nobody_checks_are_refused() {
  for (const unsigned feature : {0U, 3U, 7U, 15U, 16U, 20U, 23U, 24U, 27U, 42U, 50U, 63U}) {
    auto shape = blk_shape(8192);
    shape.arg.features |= 1ULL << feature;
    equal("a feature of disks", create(shape), -EINVAL);
    shape = rng_shape();
    shape.arg.features |= 1ULL << feature;
    equal("a feature of entropy", create(shape), -EINVAL);
  }
}

// Those of the transport are not refused but cleared.
void features_of_the_transport_are_what_the_module_has() {
  const control module;
  vloop_info info{};
  equal("GET_INFO", call(module.fd(), VLOOP_GET_INFO, &info), 0);
  auto shape = blk_shape(8192);
  const auto own = shape.arg.features;
  shape.arg.features |= 0x3ffULL << 28 | 0xfULL << 38;
  const device d(std::move(shape));
  const auto offered = d.info().features;
  expect((offered & ~info.transport_features) == own, "no feature is offered that the module does not have");
  expect((offered & 1ULL << 34) == 0, "packed rings are not offered");
}

void queues_must_answer_as_their_class_needs() {
  auto shape = blk_shape(8192);
  shape.queues[0].death_policy = VLOOP_DEATH_LEAVE;
  equal("a disk that leaves its requests", create(shape), -EINVAL);
  shape.queues[0].death_policy = VLOOP_DEATH_LEAVE + 1;
  equal("an unknown policy", create(shape), -EINVAL);
  shape = blk_shape(8192, 2);
  shape.queues[1].death_status = VIRTIO_BLK_S_OK;
  equal("a disk that answers with success when its server is dead", create(shape), -EINVAL);
  shape = rng_shape();
  shape.queues[0].death_policy = VLOOP_DEATH_REPLY;
  equal("entropy that is answered without data", create(shape), -EINVAL);
  shape = rng_shape();
  shape.queues.push_back(shape.queues[0]);
  equal("entropy with two queues", create(shape), -EINVAL);
}

void unknown_classes_are_refused() {
  for (const unsigned id : {0U, 1U, 3U, 5U, 8U, 9U, 16U, 19U, 25U, 40U, 63U, 0x10002U, 1U << 31, ~0U}) {
    auto shape = rng_shape();
    shape.arg.device_id = id;
    equal("a class that is not on the list", create(shape), -EPERM);
  }
}

// With unsafe_ids=3,40. What the transport has is its own business still.
void classes_named_by_unsafe_ids_are_accepted() {
  for (const unsigned id : {3U, 40U}) {
    auto shape = rng_shape();
    shape.arg.device_id = id;
    shape.arg.features = ~0ULL;
    shape.queues.resize(5, shape.queues[0]);
    shape.queues[1].death_policy = VLOOP_DEATH_REPLY;
    shape.config.resize(16, std::byte{0xff});
    const device d(shape);
    const auto transport = d.info().features >> 28 & 0x3fff;
    equal("the transport's features", static_cast<long>(transport & ~(1ULL << 4 | 1ULL << 1)), 0);
    shape.config.clear();
    shape.pages.resize(1);
    equal("pages of a class without a selector", create(shape), -EINVAL);
  }
  for (const unsigned id : {1U, 5U, 39U, 41U}) {
    auto shape = rng_shape();
    shape.arg.device_id = id;
    equal("a class that is not named", create(shape), -EPERM);
  }
}

constexpr named_case cases[] = {
    {"values_that_trip_the_disk_driver_are_refused", values_that_trip_the_disk_driver_are_refused},
    {"features_that_nobody_checks_are_refused", features_that_nobody_checks_are_refused},
    {"features_of_the_transport_are_what_the_module_has", features_of_the_transport_are_what_the_module_has},
    {"queues_must_answer_as_their_class_needs", queues_must_answer_as_their_class_needs},
    {"unknown_classes_are_refused", unknown_classes_are_refused},
    {"classes_named_by_unsafe_ids_are_accepted", classes_named_by_unsafe_ids_are_accepted},
};

}  // namespace

std::span<const named_case> value_cases() {
  return cases;
}

}  // namespace vloop::raw
