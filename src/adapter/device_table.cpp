// SPDX-License-Identifier: MIT
#include "adapter/device_table.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

#include "adapter/stored_description.hpp"
#include "devices/owned_fd.hpp"

namespace vloop::adapter {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t attribute_bytes_max = 65536;  // sysfs gives a page
constexpr std::size_t config_shown_max = 1024;      // the module shows no more of a longer one

// Without its last line break; nothing if it cannot be read: the device may go at any moment.
std::optional<std::string> read_attribute(const fs::path& file) {
  const owned_fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  std::string text;
  std::array<char, 4096> piece{};
  while (text.size() < attribute_bytes_max) {
    const ssize_t n = ::read(fd.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    if (n == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(n));
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string text_of(const fs::path& file) {
  return read_attribute(file).value_or("");
}

// Decimal, or hexadecimal after 0x; 0 if it is neither.
std::uint64_t number_in(std::string_view text) {
  const bool hex = text.substr(0, 2) == "0x";
  if (hex) text.remove_prefix(2);
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, hex ? 16 : 10);
  return number;
}

std::uint32_t small_number_of(const fs::path& file) {
  return static_cast<std::uint32_t>(number_in(text_of(file)));
}

// N of "vloopN", "virtioN"; nothing for another name.
std::optional<std::uint32_t> number_behind(std::string_view prefix, std::string_view name) {
  if (name.substr(0, prefix.size()) != prefix) return std::nullopt;
  std::uint32_t number = 0;
  const auto* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

template <class Use>
void for_each_line(std::string_view text, Use use) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    use(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

// The module writes a line break and a backslash as \012 and \134, so that a path is one line.
std::string unescaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text.size() >= 4 && text[0] == '\\' && is_octal(text[1]) && is_octal(text[2]) && is_octal(text[3])) {
      out += static_cast<char>((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
      text.remove_prefix(4);
    } else {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

// Lines of "INDEX PATH". A disk has its file there twice where it is opened twice.
std::vector<std::string> files_in(std::string_view attribute) {
  std::vector<std::string> files;
  for_each_line(attribute, [&](std::string_view line) {
    const auto space = line.find(' ');
    if (space == std::string_view::npos) return;
    const std::string path = unescaped(line.substr(space + 1));
    if (std::find(files.begin(), files.end(), path) == files.end()) files.push_back(path);
  });
  return files;
}

std::vector<std::uint16_t> sizes_in(std::string_view attribute) {
  std::vector<std::uint16_t> sizes;
  while (!attribute.empty()) {
    const auto end = std::min(attribute.find(' '), attribute.size());
    if (end > 0) sizes.push_back(static_cast<std::uint16_t>(number_in(attribute.substr(0, end))));
    attribute.remove_prefix(std::min(end + 1, attribute.size()));
  }
  return sizes;
}

std::optional<std::vector<std::byte>> bytes_in(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned value = 0;
    const auto [stop, error] = std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    if (error != std::errc{} || stop != hex.data() + i + 2) return std::nullopt;
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

device_shape shape_in(const fs::path& folder) {
  device_shape shape;
  shape.id = small_number_of(folder / "device_id");
  shape.features = number_in(text_of(folder / "features"));
  shape.queue_count = small_number_of(folder / "num_queues");
  if (const auto sizes = read_attribute(folder / "queue_sizes")) shape.queue_sizes = sizes_in(*sizes);
  if (const auto config = read_attribute(folder / "config")) shape.config = bytes_in(*config);
  if (shape.config && shape.config->size() >= config_shown_max) shape.config.reset();
  return shape;
}

std::optional<std::uint32_t> virtio_index_in(const fs::path& folder) {
  std::error_code none;
  for (fs::directory_iterator entry(folder, none), end; !none && entry != end; entry.increment(none)) {
    if (const auto index = number_behind("virtio", entry->path().filename().string())) return index;
  }
  return std::nullopt;
}

fs::path class_folder(const system_folders& where) {
  return where.sys / "class" / "vloop";
}

fs::path folder_of(std::uint32_t id, const system_folders& where) {
  return class_folder(where) / ("vloop" + std::to_string(id));
}

}  // namespace

std::optional<listed_device> find_device(std::uint32_t id, const system_folders& where) {
  const fs::path folder = folder_of(id, where);
  const auto state = read_attribute(folder / "state");
  if (!state) return std::nullopt;
  listed_device device;
  device.id = id;
  device.state = *state;
  device.server = small_number_of(folder / "server_pid");
  device.on_exit = text_of(folder / "on_exit");
  device.grace_ms = number_in(text_of(folder / "grace_ms"));
  device.recoveries = number_in(text_of(folder / "recoveries"));
  device.owner = small_number_of(folder / "owner");
  device.shape = shape_in(folder);
  device.files = files_in(text_of(folder / "files"));
  device.description = text_of(folder / "description");
  if (const auto index = virtio_index_in(folder)) {
    device.virtio = virtio_name(static_cast<int>(*index));
    device.node = find_node(device.shape.id, static_cast<int>(*index), where);
  }
  return device;
}

std::vector<listed_device> list_devices(const system_folders& where) {
  std::vector<std::uint32_t> ids;
  std::error_code none;
  for (fs::directory_iterator entry(class_folder(where), none), end; !none && entry != end; entry.increment(none)) {
    if (const auto id = number_behind("vloop", entry->path().filename().string())) ids.push_back(*id);
  }
  std::sort(ids.begin(), ids.end());
  std::vector<listed_device> devices;
  for (const auto id : ids) {
    if (auto device = find_device(id, where)) devices.push_back(std::move(*device));
  }
  return devices;
}

std::string backing_of(const listed_device& device) {
  std::string files;
  for (const auto& file : device.files) {
    if (!files.empty()) files += ", ";
    files += file;
  }
  if (!files.empty()) return files;
  try {
    const auto stored = parse_stored_description(device.description).device;
    return split_device_text(device_spec_text(stored)).subject.value_or("-");
  } catch (const usage_error&) {
    return "-";  // an embedding program may write there what it likes
  }
}

std::uint64_t identity_of_device(std::uint32_t id, const system_folders& where) {
  struct stat st {};
  return ::stat(folder_of(id, where).c_str(), &st) == 0 ? st.st_ino : 0;
}

}  // namespace vloop::adapter
