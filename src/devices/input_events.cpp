// SPDX-License-Identifier: MIT
#include "devices/input_events.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/setup_error.hpp"

namespace vloop {
namespace {

using namespace std::chrono_literals;

constexpr auto head_wait_max = 5s;

// A named pipe is opened for writing too, so that it does not end when one of its writers goes; where that is not
// allowed, it ends with the last of them.
owned_fd open_events(const std::string& path, bool& pipe) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) throw setup_error(errno, "cannot read events from " + path);
  if (S_ISDIR(st.st_mode)) throw setup_error(EISDIR, "cannot read events from " + path);
  pipe = !S_ISREG(st.st_mode);
  owned_fd fd;
  if (S_ISFIFO(st.st_mode)) fd = owned_fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) fd = owned_fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw setup_error(errno, "cannot read events from " + path);
  return fd;
}

bool has_codes(const input_capabilities& c) {
  return std::ranges::any_of(c.codes, [](const code_set& codes) { return codes.any(); });
}

}  // namespace

event_text_source::event_text_source(const event_text_options& options)
    : path_(options.path), label_("events:" + options.path), fd_(open_events(path_, pipe_)) {
  try {
    if (pipe_) {
      read_pipe_head();
      capabilities_ = served_part(text_.capabilities());
    } else {
      scan_file();
    }
  } catch (const input_text_error& error) {
    refuse(error);
  }
  if (!has_codes(capabilities_)) throw setup_error(EINVAL, path_ + " has no event");
}

void event_text_source::refuse(const input_text_error& error) const {
  throw setup_error(EINVAL, "bad events in " + path_ + ", " + error.what());
}

void event_text_source::scan_file() {
  std::uint64_t events = 0;
  do {
    while (const auto line = take_line())
      if (text_.take(*line)) ++events;
  } while (read_now());
  text_.end();
  capabilities_ = served_part(text_.capabilities());
  notes_.push_back(std::to_string(events) + " events" + (text_.declared() ? "" : "; no head: made to fit them"));
  if (::lseek(fd_.get(), 0, SEEK_SET) != 0) throw setup_error(errno, "cannot read " + path_ + " again");
  text_ = {};
  first_ = last_ = 0;
  at_end_ = false;
}

void event_text_source::read_pipe_head() {
  const auto deadline = clock::now() + head_wait_max;
  for (;;) {
    while (const auto line = take_line()) {
      const auto event = text_.take(*line);
      const bool over = event || (text_.declared() && text_.at_blank_line());
      if (over && !text_.declared()) throw setup_error(EINVAL, path_ + " has no head", "a pipe must begin with one");
      if (event) add(*event);
      if (over) return text_.check_head();
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
    pollfd p{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&p, 1, static_cast<int>(left.count())) == 0)
      throw setup_error(ETIMEDOUT, "no head came through " + path_, "it ends with an empty line or the first event");
    if (!read_now()) throw setup_error(EINVAL, path_ + " ended within its head");
  }
}

// Room for more bytes: never none, for lines are shorter than the buffer.
std::span<char> event_text_source::make_room() {
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(first_), buffer_.begin() + static_cast<std::ptrdiff_t>(last_),
            buffer_.begin());
  last_ -= first_;
  first_ = 0;
  return std::span(buffer_).subspan(last_);
}

// While setting up. False at the end.
bool event_text_source::read_now() {
  if (at_end_) return false;
  const auto room = make_room();
  const ssize_t bytes = ::read(fd_.get(), room.data(), room.size());
  if (bytes < 0 && errno != EINTR) throw setup_error(errno, "cannot read " + path_);
  if (bytes > 0) last_ += static_cast<std::size_t>(bytes);
  at_end_ = bytes == 0;
  return !at_end_ || first_ < last_;  // the last line may end without a line break
}

// Valid until the next bytes are read. Nothing: no line is whole yet.
std::optional<std::string_view> event_text_source::take_line() {
  const std::string_view all(buffer_.data() + first_, last_ - first_);
  const auto end = all.find('\n');
  const bool unended = end == std::string_view::npos;
  const bool too_long = all.size() > input_text::line_bytes_max;  // refused by the one who reads it
  if (unended && !too_long && (!at_end_ || all.empty())) return std::nullopt;
  const std::string_view line = all.substr(0, end);
  first_ += line.size() + (unended ? 0 : 1);
  return line;
}

void event_text_source::add(const text_event& event) {
  report_.add(event.entry);
  report_at_ = event.at;
}

// True: the report is whole.
bool event_text_source::take_lines() {
  try {
    while (!report_.whole()) {
      const auto line = take_line();
      if (!line) return false;
      if (const auto event = text_.take(*line)) add(*event);
    }
    return true;
  } catch (const input_text_error& error) {
    refuse(error);
  }
}

// Reports keep the distances that they had, from the first on. One that comes late comes at once.
event_text_source::clock::time_point event_text_source::due() {
  if (!first_at_) {
    first_at_ = report_at_;
    began_ = clock::now();
  }
  return began_ + (report_at_ - *first_at_);
}

task<next_input> event_text_source::next(loop& io, input_report& out) {
  while (!take_lines()) {
    if (at_end_ || wait_.stopped()) co_return next_input::ended;
    const auto room = std::as_writable_bytes(make_room());
    operation reading = io.read(fd_.get(), room);
    const std::int32_t got = co_await wait_.until(reading);
    if (got > 0) last_ += static_cast<std::size_t>(got);
    at_end_ = got == 0;
    if (got < 0 && got != -EINTR && !wait_.stopped()) throw setup_error(-got, "cannot read " + path_);
  }
  const auto left = due() - clock::now();
  if (left > 0ns) {
    operation pause = io.sleep(left);
    co_await wait_.until(pause);
  }
  if (wait_.stopped()) co_return next_input::ended;
  out = report_;
  report_.clear();
  co_return next_input::report;
}

task<void> event_text_source::stop(loop& io) {
  co_await wait_.stop(io);
}

}  // namespace vloop
