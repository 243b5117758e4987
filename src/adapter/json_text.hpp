// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace vloop::adapter {

/// `text` as a JSON string, with its quotes. What is not UTF-8 comes out as it is.
std::string json_string(std::string_view text);

}  // namespace vloop::adapter
