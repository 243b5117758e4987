// SPDX-License-Identifier: MIT
#include "vhost_user/message.hpp"

namespace vloop::vhost_user {

const char* to_string(request_code code) {
  switch (code) {
    case request_code::get_features:
      return "GET_FEATURES";
    case request_code::set_features:
      return "SET_FEATURES";
    case request_code::set_owner:
      return "SET_OWNER";
    case request_code::reset_owner:
      return "RESET_OWNER";
    case request_code::set_log_base:
      return "SET_LOG_BASE";
    case request_code::set_log_fd:
      return "SET_LOG_FD";
    case request_code::set_mem_table:
      return "SET_MEM_TABLE";
    case request_code::set_vring_num:
      return "SET_VRING_NUM";
    case request_code::set_vring_addr:
      return "SET_VRING_ADDR";
    case request_code::set_vring_base:
      return "SET_VRING_BASE";
    case request_code::get_vring_base:
      return "GET_VRING_BASE";
    case request_code::set_vring_kick:
      return "SET_VRING_KICK";
    case request_code::set_vring_call:
      return "SET_VRING_CALL";
    case request_code::set_vring_err:
      return "SET_VRING_ERR";
    case request_code::get_protocol_features:
      return "GET_PROTOCOL_FEATURES";
    case request_code::set_protocol_features:
      return "SET_PROTOCOL_FEATURES";
    case request_code::get_queue_num:
      return "GET_QUEUE_NUM";
    case request_code::set_vring_enable:
      return "SET_VRING_ENABLE";
    case request_code::set_backend_req_fd:
      return "SET_BACKEND_REQ_FD";
    case request_code::get_config:
      return "GET_CONFIG";
    case request_code::set_config:
      return "SET_CONFIG";
    case request_code::set_status:
      return "SET_STATUS";
    case request_code::get_status:
      return "GET_STATUS";
    case request_code::get_inflight_fd:
      return "GET_INFLIGHT_FD";
    case request_code::set_inflight_fd:
      return "SET_INFLIGHT_FD";
    case request_code::reset_device:
      return "RESET_DEVICE";
    case request_code::get_max_mem_slots:
      return "GET_MAX_MEM_SLOTS";
    case request_code::add_mem_reg:
      return "ADD_MEM_REG";
    case request_code::rem_mem_reg:
      return "REM_MEM_REG";
  }
  return "an unknown request";
}

}  // namespace vloop::vhost_user
