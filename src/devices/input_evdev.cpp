// SPDX-License-Identifier: MIT
#include "devices/input_evdev.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "runtime/setup_error.hpp"

namespace vloop {
namespace {

using namespace std::chrono_literals;

constexpr auto release_wait_max = 1s;  // for the key that started us to go up
constexpr auto release_look_interval = 10ms;
constexpr int drain_reads_max = 64;  // a source that is faster than we read must not keep us here

template <std::size_t Bits>
using bit_bytes = std::array<unsigned char, (Bits + 7) / 8>;

// What the kernel filled in, `bytes` of it, as bits. The kernel counts in longs: on little endian that makes bytes.
template <std::size_t Bits, std::size_t Bytes>
std::bitset<Bits> to_bits(const std::array<unsigned char, Bytes>& from, int bytes) {
  std::bitset<Bits> bits;
  const std::size_t known = std::min(Bytes, static_cast<std::size_t>(std::max(bytes, 0)));
  for (std::size_t i = 0; i < std::min(Bits, known * 8); ++i) bits[i] = (from[i / 8] >> (i % 8) & 1) != 0;
  return bits;
}

code_set codes_of(int fd, unsigned type) {
  bit_bytes<KEY_CNT> bytes{};
  return to_bits<KEY_CNT>(bytes, ::ioctl(fd, EVIOCGBIT(type, bytes.size()), bytes.data()));
}

code_set keys_down(int fd) {
  bit_bytes<KEY_CNT> bytes{};
  return to_bits<KEY_CNT>(bytes, ::ioctl(fd, EVIOCGKEY(bytes.size()), bytes.data()));
}

code_set switches_on(int fd) {
  bit_bytes<SW_CNT> bytes{};
  return to_bits<KEY_CNT>(bytes, ::ioctl(fd, EVIOCGSW(bytes.size()), bytes.data()));
}

// Both give the number of bytes with the zero at the end.
std::string text_of(int length, const char* text) {
  return length > 0 ? std::string(text) : std::string{};
}

input_capabilities capabilities_of(int fd) {
  input_capabilities c;
  std::array<char, 129> text{};
  c.name = text_of(::ioctl(fd, EVIOCGNAME(text.size() - 1), text.data()), text.data());
  text.fill(0);
  c.serial = text_of(::ioctl(fd, EVIOCGUNIQ(text.size() - 1), text.data()), text.data());
  ::ioctl(fd, EVIOCGID, &c.ids);
  bit_bytes<INPUT_PROP_CNT> properties{};
  c.properties = to_bits<INPUT_PROP_CNT>(properties, ::ioctl(fd, EVIOCGPROP(properties.size()), properties.data()));
  const code_set types = codes_of(fd, 0);
  for (unsigned type = 1; type < EV_CNT; ++type)
    if (types[type] && type != EV_REP) c.codes[type] = codes_of(fd, type);
  if (types[EV_REP]) c.codes[EV_REP].set(REP_DELAY).set(REP_PERIOD);
  for (unsigned axis = 0; axis < ABS_CNT; ++axis) {
    input_absinfo info{};
    if (!c.codes[EV_ABS][axis] || ::ioctl(fd, EVIOCGABS(axis), &info) != 0) continue;
    c.axes[axis] = {info.minimum, info.maximum, info.fuzz, info.flat, info.resolution};
  }
  return c;
}

owned_fd open_event_device(const std::string& path, bool& writable) {
  const int flags = O_NONBLOCK | O_CLOEXEC;
  owned_fd fd(::open(path.c_str(), O_RDWR | flags));
  writable = static_cast<bool>(fd);
  if (!fd && (errno == EACCES || errno == EPERM || errno == EROFS))
    fd = owned_fd(::open(path.c_str(), O_RDONLY | flags));
  if (!fd)
    throw setup_error(errno, "cannot open the input source " + path,
                      errno == ENOENT ? "event devices are /dev/input/event*; other sources are synthetic:mouse, "
                                        "synthetic:keyboard and events:PATH"
                                      : "");
  int version = 0;
  if (::ioctl(fd.get(), EVIOCGVERSION, &version) != 0)
    throw setup_error(errno, path + " is no event device", "a file of events is given as events:PATH");
  return fd;
}

}  // namespace

evdev_assembler::step evdev_assembler::take(const input_event& event, input_report& out) {
  if (whole_) out.clear();
  whole_ = false;
  const report_entry entry{.type = event.type, .code = event.code, .value = event.value};
  if (entry.type == EV_SYN && entry.code == SYN_DROPPED) {
    skipping_ = true;
    whole_ = true;
    return step::lost;
  }
  if (skipping_) {
    skipping_ = !entry.ends_report();
    return step::more;
  }
  if (!out.add(entry)) {
    skipping_ = !entry.ends_report();
    whole_ = true;
    return step::lost;
  }
  whole_ = entry.ends_report();
  return whole_ ? step::whole : step::more;
}

evdev_source::evdev_source(const evdev_options& options)
    : path_(options.path),
      fd_(open_event_device(path_, writable_)),
      capabilities_(served_part(capabilities_of(fd_.get()))) {
  if (options.grab) grab();
  if (!writable_ && (capabilities_.codes[EV_LED].any() || capabilities_.codes[EV_SND].any()))
    notes_.emplace_back("may only be read: LEDs and sounds are not passed back");
}

// Whoever had the device sees no key go up after this. So it waits, not for ever, until none is down: the key that
// started this program would seem to be held in its terminal.
void evdev_source::grab() {
  const auto deadline = std::chrono::steady_clock::now() + release_wait_max;
  while (keys_down(fd_.get()).any() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(release_look_interval);
  if (::ioctl(fd_.get(), EVIOCGRAB, 1) != 0)
    throw setup_error(errno, "cannot grab " + path_,
                      errno == EBUSY ? "another program has it; 'shared' does without, if that program allows" : "");
  notes_.emplace_back("grabbed: nobody else gets its events");
}

void evdev_source::start(input_state& now) {
  wait_.start();
  state(now);
}

// Forgets what was read, and what the kernel has. The kernel gives whole reports only, but our reads may end within
// one.
void evdev_source::drain() {
  bool in_mid_report = false;
  int reads = 0;
  do {
    if (count_ == 0) continue;
    const input_event& last = events_[count_ - 1];
    in_mid_report = last.type != EV_SYN || last.code != SYN_REPORT;
  } while (read_more() && ++reads < drain_reads_max);
  next_ = count_ = 0;
  assembler_.restart(in_mid_report);
}

// False: there is nothing now.
bool evdev_source::read_more() {
  next_ = count_ = 0;
  const ssize_t bytes = ::read(fd_.get(), events_.data(), sizeof events_);
  if (bytes > 0) {
    count_ = static_cast<std::size_t>(bytes) / sizeof(input_event);
    return true;
  }
  const int error = bytes == 0 ? ENODEV : errno;
  if (error == EAGAIN || error == EINTR) return false;
  throw setup_error(error, "cannot read " + path_, error == ENODEV ? "was it unplugged?" : "");
}

// Reading never waits, so it is done directly; only waiting goes through the ring.
task<next_input> evdev_source::next(loop& io, input_report& out) {
  using step = evdev_assembler::step;
  for (;;) {
    while (next_ < count_) {
      const step now = assembler_.take(events_[next_++], out);
      if (now == step::whole) co_return next_input::report;
      if (now == step::lost) co_return next_input::lost;
    }
    if (wait_.stopped()) co_return next_input::ended;
    const bool full = count_ == events_.size();
    if (full) co_await io.next_turn();  // others first: there may be no end to this
    if (read_more()) continue;
    operation readable = io.poll_add(fd_.get(), POLLIN);
    const std::int32_t seen = co_await wait_.until(readable);
    if (seen < 0 && seen != -EINTR && !wait_.stopped()) throw setup_error(-seen, "cannot wait for events of " + path_);
  }
}

task<void> evdev_source::stop(loop& io) {
  co_await wait_.stop(io);
}

// Asking for the keys takes key events out of what is still to be read, so those must go first that were read already.
void evdev_source::state(input_state& now) {
  drain();
  const int fd = fd_.get();
  const auto say = [&now](std::uint16_t type, std::size_t code, std::int32_t value) {
    now.apply({.type = type, .code = static_cast<std::uint16_t>(code), .value = value});
  };
  const code_set keys = keys_down(fd);
  const code_set switches = switches_on(fd);
  for (std::size_t code = 0; code < KEY_CNT; ++code) say(EV_KEY, code, keys[code]);
  for (std::size_t code = 0; code < SW_CNT; ++code) say(EV_SW, code, switches[code]);

  for (unsigned code = ABS_MT_TOUCH_MAJOR; code <= ABS_MT_TOOL_Y; ++code) {
    if (!capabilities_.codes[EV_ABS][code]) continue;
    std::array<std::int32_t, touch_slots_max + 1> values{static_cast<std::int32_t>(code)};
    if (::ioctl(fd, EVIOCGMTSLOTS(sizeof values), values.data()) < 0) continue;
    for (std::size_t slot = 0; slot < capabilities_.slots(); ++slot) {
      say(EV_ABS, ABS_MT_SLOT, static_cast<std::int32_t>(slot));
      say(EV_ABS, code, values[slot + 1]);
    }
  }
  for (unsigned axis = 0; axis < ABS_CNT; ++axis) {
    const bool of_finger = axis >= ABS_MT_TOUCH_MAJOR && axis <= ABS_MT_TOOL_Y;
    input_absinfo info{};
    if (of_finger || !capabilities_.codes[EV_ABS][axis] || ::ioctl(fd, EVIOCGABS(axis), &info) != 0) continue;
    say(EV_ABS, axis, info.value);
  }
}

// Injecting into an event device does not wait. SYN_REPORT makes other readers of it see the change.
void evdev_source::light(const report_entry& entry) {
  if (!writable_) return;
  input_event events[2]{};
  events[0].type = entry.type;
  events[0].code = entry.code;
  events[0].value = entry.value;
  events[1].type = EV_SYN;
  events[1].code = SYN_REPORT;
  // One that is gone is noticed where it is read.
  [[maybe_unused]] const ssize_t written = ::write(fd_.get(), events, sizeof events);
}

}  // namespace vloop
