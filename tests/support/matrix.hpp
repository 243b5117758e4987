// SPDX-License-Identifier: MIT
// The matrix of behaviours and transports: each test case that says over which transport it runs has a cell for it.
// When the run ends, the cells are written into the file that VLOOP_MATRIX names, one line each:
//
//   TRANSPORT <tab> passed|failed <tab> NAME OF THE TEST CASE
#pragma once

#include <string>

namespace vloop::test {

// The test case, from here to its end, is about this transport.
void note_transport(const std::string& name);

}  // namespace vloop::test
