// SPDX-License-Identifier: MIT
#include "vhost_user/front_end_request.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>

#include "runtime/setup_error.hpp"

namespace vloop::vhost_user {
namespace {

struct form {
  request_code code;
  std::size_t bytes_min;
  std::size_t bytes_max;
  std::size_t fds_min = 0;
  std::size_t fds_max = 0;
  std::optional<protocol_feature> needs{};
};

constexpr std::size_t u64 = sizeof(std::uint64_t);
constexpr std::size_t slot = sizeof(memory_slot);
constexpr std::size_t config_min = sizeof(config_head);
constexpr std::size_t config_max = sizeof(config_head) + config_bytes_max;
constexpr std::size_t inflight_max = sizeof(inflight_description);

// SET_MEM_TABLE and the three with a vring's descriptor are looked at more closely below.
constexpr std::array forms{
    form{request_code::get_features, 0, 0},
    form{request_code::set_features, u64, u64},
    form{request_code::set_owner, 0, 0},
    form{request_code::reset_owner, 0, 0},
    form{request_code::set_mem_table, memory_table_head_bytes, payload_bytes_max, 0, memory_table_regions_max},
    form{request_code::set_vring_num, sizeof(vring_state), sizeof(vring_state)},
    form{request_code::set_vring_addr, sizeof(vring_address), sizeof(vring_address)},
    form{request_code::set_vring_base, sizeof(vring_state), sizeof(vring_state)},
    form{request_code::get_vring_base, sizeof(vring_state), sizeof(vring_state)},
    form{request_code::set_vring_kick, u64, u64, 0, 1},
    form{request_code::set_vring_call, u64, u64, 0, 1},
    form{request_code::set_vring_err, u64, u64, 0, 1},
    form{request_code::get_protocol_features, 0, 0},
    form{request_code::set_protocol_features, u64, u64},
    form{request_code::get_queue_num, 0, 0, 0, 0, protocol_feature::mq},
    form{request_code::set_vring_enable, sizeof(vring_state), sizeof(vring_state)},
    form{request_code::set_backend_req_fd, 0, 0, 1, 1, protocol_feature::backend_req},
    form{request_code::get_config, config_min, config_max, 0, 0, protocol_feature::config},
    form{request_code::set_config, config_min, config_max, 0, 0, protocol_feature::config},
    form{request_code::get_inflight_fd, inflight_description_bytes_min, inflight_max, 0, 0,
         protocol_feature::inflight_shmfd},
    form{request_code::set_inflight_fd, inflight_description_bytes_min, inflight_max, 1, 1,
         protocol_feature::inflight_shmfd},
    form{request_code::reset_device, 0, 0, 0, 0, protocol_feature::reset_device},
    form{request_code::get_max_mem_slots, 0, 0, 0, 0, protocol_feature::configure_mem_slots},
    form{request_code::add_mem_reg, slot, slot, 1, 1, protocol_feature::configure_mem_slots},
    form{request_code::rem_mem_reg, slot, slot, 0, 1, protocol_feature::configure_mem_slots},  // some send one
    form{request_code::set_status, u64, u64, 0, 0, protocol_feature::status},
    form{request_code::get_status, 0, 0, 0, 0, protocol_feature::status},
};

[[noreturn]] void refuse(const message& m, const std::string& why) {
  throw setup_error(EPROTO, to_string(code_of(m)), why);
}

// As "3" or "1 to 3".
std::string range(std::size_t least, std::size_t most) {
  return least == most ? std::to_string(least) : std::to_string(least) + " to " + std::to_string(most);
}

void check_memory_table(const message& m) {
  const auto count = payload_as<std::uint32_t>(m);
  if (count == 0 || count > memory_table_regions_max)
    refuse(m, "a table of " + std::to_string(count) + " regions, not " + range(1, memory_table_regions_max));
  const std::size_t bytes = memory_table_head_bytes + count * sizeof(memory_region);
  if (m.payload.size() != bytes)
    refuse(m, std::to_string(m.payload.size()) + " bytes, not " + std::to_string(bytes) + " for " +
                  std::to_string(count) + " regions");
  if (m.fds.size() != count)
    refuse(m, "descriptors: " + std::to_string(m.fds.size()) + ", not " + std::to_string(count));
}

void check_vring_fd(const message& m) {
  const auto word = payload_as<std::uint64_t>(m);
  if (word & ~(vring_index_mask | vring_without_fd)) refuse(m, "reserved bits in " + std::to_string(word));
  const std::size_t expected = word & vring_without_fd ? 0 : 1;
  if (m.fds.size() != expected)
    refuse(m, "descriptors: " + std::to_string(m.fds.size()) + ", not " + std::to_string(expected));
}

// GET_CONFIG has room for the answer, or has not.
void check_config(const message& m) {
  const auto head = payload_as<config_head>(m);
  const bool no_room = code_of(m) == request_code::get_config && m.payload.size() == sizeof head;
  if (head.size > config_bytes_max || head.offset > config_bytes_max - head.size)
    refuse(m, std::to_string(head.size) + " bytes at " + std::to_string(head.offset) + " of a configuration of " +
                  std::to_string(config_bytes_max));
  if (!no_room && m.payload.size() != sizeof head + head.size)
    refuse(m, std::to_string(m.payload.size()) + " bytes, not " + std::to_string(sizeof head + head.size));
}

}  // namespace

void check_form(const message& m, std::uint64_t protocol_features) {
  const request_code code = code_of(m);
  if (code == request_code::set_log_base || code == request_code::set_log_fd)
    refuse(m, "a log of written memory, which was not offered");
  const auto* const known = std::ranges::find(forms, code, &form::code);
  if (known == forms.end()) throw setup_error(EPROTO, "request " + std::to_string(m.header.code), "it is unknown");
  if (known->needs && (protocol_features & bit(*known->needs)) == 0)
    refuse(m, "it needs a protocol feature that was not negotiated");
  if (m.payload.size() < known->bytes_min || m.payload.size() > known->bytes_max)
    refuse(m, std::to_string(m.payload.size()) + " bytes, not " + range(known->bytes_min, known->bytes_max));
  if (m.fds.size() < known->fds_min || m.fds.size() > known->fds_max)
    refuse(m, "descriptors: " + std::to_string(m.fds.size()) + ", not " + range(known->fds_min, known->fds_max));
  if (code == request_code::set_mem_table) check_memory_table(m);
  if (code == request_code::set_vring_kick || code == request_code::set_vring_call ||
      code == request_code::set_vring_err)
    check_vring_fd(m);
  if (code == request_code::get_config || code == request_code::set_config) check_config(m);
}

}  // namespace vloop::vhost_user
