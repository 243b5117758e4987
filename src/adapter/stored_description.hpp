// SPDX-License-Identifier: MIT
//
// What a device keeps for the servers that come after its first: one line of text in the module, shown in sysfs.
//
//   vloop/1 [threads=N] [poll=US] SPEC
//
// SPEC is a --device argument with an absolute path and every option that matters written out, so that it means the
// same to a later version and from another folder.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "adapter/device_spec.hpp"

namespace vloop {

inline constexpr std::size_t description_bytes_max = 4000;  // the module's

struct stored_description {
  device_spec device;
  unsigned threads = 0;  ///< of the process; 0: as many as it sees fit
  std::chrono::microseconds poll_max{50};
};

/// Throws setup_error if it cannot be stored: it is too long, or holds a control character.
std::string to_text(const stored_description& what);

/// Throws usage_error if the text has another form: it is another program's, or a later version's.
stored_description parse_stored_description(std::string_view text);

}  // namespace vloop
