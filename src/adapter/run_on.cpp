// SPDX-License-Identifier: MIT
#include "adapter/run_on.hpp"

#include <exception>
#include <utility>

#include "runtime/event.hpp"

namespace vloop::adapter {
namespace {

struct errand {
  std::function<task<void>(loop&)> make;
  loop& home;
  std::exception_ptr failure{};
  event done{};  // of the home loop's thread
};

task<void> carry_out(errand& what, loop& io) {
  try {
    task<void> work = what.make(io);
    co_await std::move(work);
  } catch (...) {
    what.failure = std::current_exception();
  }
  what.home.post([&what]() noexcept { what.done.set(); });
}

}  // namespace

task<void> run_on(worker& there, loop& here, std::function<task<void>(loop&)> make) {
  errand what{.make = std::move(make), .home = here};
  there.spawn([&what](loop& io) { return carry_out(what, io); });
  co_await what.done.wait();
  if (what.failure) std::rethrow_exception(what.failure);
}

}  // namespace vloop::adapter
