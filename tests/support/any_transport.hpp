// SPDX-License-Identifier: MIT
// For test cases that run once over each transport.
#pragma once

#include <catch2/catch_message.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_adapters.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <string>

#include "support/matrix.hpp"
#include "support/rig.hpp"

namespace vloop::test {

// The test case is run for each. Which one it is stands with the next assertion, if that fails.
inline const transport& any_transport() {
  const auto i = GENERATE(range(std::size_t{0}, transports().size()));
  UNSCOPED_INFO("over " << transports()[i].name);
  note_transport(transports()[i].name);
  return transports()[i];
}

// For each but one, for a reason that tests/devices/other_cells.txt tells.
inline const transport& any_transport_but(const std::string& name) {
  const auto i = GENERATE_COPY(filter([name](std::size_t n) { return transports()[n].name != name; },
                                      range(std::size_t{0}, transports().size())));
  UNSCOPED_INFO("over " << transports()[i].name);
  note_transport(transports()[i].name);
  return transports()[i];
}

}  // namespace vloop::test
