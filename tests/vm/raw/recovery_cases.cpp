// SPDX-License-Identifier: MIT
// A device that outlives its server: what the one before can still do, and who may be the next.
#include "cases.hpp"
#include "disk.hpp"
#include "mortal.hpp"
#include "process.hpp"
#include "user.hpp"

#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <array>

namespace vloop::raw {

namespace {

void end_by_force(std::uint32_t id) {
  one_of("STOP by force", control().stop(id, VLOOP_STOP_FORCE), {0, -ENODEV});
  wait_until_gone(id);
}

// The descriptors of before are there, and even a request that was fetched by them.
void an_old_server_cannot_touch_the_next_ones_requests() {
  const control module;
  disk d(recoverable());
  const auto id = d.dev().id();
  const auto user = transfer::read(d.node(), 0, page_bytes);
  const auto before = d.q().next_request();
  equal("DETACH", d.dev().detach(), 0);
  const auto old_can_do_nothing = [&](const char* when) {
    vloop_record record{};
    equal(when, d.q().write(good_answer(before)), -ENODEV);
    auto told = op_for(before, VLOOP_VERB_COPY_FROM_REQUEST);
    told.address = address_of(&record);
    told.length = 16;
    equal(when, d.q().write(told), -ENODEV);
    equal(when, d.q().read(std::span(&record, 1)), 0);
    equal(when, d.dev().read(record), 0);
    equal(when, d.q().map_stats().error(), -ENODEV);
    equal(when, d.dev().queue_fd(0), -ENODEV);
    equal(when, d.dev().set_file(0, d.file()), -ENODEV);
    equal(when, d.dev().start(), -ENODEV);
    equal(when, d.dev().detach(), -ENODEV);
    equal(when, d.dev().remove(), -ENODEV);
    expect(!user.ended(), "the user's read waits");
  };
  old_can_do_nothing("an old descriptor, while nobody serves");

  const auto next = attach(module, id);
  old_can_do_nothing("an old descriptor, before the next has its queue");
  auto q = next.open_queue(0);
  old_can_do_nothing("an old descriptor, while the next serves");
  equal("SET_FILE", next.set_file(0, d.file()), 0);
  const auto again = q.next_request();
  old_can_do_nothing("an old descriptor, when the next has the request");
  equal("the request that comes again", again.user_data & VLOOP_REQUEST_AGAIN, VLOOP_REQUEST_AGAIN);
  equal("its head", again.head, before.head);
  equal("an answer as of before", q.write(good_answer(before)), -ESTALE);
  equal("an answer", q.write(good_answer(again)), sizeof(vloop_op));
  equal("the user's read", user.result(), page_bytes);

  // Closed at last, they end nothing.
  d.close();
  equal("the device's service", next.info().service, VLOOP_SERVICE_SERVED);
  equal("an operation of the next", q.write(good_answer(again)), -ESTALE);
  const serving served({q.fd()});
  equal("REMOVE", next.remove(), 0);
  next.wait_gone();
}

// An old server's children hold its descriptors, and hold up nobody.
void descriptors_left_in_children_block_nobody() {
  shared<announcement> id;
  auto server = process::run([&] {
    disk d(recoverable());
    for (int i = 0; i < 3; ++i) {
      if (::fork() != 0) continue;
      within(2 * patience, "the end of the case", [&] { return id->over.load(); });
      ::_exit(0);
    }
    id->tell(d.dev().id());
    for (;;) ::pause();
  });
  const auto number = id->wait();
  server.kill_and_wait();
  const auto next = attach(control(), number);
  const auto q = next.open_queue(0);
  const auto file = memory_file(disk_sectors * sector_bytes);
  equal("SET_FILE", next.set_file(0, file.get()), 0);
  const auto user = transfer::read(disk_node(number), 0, page_bytes);
  equal("an answer", q.write(good_answer(q.next_request())), sizeof(vloop_op));
  equal("the user's read", user.result(), page_bytes);
  end_by_force(number);
  id->over = true;
}

void one_of_many_attaches_wins() {
  constexpr int rounds = 30;
  constexpr std::size_t threads = 4;
  const control module;
  disk d(recoverable());
  const auto id = d.dev().id();
  device current(owned_fd(::dup(d.dev().fd())), id);
  for (int i = 0; i < rounds; ++i) {
    equal("DETACH", current.detach(), 0);
    std::array<long, threads> results{};
    std::atomic<std::size_t> ready = 0;
    std::vector<std::thread> all;
    for (auto& result : results) {
      all.emplace_back([&] {
        for (++ready; ready < threads;) std::this_thread::yield();
        result = module.attach(id);
      });
    }
    for (auto& one : all) one.join();
    int winners = 0;
    for (const long result : results) {
      if (result < 0) {
        equal("an attach that came too late", result, -EBUSY);
      } else {
        ++winners;
        current = device(owned_fd(static_cast<int>(result)), id);
      }
    }
    equal("attaches that won", winners, 1);
  }
  equal("recoveries", current.info().recoveries, rounds);
  end_by_force(id);
}

// What ends the wait of a take-over: time, the death of the server, its end by force, a signal.
void a_take_over_that_waits_ends_with_its_reason() {
  constexpr std::uint32_t long_ms = 30000;
  const control module;
  {
    disk d(recoverable());
    equal("a take-over in time", module.attach(d.dev().id(), VLOOP_ATTACH_TAKE_OVER, 50), -ETIMEDOUT);
    vloop_record record{};
    pollfd wanted{d.dev().fd(), POLLIN, 0};
    while (::poll(&wanted, 1, 0) > 0) {
      equal("a read of the device", d.dev().read(record), sizeof(record));
      expect(record.event.event != VLOOP_EVENT_HAND_OVER, "nobody is asked to hand over when nobody waits");
    }
    std::thread stopper([&] {
      d.dev().next_event(VLOOP_EVENT_HAND_OVER);
      end_by_force(d.dev().id());
    });
    equal("a take-over of what ends", module.attach(d.dev().id(), VLOOP_ATTACH_TAKE_OVER, long_ms), -ENODEV);
    stopper.join();
  }
  shared<announcement> id;
  auto server = process::run([&] {
    disk d(recoverable());
    id->tell(d.dev().id());
    d.dev().next_event(VLOOP_EVENT_HAND_OVER);
    ::raise(SIGKILL);
  });
  const auto number = id->wait();
  const auto start = clock::now();
  const long fd = module.attach(number, VLOOP_ATTACH_TAKE_OVER, long_ms);
  expect(fd >= 0, "a take-over from a server that dies: " + result_text(fd));
  expect(milliseconds_since(start) < long_ms / 2, "it does not wait for the end of its time");
  expect(server.ended(), "the end of the server");
  end_by_force(number);
}

void arguments_that_make_no_sense_are_refused() {
  const control module;
  disk kept(recoverable());
  disk d;
  const auto id = kept.dev().id();
  equal("an unknown flag of ATTACH", module.attach(id, 1U << 31), -EINVAL);
  equal("a time without TAKE_OVER", module.attach(id, 0, 1), -EINVAL);
  equal("TAKE_OVER without a time", module.attach(id, VLOOP_ATTACH_TAKE_OVER, 0), -EINVAL);
  for (const std::uint32_t time : {VLOOP_WAIT_MS_MAX + 1U, 1U << 31, ~0U})
    equal("TAKE_OVER without end", module.attach(id, VLOOP_ATTACH_TAKE_OVER, time), -EINVAL);
  equal("an unknown flag of STOP", module.stop(id, 1U << 1), -EINVAL);
  vloop_attach arg{};
  arg.id = id;
  arg.reserved[3] = 1;
  equal("a reserved field", call(module.fd(), VLOOP_ATTACH, &arg), -EINVAL);
  arg.reserved[3] = 0;
  arg.pad = 1;
  equal("padding", call(module.fd(), VLOOP_ATTACH, &arg), -EINVAL);
  for (const std::uint32_t number : {id + 1000, 1U << 31, ~0U}) {
    equal("ATTACH to a device that is not there", module.attach(number), -ENODEV);
    equal("STOP of a device that is not there", module.stop(number), -ENODEV);
  }
  equal("ATTACH to a device that is served", module.attach(id), -EBUSY);
  equal("ATTACH to a device that ends with its server", module.attach(d.dev().id()), -EINVAL);
  equal("DETACH of a device that ends with its server", d.dev().detach(), -EINVAL);
  const device unstarted(recoverable());
  equal("DETACH of a device that was not started", unstarted.detach(), -EBUSY);
  equal("a take-over of a device that was not started", module.attach(unstarted.id(), VLOOP_ATTACH_TAKE_OVER, 1000),
        -EBUSY);

  const auto refused = [&](const char* what, auto change) {
    auto shape = recoverable();
    change(shape);
    equal(what, module.create(shape), -EINVAL);
  };
  refused("an unknown policy", [](auto& s) { s.arg.on_exit = VLOOP_EXIT_FAIL_FAST + 1; });
  refused("a period of grace without end", [](auto& s) { s.arg.grace_ms = VLOOP_GRACE_MS_MAX + 1; });
  refused("a text that is too long", [](auto& s) { s.description.assign(VLOOP_DESCRIPTION_MAX + 1, 'x'); });
  for (const char* text : {"a\nb", "\x1b[2J", "a\tb", "\x7f"})
    refused("a text with control characters", [&](auto& s) { s.description = text; });
  refused("a text with a zero", [](auto& s) { s.description = std::string("a\0b", 3); });
  end_by_force(id);
}

// ---- whose device it is ----

// Needs a /dev/vloop that anybody may open.
void other_users_may_not_decide() {
  const control root;
  disk d(recoverable());
  const auto id = d.dev().id();
  const auto is_denied = [&](const control& module, const char* who) {
    equal(std::string("ATTACH by ") + who, module.attach(id), -EPERM);
    equal(std::string("TAKE_OVER by ") + who, module.attach(id, VLOOP_ATTACH_TAKE_OVER, 1000), -EPERM);
    equal(std::string("STOP by ") + who, module.stop(id), -EPERM);
    equal(std::string("STOP by force by ") + who, module.stop(id, VLOOP_STOP_FORCE), -EPERM);
  };
  process::run([&] {
    become(nobody);
    is_denied(control(), "another user");
  }).join();
  process::run([&] {
    become(nobody);
    expect(::unshare(CLONE_NEWUSER) == 0, "a user namespace");
    is_denied(control(), "root of a namespace");
  }).join();
  process::run([&] {
    // Opened by another user, and used by root: whose descriptor it is counts.
    expect(::seteuid(nobody) == 0, "another effective user");
    const control opened;
    expect(::seteuid(0) == 0, "root again");
    is_denied(opened, "root with another user's descriptor");
  }).join();
  equal("the device's service", d.dev().info().service, VLOOP_SERVICE_SERVED);
  process::run([&] {
    // The other way round: what root opened and passed on has root's rights.
    become(nobody);
    equal("ATTACH with root's descriptor", root.attach(id), -EBUSY);
  }).join();
  end_by_force(id);
}

void everybody_may_decide_over_their_own() {
  const control root;
  shared<announcement> id;
  auto server = process::run([&] {
    become(nobody);
    disk d(recoverable());
    id->tell(d.dev().id());
    d.dev().next_event(VLOOP_EVENT_HAND_OVER);
    equal("DETACH", d.dev().detach(), 0);
  });
  const auto number = id->wait();
  process::run([&] {
    become(nobody);
    const control own;
    const long fd = own.attach(number, VLOOP_ATTACH_TAKE_OVER, 20000);
    expect(fd >= 0, "a take-over by the same user: " + result_text(fd));
    equal("STOP by the same user", own.stop(number), 0);
    device(owned_fd(static_cast<int>(fd)), number).next_event(VLOOP_EVENT_STOP);
  }).join();
  server.join();
  within(patience, "root attaches", [&] {
    const long fd = root.attach(number);
    if (fd < 0) return false;
    owned_fd(static_cast<int>(fd));
    return true;
  });
  end_by_force(number);
}

// ---- time ----

void requests_wait_for_the_period_of_grace_and_no_longer() {
  constexpr std::uint32_t grace_ms = 400;
  auto shape = recoverable(VLOOP_EXIT_QUEUE);
  shape.arg.grace_ms = grace_ms;
  disk d(shape);
  const auto id = d.dev().id();
  equal("DETACH", d.dev().detach(), 0);
  const auto start = clock::now();
  const auto user = transfer::read(d.node(), 0, page_bytes);
  equal("a read for which no server came", user.result(), -EIO);
  expect(milliseconds_since(start) >= grace_ms / 2, "it waited for one");
  equal("the next read", transfer::read(d.node(), 0, page_bytes).result(), -EIO);

  const auto next = attach(control(), id);
  const auto q = next.open_queue(0);
  equal("SET_FILE", next.set_file(0, d.file()), 0);
  const serving served({q.fd()});
  equal("a read when a server has come", transfer::read(d.node(), 0, page_bytes).result(), page_bytes);
  equal("REMOVE", next.remove(), 0);
  next.wait_gone();
}

constexpr named_case cases[] = {
    {"an_old_server_cannot_touch_the_next_ones_requests", an_old_server_cannot_touch_the_next_ones_requests},
    {"descriptors_left_in_children_block_nobody", descriptors_left_in_children_block_nobody},
    {"one_of_many_attaches_wins", one_of_many_attaches_wins},
    {"a_take_over_that_waits_ends_with_its_reason", a_take_over_that_waits_ends_with_its_reason},
    {"arguments_that_make_no_sense_are_refused", arguments_that_make_no_sense_are_refused},
    {"other_users_may_not_decide", other_users_may_not_decide},
    {"everybody_may_decide_over_their_own", everybody_may_decide_over_their_own},
    {"requests_wait_for_the_period_of_grace_and_no_longer", requests_wait_for_the_period_of_grace_and_no_longer},
};

}  // namespace

std::span<const named_case> recovery_cases() {
  return cases;
}

}  // namespace vloop::raw
