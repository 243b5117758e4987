// SPDX-License-Identifier: MIT
#include "stress_thread.hpp"

#include <linux/virtio_blk.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <cstring>

namespace vloop::raw {

namespace {

device_shape some_disk(dice& roll) {
  const auto queues = roll.one_in(20) ? 64 : 1 + static_cast<unsigned>(roll.below(3));
  const auto ring = roll.one_in(20) ? 1024U : 4U << roll.below(6);
  auto shape = blk_shape(disk_sectors, queues, ring);
  auto* config = reinterpret_cast<std::byte*>(shape.config.data());
  const auto set = [&](std::size_t at, auto value) { std::memcpy(config + at, &value, sizeof(value)); };
  if (roll.one_in(4)) set(offsetof(virtio_blk_config, capacity), roll.number());
  if (roll.one_in(2)) {
    shape.arg.features |= 1ULL << VIRTIO_BLK_F_BLK_SIZE | 1ULL << VIRTIO_BLK_F_TOPOLOGY;
    set(offsetof(virtio_blk_config, blk_size), static_cast<__u32>(512U << roll.below(4)));
    set(offsetof(virtio_blk_config, physical_block_exp), static_cast<__u8>(roll.below(9)));
    set(offsetof(virtio_blk_config, alignment_offset), static_cast<__u8>(roll.number()));
    set(offsetof(virtio_blk_config, min_io_size), static_cast<__u16>(roll.number()));
    set(offsetof(virtio_blk_config, opt_io_size), static_cast<__u32>(roll.number()));
  }
  if (roll.one_in(3)) {
    shape.arg.features |= 1ULL << VIRTIO_BLK_F_SIZE_MAX | 1ULL << VIRTIO_BLK_F_GEOMETRY;
    set(offsetof(virtio_blk_config, size_max), static_cast<__u32>(roll.number()));
    set(offsetof(virtio_blk_config, geometry), static_cast<__u32>(roll.bits()));
  }
  if (roll.one_in(3)) set(offsetof(virtio_blk_config, seg_max), static_cast<__u32>(1 + roll.below(ring)));
  if (roll.one_in(4)) shape.arg.features |= 1ULL << roll.below(64);
  if (roll.one_in(8)) shape.config.resize(roll.below(200));
  return shape;
}

}  // namespace

void hostile_thread::create() {
  const int control = w_.controls.pick(roll_);
  if (w_.devices.size() >= devices_max && !roll_.one_in(8)) return;
  auto shape = roll_.one_in(4) ? rng_shape() : some_disk(roll_);
  shape.arg.on_exit = roll_.one_in(16) ? static_cast<__u32>(roll_.number()) : static_cast<__u32>(roll_.below(4));
  if (roll_.one_in(3)) shape.arg.flags = VLOOP_CREATE_WINDOW;
  shape.arg.grace_ms = static_cast<__u32>(roll_.below(500));
  if (roll_.one_in(8)) shape.description.assign(roll_.below(5000), static_cast<char>(roll_.bits()));
  if (roll_.one_in(16)) shape.arg.device_id = static_cast<__u32>(roll_.below(64));
  if (roll_.one_in(16)) shape.queues[roll_.below(shape.queues.size())].size = static_cast<__u32>(roll_.number());
  shape.arg.queues = address_of(shape.queues.data());
  shape.arg.num_queues = static_cast<__u32>(shape.queues.size());
  shape.arg.config = address_of(shape.config.data());
  shape.arg.config_len = static_cast<__u32>(shape.config.size());
  shape.arg.description = address_of(shape.description.data());
  shape.arg.description_len = static_cast<__u32>(shape.description.size());
  auto* arg = &shape.arg;
  if (roll_.one_in(8)) {
    arg = static_cast<vloop_create*>(argument(sizeof(vloop_create)));
    if (reinterpret_cast<std::byte*>(arg) >= w_.shared.data() &&
        reinterpret_cast<std::byte*>(arg + 1) <= w_.shared.data() + w_.shared.size())
      *arg = shape.arg;
  }
  const long fd = counted(call(control, VLOOP_CREATE, arg));
  if (fd < 0) return;
  ++w_.count.made;
  w_.devices.add(static_cast<int>(fd));
  const int backing = w_.files.pick(roll_);
  vloop_set_file file{};
  file.fd = backing;
  counted(call(static_cast<int>(fd), VLOOP_SET_FILE, &file));
  if (!roll_.one_in(4)) counted(call(static_cast<int>(fd), VLOOP_START));
}

void hostile_thread::call_control() {
  const int control = w_.controls.pick(roll_);
  vloop_attach attach{};
  vloop_stop stop{};
  attach.id = stop.id = static_cast<__u32>(roll_.one_in(8) ? roll_.number() : roll_.below(devices_max));
  long fd = -1;
  switch (roll_.below(6)) {
    case 0:
      counted(call(control, VLOOP_GET_INFO, argument(sizeof(vloop_info))));
      return;
    case 1:
      counted(call(control, static_cast<unsigned long>(roll_.number()), argument(128)));
      return;
    case 2:
      stop.flags = static_cast<__u32>(roll_.below(2));
      if (roll_.one_in(4)) counted(call(control, VLOOP_STOP, &stop));
      return;
    case 3:
      if (!may_wait_) return;
      attach.flags = VLOOP_ATTACH_TAKE_OVER;
      attach.timeout_ms = static_cast<__u32>(1 + roll_.below(200));
      break;
    default:
      break;
  }
  fd = counted(call(control, VLOOP_ATTACH, &attach));
  if (fd >= 0) w_.devices.add(static_cast<int>(fd));
}

void hostile_thread::call_device() {
  const int device = w_.devices.pick(roll_);
  switch (roll_.below(9)) {
    case 0:
    case 1:
      counted(call(device, VLOOP_START));
      return;
    case 2:
      if (roll_.one_in(8)) counted(call(device, VLOOP_REMOVE));
      return;
    case 3:
      if (roll_.one_in(4)) counted(call(device, VLOOP_DETACH));
      return;
    case 4:
      counted(call(device, VLOOP_GET_DEVICE_INFO, argument(sizeof(vloop_device_info))));
      return;
    case 5:
      counted(call(device,
                   static_cast<unsigned long>(
                       roll_.one_in(2) ? roll_.number()
                                       : _IOC(roll_.below(4), VLOOP_IOC_MAGIC, roll_.below(256), roll_.below(300))),
                   argument(300)));
      return;
    case 6: {
      pollfd wanted{device, POLLIN, 0};
      ::poll(&wanted, 1, 0);
      return;
    }
    default: {
      const iovec to{argument(sizeof(vloop_record)), sizeof(vloop_record)};
      counted(result_of(::preadv2(device, &to, 1, -1, RWF_NOWAIT)));
    }
  }
}

void hostile_thread::set_file() {
  vloop_set_file arg{};
  arg.index = static_cast<__u32>(roll_.one_in(16) ? roll_.number() : roll_.below(VLOOP_FILES_MAX));
  switch (roll_.below(8)) {
    case 0:
      arg.fd = static_cast<__s32>(roll_.number());
      break;
    case 1:
      arg.fd = (roll_.one_in(2) ? w_.devices : w_.queues).pick(roll_);
      break;
    case 2:
      arg.fd = -1;
      break;
    default:
      arg.fd = w_.files.pick(roll_);
  }
  counted(call(w_.devices.pick(roll_), VLOOP_SET_FILE, &arg));
}

void hostile_thread::configure() {
  const int device = w_.devices.pick(roll_);
  vloop_device_info info{};
  call(device, VLOOP_GET_DEVICE_INFO, &info);
  std::vector<std::byte> bytes(info.config_len);
  vloop_config arg{};
  arg.data = address_of(bytes.data());
  arg.length = info.config_len;
  counted(call(device, VLOOP_GET_CONFIG, &arg));
  for (auto n = roll_.below(4); n > 0 && !bytes.empty(); --n)
    bytes[roll_.below(bytes.size())] = static_cast<std::byte>(roll_.number());
  if (roll_.one_in(8)) arg.data = address_of(argument(bytes.size()));
  if (roll_.one_in(8)) arg.length = static_cast<__u32>(roll_.number());
  counted(call(device, VLOOP_SET_CONFIG, &arg));
}

}  // namespace vloop::raw
