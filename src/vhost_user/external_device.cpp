// SPDX-License-Identifier: MIT
#include "vhost_user/external_device.hpp"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "vhost_user/relay.hpp"

namespace vloop::vhost_user {
namespace {

constexpr std::uint32_t small_pool_bytes = 1U << 20;  // of classes whose requests are small
constexpr std::uint32_t pages_per_request = 2;

device_type type_of(const options& wanted) {
  const auto type = find_device_type(wanted.type);
  assert(type && "the command line knows the types");
  return *type;
}

std::uint32_t pool_bytes(const device_type& type, std::uint16_t queue_size) {
  const std::uint32_t least = queue_size * pages_per_request * page_pool::page_bytes;
  return std::max(type.has_status ? pool_bytes_per_queue : small_pool_bytes, least);
}

device_description describe(const options& wanted, const device_type& type, std::uint16_t queue_size,
                            const offer& terms, int memory_fd) {
  queue_description queue{.size = queue_size};
  if (type.has_status) {
    queue.when_process_dies = queue_description::on_death::reply;
    queue.death_status = VIRTIO_BLK_S_IOERR;
  }
  device_description d;
  d.id = type.id;
  d.features = terms.device_features;
  d.config = terms.config;
  d.pages = terms.pages;
  d.config_changes = type.id == VIRTIO_ID_BLOCK ? type.config_changes : 0;
  d.queues.assign(terms.queues, queue);
  d.files = {{.fd = memory_fd}};
  d.kind = "vhost-user-" + type.name;
  d.label = wanted.path;
  d.notes = terms.notes;
  return d;
}

}  // namespace

external_device::external_device(const options& wanted)
    : external_device(wanted, client(connection::open(wanted.path, wanted.answer_max))) {}

external_device::external_device(const options& wanted, client daemon)
    : type_(type_of(wanted)),
      daemon_(daemon.link().name()),
      queue_size_(wanted.queue_size.value_or(type_.queue_size)),
      asked_(std::move(daemon)),
      terms_(ask_for_offer(asked_, type_, wanted.queues, queue_size_)),
      memory_(terms_.queues, queue_size_, pool_bytes(type_, queue_size_)),
      events_(terms_.queues),
      description_(vhost_user::describe(wanted, type_, queue_size_, terms_, memory_.fd())),
      control_(
          std::move(asked_), terms_, memory_, events_,
          {.wait_max = wanted.reconnect,
           .connect = [wanted] { return client(connection::open(wanted.path, wanted.answer_max)); },
           .ask = [this, wanted](client& again) { return ask_for_offer(again, type_, wanted.queues, queue_size_); }},
          [this](client& again) { return ask_for_new_config(again, terms_, type_, queue_size_); }) {}

task<void> external_device::serve(queue& requests, loop& io) {
  const std::uint16_t index = requests.index();
  relay between({.index = index,
                 .daemon = daemon_,
                 .type = &type_,
                 .memory = &memory_,
                 .events = &events_[index],
                 .event_index = (terms_.virtio_features >> VIRTIO_RING_F_EVENT_IDX & 1) != 0,
                 .piece_bytes_max = terms_.piece_bytes_max,
                 .driver_was_reset = [this] { control_.driver_was_reset(); }},
                requests, io);
  const control::seat seat(control_, io, between);
  co_await between.run();
}

}  // namespace vloop::vhost_user
