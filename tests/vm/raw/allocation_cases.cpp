// SPDX-License-Identifier: MIT
// Allocations that fail: each one that a call makes, in turn, by the kernel's own fault injection. The call says so or
// does without, and the device is none the worse. They need a kernel with CONFIG_FAULT_INJECTION.
#include "cases.hpp"
#include "disk.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>

namespace vloop::raw {

namespace {

constexpr int allocations_max = 2000;  // that one call may make

// What the kernel says of an allocation that failed, and of a copy.
constexpr std::initializer_list<long> failures{-ENOMEM, -EFAULT};

// The n-th allocation or copy from now on that this thread makes fails.
class failing_allocation {
 public:
  explicit failing_allocation(int n) : file_(open_or_throw("/proc/thread-self/fail-nth", O_RDWR)) {
    expect(set(n), "fail-nth");
  }
  // That is a copy itself, and may be the one that fails.
  ~failing_allocation() {
    while (!set(0)) {}
  }

  // Whether the call came to it.
  bool happened() const {
    char text[16] = {};
    return ::pread(file_.get(), text, sizeof(text) - 1, 0) > 0 && std::atoi(text) == 0;
  }

 private:
  bool set(int n) const {
    const auto text = std::to_string(n);
    return ::pwrite(file_.get(), text.data(), text.size(), 0) == static_cast<long>(text.size());
  }

