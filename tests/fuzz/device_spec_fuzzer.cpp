// SPDX-License-Identifier: MIT
// The text of --device: it is refused by one kind of error, in one line, or understood; and what was understood, put
// into words again, is understood as the same.
#include "adapter/device_spec.hpp"

#include <string>

#include "fuzz/input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vloop;
  using namespace vloop::test;
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::string words;
  try {
    words = device_spec_text(parse_device_spec(text));
  } catch (const usage_error& refused) {
    must(std::string_view(refused.what()).find('\n') == std::string_view::npos, "an error is one line");
    return 0;
  }
  must(device_spec_text(parse_device_spec(words)) == words, "what was understood can be said and understood again");
  return 0;
}
