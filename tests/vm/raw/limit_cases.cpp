// SPDX-License-Identifier: MIT
// What a user may make the module keep in memory. They need a /dev/vloop that anybody may open.
#include "cases.hpp"
#include "process.hpp"
#include "raw.hpp"
#include "user.hpp"

#include <sys/resource.h>

namespace vloop::raw {

namespace {

constexpr rlim_t limit_bytes = 512 << 10;

void limit_locked_memory(rlim_t bytes) {
  const rlimit limit{bytes, bytes};
  expect(::setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "RLIMIT_MEMLOCK");
}

// As many as there may be; they last as long as the result.
std::vector<owned_fd> create_all(const control& module, device_shape shape) {
  std::vector<owned_fd> devices;
  for (;;) {
    const long fd = module.create(shape);
    if (fd < 0) {
      equal("the end", fd, -ENOMEM);
      return devices;
    }
    devices.emplace_back(static_cast<int>(fd));
    expect(devices.size() < 1000, "there is an end");
  }
}

void a_user_cannot_lock_more_memory_than_the_limit() {
  limit_locked_memory(limit_bytes);
  auto user = process::run([] {
    become(nobody);
    const control module;
    auto large = blk_shape(8192, 4, 1024);
    equal("rings that are larger than the limit", module.create(large), -ENOMEM);
    auto first = create_all(module, blk_shape(8192, 1, 4));
    const auto count = first.size();
    std::printf("%zu devices\n", count);
    expect(count >= 2 && count < limit_bytes / (16 << 10), "some devices, but each counts");

    // What one process has is the next one's limit, if the user is the same.
    auto other = process::run([] {
      auto shape = blk_shape(8192, 1, 4);
      equal("a device of another process", control().create(shape), -ENOMEM);
    });
    other.join();

    // Everything is given back, if not at once.
    first.clear();
    within(patience, "as many devices again",
           [&] { return create_all(module, blk_shape(8192, 1, 4)).size() == count; });
  });
  user.join();
}

// As with every other limit that it lifts. The opener's rights count, wherever the descriptor went.
void who_may_lock_memory_has_no_limit() {
  limit_locked_memory(0);
  const control module;
  auto large = blk_shape(8192, 4, 1024);
  const owned_fd own(static_cast<int>(module.create(large)));
  expect(static_cast<bool>(own), "a device of root");
  auto user = process::run([&] {
    become(nobody);
    auto passed = blk_shape(8192, 1, 4);
    const owned_fd fd(static_cast<int>(module.create(passed)));
    expect(static_cast<bool>(fd), "a device by a descriptor of root");
    auto shape = blk_shape(8192, 1, 4);
    equal("a device by a descriptor of one's own", control().create(shape), -ENOMEM);
  });
  user.join();
}

constexpr named_case cases[] = {
    {"a_user_cannot_lock_more_memory_than_the_limit", a_user_cannot_lock_more_memory_than_the_limit},
    {"who_may_lock_memory_has_no_limit", who_may_lock_memory_has_no_limit},
};

}  // namespace

std::span<const named_case> limit_cases() {
  return cases;
}

}  // namespace vloop::raw
