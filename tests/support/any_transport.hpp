// SPDX-License-Identifier: MIT
// For test cases that run once over each transport.
#pragma once

#include <catch2/catch_message.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

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

}  // namespace vloop::test