  owned_fd file_;
};

// Calls with the first of them failing, the second, and so on, until there are no more. `call` undoes what it did, or
// `afterwards` does, which gets the result and may make an error of it.
void each_failing(
    const std::string& what, const std::function<long()>& call,
    const std::function<long(long)>& afterwards = [](long result) { return result; }) {
  int failed = 0;
  for (int n = 1; n < allocations_max; ++n) {
    long result = 0;
    bool happened = false;
    {
      const failing_allocation failing(n);
      result = call();
      happened = failing.happened();
    }
    result = afterwards(result);
    if (result < 0) {
      one_of(what + " with failure " + std::to_string(n), result, failures);
      ++failed;
    }
    if (!happened) {
      expect(result >= 0, what + " without a failure");
      std::printf("%s: %d could fail, %d of them ended the call\n", what.c_str(), n - 1, failed);
      return;
    }
  }
  throw failure(what + ": no end of them");
}

// What a call makes is a descriptor, which goes at once.
long opened(long fd) {
  if (fd < 0) return fd;
  owned_fd(static_cast<int>(fd));
  return 0;
}

device_shape large_shape() {
  auto shape = blk_shape(disk_sectors, 2);
  shape.arg.on_exit = VLOOP_EXIT_REISSUE;
  shape.description = "a device that is made with difficulty";
  return shape;
}

void a_device_is_made_or_not() {
  const control module;
  each_failing("CREATE", [&] {
    auto shape = large_shape();
    shape.arg.flags = VLOOP_CREATE_WINDOW;
    return opened(module.create(shape));
  });
  equal("CREATE after all that", opened([&] {
          auto shape = large_shape();
          return module.create(shape);
        }()),
        0);
}

void calls_on_a_device_fail_and_leave_it_as_it_was() {
  const control module;
  auto shape = large_shape();
  disk d(std::move(shape));
  const auto id = d.dev().id();
  const auto file = memory_file(disk_sectors * sector_bytes);
  each_failing("SET_FILE", [&] { return d.dev().set_file(1, file.get()); });
  std::vector<std::byte> config(d.dev().info().config_len);
  vloop_config arg{};
  arg.data = address_of(config.data());
  arg.length = static_cast<std::uint32_t>(config.size());
  each_failing("GET_CONFIG", [&] { return call(d.dev().fd(), VLOOP_GET_CONFIG, &arg); });
  each_failing("SET_CONFIG", [&] { return call(d.dev().fd(), VLOOP_SET_CONFIG, &arg); });
  d.q(1).close();
  each_failing("QUEUE_FD", [&] { return opened(d.dev().queue_fd(1)); });
  d.reopen(1, VLOOP_QUEUE_NOWAIT);
  each_failing("mmap", [&] { return d.q().map_stats().error(); });
  each_failing("an attribute", [&] {
    const owned_fd attribute(::open((sysfs_folder(id) + "/files").c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, page_bytes> text;
    return result_of(attribute ? ::read(attribute.get(), text.data(), text.size()) : -1);
  });
  equal("DETACH", d.dev().detach(), 0);
  each_failing("ATTACH", [&] {
    const long fd = module.attach(id);
    return fd < 0 ? fd : device(owned_fd(static_cast<int>(fd)), id).detach();
  });
  equal("the state", opened(module.attach(id)), 0);
  each_failing("STOP", [&] {
    const long result = module.stop(id, VLOOP_STOP_FORCE);
    return result == -ENODEV ? 0 : result;  // gone meanwhile
  });
  wait_until_gone(id);
}

void operations_fail_and_leave_their_request() {
  disk d;
  // More pieces than fit in what a slot has for them, of pages that the file does not have yet.
  const auto user = transfer::read(d.node(), 1 << 20, 32 * page_bytes);
  const auto request = d.q().next_request();
  std::vector<std::byte> memory(4 * page_bytes);
  const auto run = [&](const char* what, vloop_op op) {
    each_failing(
        what, [&] { return d.q().write(op); },
        [&](long begun) { return begun < 0 ? begun : std::min<long>(static_cast<long>(d.q().next_done()), 0); });
  };
  auto op = good_answer(request);
  op.flags = 0;
  run("a transfer", op);
  op = op_for(request, VLOOP_VERB_COPY_TO_REQUEST);
  op.address = address_of(memory.data());
  op.length = static_cast<std::uint32_t>(memory.size());
  run("a copy to the request", op);
  op.verb = VLOOP_VERB_COPY_FROM_REQUEST;
  op.length = 16;
  run("a copy from the request", op);
  run("a sync", op_for(request, VLOOP_VERB_SYNC_FILE));
  equal("the good answer", d.q().write(good_answer(request)), sizeof(vloop_op));
  equal("the read", user.result(), 32 * page_bytes);
  d.remove();
}

// Those of the module's workers too, by chance: the test has set up which fail. Requests may fail, and a device may be
// without its disk; but all end.
void lives_of_devices_under_failing_allocations() {
  constexpr int rounds = 40;
  const control module;
  int made = 0, disks = 0;
  long good = 0, failed = 0;
  for (int i = 0; i < rounds; ++i) {
    auto shape = large_shape();
    const long fd = module.create(shape);
    if (fd < 0) {
      equal("CREATE", fd, -ENOMEM);
      continue;
    }
    ++made;
    const device d(owned_fd(static_cast<int>(fd)), shape.arg.id);
    const auto file = memory_file(disk_sectors * sector_bytes);
    one_of("SET_FILE", d.set_file(0, file.get()), {0, -ENOMEM});
    std::vector<queue> queues;
    for (unsigned index = 0; index < 2; ++index) {
      long queue_fd = -ENOMEM;
      within(patience, "a queue", [&] { return (queue_fd = d.queue_fd(index)) >= 0; });
      queues.emplace_back(owned_fd(static_cast<int>(queue_fd)));
    }
    const auto answer_all = [&] {
      for (const auto& q : queues) {
        for (const auto& record : q.read_all()) {
          if (record.type == VLOOP_RECORD_REQUEST && q.write(good_answer(record)) < 0)
            q.write(op_for(record, VLOOP_VERB_NONE, answer_silently));
        }
      }
    };
    equal("START", d.start(), 0);
    within(patience, "the end of the probe", [&] {
      answer_all();
      return d.info().state != VLOOP_STATE_STARTING;
    });
    const auto node = disk_node(d.id());
    if (!node.empty() && exists(node)) {
      ++disks;
      for (int turn = 0; turn < 4; ++turn) {
        const auto user = turn % 2 == 0 ? transfer::read(node, 1 << 20, 32 * page_bytes)
                                        : transfer::write(node, 2 << 20, 32 * page_bytes, std::byte{1});
        within(patience, "the end of a transfer", [&] {
          answer_all();
          return user.ended();
        });
        ++(user.result() == 32 * page_bytes ? good : failed);
      }
    }
    equal("REMOVE", d.remove(), 0);
    within(patience, "the end of a device", [&] {
      answer_all();
      return !exists(sysfs_folder(d.id()));
    });
  }
  std::printf("%d devices of %d were made, %d disks came; %ld transfers ended well, %ld did not\n", made, rounds, disks,
              good, failed);
  expect(made < rounds || failed > 0, "some allocations failed");
  expect(disks > 0 && good > 0, "some did not");
}

constexpr named_case cases[] = {
    {"a_device_is_made_or_not", a_device_is_made_or_not},
    {"calls_on_a_device_fail_and_leave_it_as_it_was", calls_on_a_device_fail_and_leave_it_as_it_was},
    {"operations_fail_and_leave_their_request", operations_fail_and_leave_their_request},
    {"lives_of_devices_under_failing_allocations", lives_of_devices_under_failing_allocations},
};

}  // namespace

std::span<const named_case> allocation_cases() {
  return cases;
}

}  // namespace vloop::raw
