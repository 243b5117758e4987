// SPDX-License-Identifier: MIT
// An entropy device: its driver has one request in the queue as long as it is bound.
#pragma once

#include "raw.hpp"

#include <string>

namespace vloop::raw {

class entropy {
 public:
  // Started and bound; the driver's first request waits to be read.
  explicit entropy(device_shape shape = rng_shape());

  device& dev() { return device_; }
  queue& q() { return queue_; }

  // Answers with that many bytes of that value, silently.
  long fill(const vloop_record& request, std::byte value, std::uint32_t bytes,
            std::uint32_t flags = VLOOP_OP_COMPLETE | VLOOP_OP_DETACH) const;

  // By sysfs, as an administrator does.
  void unbind() const;
  void bind() const;

 private:
  device device_;
  queue queue_;
  std::string name_;  // virtioN
};

}  // namespace vloop::raw
