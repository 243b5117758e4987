// SPDX-License-Identifier: MIT
#include "rng.hpp"

#include <unistd.h>

#include <vector>

namespace vloop::raw {

namespace {

void write_text(const std::string& path, const std::string& text) {
  const auto file = open_or_throw(path, O_WRONLY);
  equal("a write to " + path, result_of(::write(file.get(), text.data(), text.size())), static_cast<long>(text.size()));
}

}  // namespace

entropy::entropy(device_shape shape) : device_(std::move(shape)), queue_(device_.open_queue(0)) {
  equal("START", device_.start(), 0);
  within(patience, "a device that is live", [&] { return device_.info().state == VLOOP_STATE_LIVE; });
  name_ = "virtio" + std::to_string(device_.info().virtio_index);
}

long entropy::fill(const vloop_record& request, std::byte value, std::uint32_t bytes, std::uint32_t flags) const {
  const std::vector<std::byte> memory(bytes, value);
  auto op = op_for(request, VLOOP_VERB_COPY_TO_REQUEST, flags);
  op.address = address_of(memory.data());
  op.length = bytes;
  return queue_.write(op);
}

void entropy::unbind() const {
  write_text("/sys/bus/virtio/drivers/virtio_rng/unbind", name_);
}

void entropy::bind() const {
  write_text("/sys/bus/virtio/drivers/virtio_rng/bind", name_);
}

}  // namespace vloop::raw
