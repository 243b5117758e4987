// SPDX-License-Identifier: MIT
//
// What `--device` asks for, as values: parsed and checked as far as the words themselves go. Whether the file is
// there, may be opened, or has a size is found out when the device is built, and is then a run-time error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "adapter/device_text.hpp"
#include "devices/blk.hpp"
#include "devices/input.hpp"
#include "devices/rng.hpp"
#include "vhost_user/external_device.hpp"

namespace vloop {

/// Bounds of what may be asked for: those of the kernel transport.
inline constexpr std::uint16_t queues_max = 64;
inline constexpr std::uint16_t queue_size_max = 1024;
/// A disk's request takes a descriptor for its header, one for its status and the rest for data, so a ring of
/// 2 could carry no data at all (seg_max, which the device announces, is the ring's size less 2).
inline constexpr std::uint16_t queue_size_min = 4;
/// Reports a second of a synthetic input source.
inline constexpr std::uint32_t input_rate_max = 100'000;
/// How long an external daemon may be waited for.
inline constexpr std::uint32_t reconnect_seconds_max = 3600;
/// VIRTIO_BLK_T_GET_ID has room for this many bytes (virtio 1.3, 5.2.6).
inline constexpr std::size_t serial_bytes_max = 20;

///   blk=PATH[,readonly][,serial=S][,queues=N][,queue-size=N][,direct=auto|on|off][,access=mover|window]
///   rng[=SOURCE][,queue-size=N][,access=mover|window]
///   input=/dev/input/eventN[,grab|,shared][,queue-size=N]
///   input=synthetic:mouse|synthetic:keyboard[,rate=N][,count=N][,queue-size=N]
///   input=events:PATH[,queue-size=N]
///   vhost-user=PATH[,type=T][,queues=N][,queue-size=N][,reconnect=SECONDS]
using device_spec = std::variant<blk_options, rng_options, input_options, vhost_user::options>;

/// Fits GET_ID and shows as it was written in /sys/block/vdX/serial: at most 20 bytes, printable ASCII, no space.
bool is_serial(std::string_view serial);

/// Of the option direct=auto|on|off. Throws usage_error.
direct_mode parse_direct(const device_option& option);

/// Throws usage_error, whose one line begins with where the argument stood and the argument itself.
device_spec parse_device_spec(std::string_view text, std::string_view option = "--device");

/// The same of an argument that is taken apart already; the line does not name it.
device_spec device_spec_of(const device_text& text);

/// The argument that gives the same device in any folder and any version: absolute paths, every option written out.
std::string device_spec_text(const device_spec& spec);

/// The device asked for; its files are opened here. Throws setup_error where they cannot be served.
std::unique_ptr<device> build_device(const device_spec& spec);

}  // namespace vloop
