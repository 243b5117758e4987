// SPDX-License-Identifier: MIT
//
// The grammar of a `--device` argument, whatever the device:
//
//   KIND[=SUBJECT][,NAME[=VALUE]]...
//
// The kind ends at the first '=' or ','. A comma inside a subject or a value is written twice, as QEMU has it
// (blk=a,,b.img is the file "a,b.img"); an '=' needs no escape. What a name means is the device's business:
// device_spec.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace vloop {

/// The user asked for something that cannot be meant: the program ends with status 2. The text is one line that
/// names the words at fault and what to write instead.
class usage_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct device_option {
  std::string name;
  std::optional<std::string> value;  ///< absent: the option was written without '='
};

struct device_text {
  std::string kind;
  std::optional<std::string> subject;  ///< what follows the kind's '=': a path, mostly
  std::vector<device_option> options;  ///< in the order written, no name twice
};

/// Throws usage_error on an empty argument, an option without a name, or one given twice.
device_text split_device_text(std::string_view text);

/// `text`, safe to print on one line: control characters become \xNN.
std::string printable(std::string_view text);

/// The same between quotes.
std::string quoted(std::string_view text);

/// The option's value. Throws usage_error if there is none or if it is empty.
const std::string& value_of(const device_option& option);

/// For an option that is either there or not. Throws usage_error if it was given a value.
bool flag_of(const device_option& option);

/// A decimal number from `least` to `most`, no sign, no space. Throws usage_error.
std::uint32_t number_of(const device_option& option, std::uint32_t least, std::uint32_t most);

/// A power of two from `least` to `most`: the size of a ring. Throws usage_error; `reason` says why no smaller
/// ring will do.
std::uint16_t ring_size_of(const device_option& option, std::uint16_t least, std::uint16_t most,
                           std::string_view reason);

/// "4k", "1M", "2G", of 1024; a number alone is bytes. `option` is named in the usage_error that anything else throws,
/// and anything that is not from `least` to `most`.
std::uint64_t parse_bytes(std::string_view option, std::string_view text, std::uint64_t least, std::uint64_t most);

/// The shortest text that parse_bytes() reads as `bytes`.
std::string bytes_text(std::uint64_t bytes);

}  // namespace vloop
