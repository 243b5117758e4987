// SPDX-License-Identifier: MIT
#include "devices/rng.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <span>
#include <utility>

#include "devices/stoppable_wait.hpp"
#include "runtime/setup_error.hpp"
#include "runtime/task_group.hpp"

namespace vloop {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t virtio_id_entropy = 4;
constexpr std::size_t bytes_per_answer_max = 4096;  // Linux asks for 64 at a time
constexpr auto first_pause = 10ms;
constexpr auto longest_pause = 200ms;

// Not blocking: a source that has nothing for now (a FIFO, a slow hwrng) says so, and no read hangs.
owned_fd open_source(const std::string& path) {
  owned_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd)
    throw setup_error(errno, "cannot open the random source " + path,
                      errno == ENOENT ? "the usual one is /dev/urandom" : "");
  struct stat st {};
  if (::fstat(fd.get(), &st) == 0 && S_ISDIR(st.st_mode))
    throw setup_error(EISDIR, "cannot read random bytes from " + path, "the usual source is /dev/urandom");
  return fd;
}

// Ends a wait for the source as soon as the queue is stopped.
task<void> watch(queue& requests, stoppable_wait& waiting, loop& io) {
  bool serving = true;
  while (serving) {
    const bool more = co_await requests.arrival();
    serving = more;
  }
  co_await waiting.stop(io);
}

}  // namespace

rng::rng(const rng_options& options) : source_(open_source(options.source)) {
  description_.id = virtio_id_entropy;
  description_.queues = {{.size = options.queue_size, .when_process_dies = queue_description::on_death::leave}};
  description_.in_place = options.in_place;
  description_.kind = "rng";
  description_.label = options.source;
}

// Never answers with nothing: virtio-rng would not ask again. So it waits for the source, however long, and only when
// the queue is stopped under a source that gives nothing are the last requests answered by the kernel's generator.
task<void> rng::serve(queue& requests, loop& io) {
  std::array<std::byte, bytes_per_answer_max> scratch;
  stoppable_wait waiting;
  task_group watching;
  watching.spawn(watch(requests, waiting, io));
  while (auto request = co_await requests.next()) {
    const auto wanted = std::span(scratch).first(std::min<std::size_t>(request->writable(), scratch.size()));
    std::int32_t n = 0;
    std::chrono::nanoseconds pause = first_pause;
    while (!wanted.empty() && n <= 0 && !requests.stopped()) {
      operation reading = io.read(source_.get(), wanted);
      const std::int32_t got = co_await waiting.until(reading);
      n = got;
      if (n > 0) break;
      operation resting = io.sleep(pause);
      co_await waiting.until(resting);
      pause = std::min<std::chrono::nanoseconds>(pause * 2, longest_pause);
    }
    if (!wanted.empty() && n <= 0) n = static_cast<std::int32_t>(::getrandom(wanted.data(), wanted.size(), 0));
    requests.answer(std::move(*request), copy_in(wanted.first(static_cast<std::size_t>(std::max(n, 0)))));
  }
  co_await watching.join();
}

}  // namespace vloop
