// SPDX-License-Identifier: MIT
// What was measured, for a person or a script. docs/bench.md says what each figure means.
#pragma once

#include <optional>
#include <string>

#include "bench/run.hpp"
#include "bench/spread.hpp"

namespace vloop::bench {

// Requests a second of a target as parts of the base's, round by round; nullopt: there is none, or it is the base.
std::optional<spread> ratio_to_base(const figures& all, std::size_t target);

// Lines without a line break at the end.
std::string report_text(const figures& all);

// One object, on one line.
std::string report_json(const figures& all);

}  // namespace vloop::bench
