// SPDX-License-Identifier: MIT
// Input devices: what they say of themselves in pages, and what their driver, and those behind it, would trust.
#include "cases.hpp"
#include "raw.hpp"

#include <linux/input.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_input.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <deque>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string_view>

namespace vloop::raw {

namespace {

constexpr std::string_view name = "keys of a test";
constexpr std::string_view serial = "serial-1";
constexpr std::uint32_t ring = 16;

vloop_config_page page(unsigned select, unsigned subsel, std::string_view content) {
  vloop_config_page p{};
  p.select = static_cast<__u8>(select);
  p.subsel = static_cast<__u8>(subsel);
  p.size = static_cast<__u8>(content.size());
  std::memcpy(p.data, content.data(), content.size());
  return p;
}

template <class T>
std::string_view content_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

vloop_config_page text_page(unsigned select, std::string_view text) {
  return page(select, 0, text);
}

vloop_config_page bits_page(unsigned type, std::initializer_list<unsigned> bits) {
  auto p = page(VIRTIO_INPUT_CFG_EV_BITS, type, "");
  for (const unsigned bit : bits) {
    p.data[bit / 8] |= static_cast<__u8>(1U << bit % 8);
    p.size = std::max(p.size, static_cast<__u8>(bit / 8 + 1));
  }
  return p;
}

vloop_config_page axis_page(unsigned axis, std::int64_t min, std::int64_t max, std::int64_t flat = 0) {
  virtio_input_absinfo info{};
  info.min = static_cast<std::uint32_t>(min);
  info.max = static_cast<std::uint32_t>(max);
  info.flat = static_cast<std::uint32_t>(flat);
  return page(VIRTIO_INPUT_CFG_ABS_INFO, axis, content_of(info));
}

vloop_config_page ids_page() {
  virtio_input_devids ids{};
  ids.bustype = BUS_USB;
  ids.vendor = 0x1234;
  ids.product = 0x5678;
  ids.version = 9;
  return page(VIRTIO_INPUT_CFG_ID_DEVIDS, 0, content_of(ids));
}

device_shape input_shape(std::vector<vloop_config_page> pages) {
  device_shape shape;
  shape.arg.device_id = VIRTIO_ID_INPUT;
  shape.queues.resize(2);
  for (auto& queue : shape.queues) {
    queue.size = ring;
    queue.death_policy = VLOOP_DEATH_LEAVE;
  }
  shape.pages = std::move(pages);
  return shape;
}

std::vector<vloop_config_page> keyboard() {
  return {text_page(VIRTIO_INPUT_CFG_ID_NAME, name), text_page(VIRTIO_INPUT_CFG_ID_SERIAL, serial), ids_page(),
          bits_page(EV_KEY, {KEY_A, KEY_B}), bits_page(EV_LED, {LED_CAPSL})};
}

// A live device; its node is there.
class input_device {
 public:
  explicit input_device(std::vector<vloop_config_page> pages)
      : device_(input_shape(std::move(pages))), events_(device_.open_queue(0)), status_(device_.open_queue(1)) {
    equal("START", device_.start(), 0);
    within(patience, "a device that is live", [&] { return device_.info().state == VLOOP_STATE_LIVE; });
    const auto folder = sysfs_folder(device_.id()) + "/virtio" + std::to_string(device_.info().virtio_index) + "/input";
    const auto input = entry_of(folder, "input");
    expect(!input.empty(), "the driver made an input device");
    node_ = "/dev/input/" + entry_of(folder + '/' + input, "event");
    within(patience, node_, [&] { return exists(node_); });
  }

  device& dev() { return device_; }
  queue& events() { return events_; }
  queue& status() { return status_; }
  // What was fetched comes again, to the next descriptor.
  void reopen_events() {
    events_.close();
    events_ = device_.open_queue(0);
    buffers_.clear();
  }
  owned_fd open() const { return open_or_throw(node_, O_RDWR | O_NONBLOCK); }
  void remove() {
    equal("REMOVE", device_.remove(), 0);
    device_.wait_gone();
  }

  // The driver has many buffers in the queue: those that are met while another record is waited for are kept.
  vloop_record next_buffer() {
    if (buffers_.empty()) return events_.next_request();
    const auto first = buffers_.front();
    buffers_.pop_front();
    return first;
  }
  std::int64_t next_done() {
    for (;;) {
      const auto record = events_.next();
      if (record.type == VLOOP_RECORD_DONE) return record.done.result;
      if (record.type == VLOOP_RECORD_REQUEST) buffers_.push_back(record);
    }
  }

  // The answer to the driver's next buffer; `bytes` of it.
  vloop_op event(const virtio_input_event& what, std::uint32_t flags, std::uint32_t bytes = sizeof(what)) {
    auto op = op_for(next_buffer(), VLOOP_VERB_COPY_TO_REQUEST, flags);
    op.address = address_of(&what);
    op.length = bytes;
    return op;
  }
  void send(unsigned type, unsigned code, std::uint32_t value) {
    const virtio_input_event what{static_cast<__le16>(type), static_cast<__le16>(code), value};
    const auto op = event(what, VLOOP_OP_COMPLETE | VLOOP_OP_DETACH);
    equal("an event", events_.write(op), sizeof(op));
  }

 private:
  device device_;
  queue events_, status_;
  std::deque<vloop_record> buffers_;
  std::string node_;
};

input_event next_event(const owned_fd& fd) {
  input_event event{};
  within(patience, "an event of the node",
         [&] { return ::read(fd.get(), &event, sizeof(event)) == static_cast<long>(sizeof(event)); });
  return event;
}

void pages_become_an_input_device() {
  input_device d(keyboard());
  std::ifstream list("/proc/bus/input/devices");
  std::stringstream all;
  all << list.rdbuf();
  expect(all.str().find("N: Name=\"" + std::string(name) + '"') != std::string::npos, "the list has its name");
  expect(all.str().find("U: Uniq=" + std::string(serial)) != std::string::npos, "the list has its serial");
  expect(all.str().find("I: Bus=0003 Vendor=1234 Product=5678 Version=0009") != std::string::npos,
         "the list has its ids");

  const auto fd = d.open();
  std::array<unsigned char, KEY_CNT / 8> keys{};
  expect(::ioctl(fd.get(), EVIOCGBIT(EV_KEY, keys.size()), keys.data()) > 0, "EVIOCGBIT");
  std::array<unsigned char, KEY_CNT / 8> wanted{};
  for (const int key : {KEY_A, KEY_B}) wanted[static_cast<std::size_t>(key) / 8] |= 1 << key % 8;
  expect(keys == wanted, "it has the keys of its page");
  d.remove();
}

void events_go_both_ways() {
  input_device d(keyboard());
  const auto fd = d.open();
  d.send(EV_KEY, KEY_B, 1);
  d.send(EV_SYN, SYN_REPORT, 0);
  const auto key = next_event(fd);
  equal("the type", key.type, EV_KEY);
  equal("the key", key.code, KEY_B);
  equal("the value", key.value, 1);
  equal("the end of the report", next_event(fd).type, EV_SYN);

  const input_event led{{}, EV_LED, LED_CAPSL, 1};
  equal("a light", result_of(::write(fd.get(), &led, sizeof(led))), sizeof(led));
  const auto request = d.status().next_request();
  virtio_input_event told{};
  std::memcpy(&told, request.data, sizeof(told));
  equal("what the driver says of", told.type, EV_LED);
  equal("which light", told.code, LED_CAPSL);
  equal("an answer", d.status().write(op_for(request, VLOOP_VERB_NONE, VLOOP_OP_COMPLETE | VLOOP_OP_DETACH)),
        sizeof(vloop_op));
  d.remove();
}

// The driver takes a buffer for an event whatever its length: what is in it is the event of before.
void a_buffer_without_a_whole_event_is_no_answer() {
  input_device d(keyboard());
  const auto fd = d.open();
  const virtio_input_event what{EV_KEY, KEY_A, 1};

  auto op = d.event(what, VLOOP_OP_COMPLETE, sizeof(what) / 2);
  equal("half an event", d.events().write(op), sizeof(op));
  equal("its DONE", d.next_done(), -ENODATA);
  auto nothing = op;
  nothing.verb = VLOOP_VERB_NONE;
  nothing.length = 0;
  equal("nothing", d.events().write(nothing), sizeof(op));
  equal("its DONE", d.next_done(), -ENODATA);
  nothing.flags |= VLOOP_OP_STATUS;
  nothing.file = 0;
  nothing.verb = VLOOP_VERB_FILE_TO_REQUEST;
  nothing.length = sizeof(what) - 1;
  equal("a file that is too short", d.dev().set_file(0, memory_file(0).get()), 0);
  equal("a status byte behind nothing", d.events().write(nothing), sizeof(op));
  equal("its DONE", d.next_done(), -EIO);
  input_event event{};
  equal("the node has nothing", result_of(::read(fd.get(), &event, sizeof(event))), -EAGAIN);

  op.skip = sizeof(what) / 2;
  op.address += op.skip;
  equal("the other half", d.events().write(op), sizeof(op));
  equal("its DONE", d.next_done(), sizeof(what) / 2);
  d.send(EV_SYN, SYN_REPORT, 0);
  equal("the key", next_event(fd).code, KEY_A);
  d.remove();
}

// All buffers at once are given back with nothing, as a server does that wants to be rid of them. What was in them are
// the events of before: a key that was pressed and let go would be pressed again, and for ever.
void a_queue_that_is_drained_tells_no_event_of_before() {
  input_device d(keyboard());
  const auto fd = d.open();
  for (unsigned i = 0; i < 2 * ring; ++i) {
    d.send(EV_KEY, KEY_A, i % 2 == 0 ? 1 : 0);
    d.send(EV_SYN, SYN_REPORT, 0);
    equal("a key", next_event(fd).value, i % 2 == 0 ? 1 : 0);
    equal("the end of the report", next_event(fd).type, EV_SYN);
  }
  std::vector<vloop_op> answers;
  for (unsigned i = 0; i < ring; ++i)
    answers.push_back(op_for(d.next_buffer(), VLOOP_VERB_NONE, VLOOP_OP_COMPLETE | VLOOP_OP_DETACH));
  equal("the answers", d.events().write(answers), static_cast<long>(answers.size() * sizeof(vloop_op)));
  input_event event{};
  equal("the node has nothing", result_of(::read(fd.get(), &event, sizeof(event))), -EAGAIN);

  // They come again, each: nobody else knows of them.
  std::set<unsigned> heads;
  for (unsigned i = 0; i < ring; ++i) heads.insert(d.events().next_request().head);
  equal("buffers that came again", static_cast<long>(heads.size()), ring);

  // Nor do they count if the server goes, and somebody serves on who knows nothing of them.
  d.reopen_events();
  equal("the node has nothing", result_of(::read(fd.get(), &event, sizeof(event))), -EAGAIN);
  d.send(EV_KEY, KEY_B, 1);
  d.send(EV_SYN, SYN_REPORT, 0);
  equal("the key that was sent", next_event(fd).code, KEY_B);
  d.remove();
}

long create_with(const vloop_config_page& one) {
  auto pages = keyboard();
  pages.push_back(one);
  return create(input_shape(pages));
}

// The drivers of mice and joysticks divide by ranges; the core allocates as many slots as it is told.
void axes_that_trip_the_input_core_are_refused() {
  constexpr std::int64_t least = std::numeric_limits<std::int32_t>::min();
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  const auto refused = [](const char* what, const vloop_config_page& one) { equal(what, create_with(one), -EINVAL); };
  refused("a range of -1", axis_page(ABS_X, 0, -1));
  refused("a range that goes down", axis_page(ABS_Y, 5, 4));
  refused("a range that wraps", axis_page(ABS_X, least, most));
  refused("a range of as much as there is", axis_page(ABS_MT_TRACKING_ID, -1, most - 1));
  refused("a flat middle below zero", axis_page(ABS_X, 0, 255, -1));
  refused("a flat middle beyond the range", axis_page(ABS_X, 0, 255, 256));
  refused("more slots than anybody has fingers", axis_page(ABS_MT_SLOT, 0, 1024));
  refused("as many slots as there are numbers", axis_page(ABS_MT_SLOT, 0, most));
  refused("less than no slot", axis_page(ABS_MT_SLOT, -3, -2));
  refused("slots from one on", axis_page(ABS_MT_SLOT, 1, 4));
  refused("an axis that there is not", axis_page(ABS_CNT, 0, 255));
  refused("half a description", page(VIRTIO_INPUT_CFG_ABS_INFO, ABS_X, "x"));
  equal("the largest range", create_with(axis_page(ABS_X, least, -2)), 0);
  equal("a range of nothing", create_with(axis_page(ABS_X, 0, 0)), 0);
}

void pages_that_the_driver_does_not_know_are_refused() {
  const auto refused = [](const char* what, const vloop_config_page& one) { equal(what, create_with(one), -EINVAL); };
  for (const unsigned type : {EV_SYN, EV_FF, EV_PWR, EV_FF_STATUS, EV_MAX, 0xff})
    refused("bits of a type", page(VIRTIO_INPUT_CFG_EV_BITS, type, "x"));
  for (const unsigned select : {0x00, 0x04, 0x13, 0xff}) refused("a selector", page(select, 0, "x"));
  refused("a second page of the same", bits_page(EV_KEY, {KEY_C}));
  refused("a name with a subselector", page(VIRTIO_INPUT_CFG_ID_NAME, 1, "x"));
  refused("properties with a subselector", page(VIRTIO_INPUT_CFG_PROP_BITS, 1, "x"));
  auto wrong = bits_page(EV_REL, {REL_X});
  wrong.reserved[4] = 1;
  refused("what is reserved", wrong);
  wrong = bits_page(EV_REL, {REL_X});
  wrong.size = sizeof(wrong.data) + 1;
  refused("more than a page", wrong);

  const auto with_name = [](std::string_view text) {
    return create(input_shape({text_page(VIRTIO_INPUT_CFG_ID_NAME, text)}));
  };
  equal("a name without an end", with_name(std::string(64, 'x')), -EINVAL);
  equal("the longest name", with_name(std::string(63, 'x')), 0);
  equal("a name of two lines", with_name("x\nH: Handlers=kbd"), -EINVAL);
  equal("an empty name", with_name(""), 0);
  equal(
      "ids of another size",
      create(input_shape({text_page(VIRTIO_INPUT_CFG_ID_NAME, name), page(VIRTIO_INPUT_CFG_ID_DEVIDS, 0, "7 bytes")})),
      -EINVAL);
}

void an_input_device_must_look_like_one() {
  equal("a keyboard", create(input_shape(keyboard())), 0);
  equal("no page", create(input_shape({})), -EINVAL);
  equal("more pages than there may be", create(input_shape(std::vector<vloop_config_page>(257))), -EINVAL);
  auto shape = input_shape(keyboard());
  shape.config.resize(8);
  equal("pages and bytes", create(shape), -EINVAL);
  for (const std::size_t queues : {1, 3}) {
    shape = input_shape(keyboard());
    shape.queues.resize(queues, shape.queues[0]);
    equal("a number of queues", create(shape), -EINVAL);
  }
  shape = input_shape(keyboard());
  shape.queues[0].death_policy = VLOOP_DEATH_REPLY;
  equal("events that are drained", create(shape), -EINVAL);
  shape = input_shape(keyboard());
  shape.arg.features = 1;
  equal("a feature", create(shape), -EINVAL);
  for (auto other : {blk_shape(8192), rng_shape()}) {
    other.config.clear();
    other.pages = keyboard();
    equal("pages of another class", create(other), -EINVAL);
  }
}

void the_largest_touch_screen_works() {
  auto pages = keyboard();
  pages.push_back(bits_page(EV_ABS, {ABS_X, ABS_Y, ABS_MT_SLOT, ABS_MT_POSITION_X, ABS_MT_POSITION_Y}));
  pages.push_back(axis_page(ABS_MT_SLOT, 0, 1023));
  pages.push_back(axis_page(ABS_X, 0, 4095));
  input_device d(std::move(pages));
  const auto fd = d.open();
  input_absinfo info{};
  expect(::ioctl(fd.get(), EVIOCGABS(ABS_MT_SLOT), &info) == 0, "EVIOCGABS");
  equal("the last slot", info.maximum, 1023);
  expect(::ioctl(fd.get(), EVIOCGABS(ABS_X), &info) == 0, "EVIOCGABS");
  equal("the range", info.maximum, 4095);
  d.remove();
}

constexpr named_case cases[] = {
    {"pages_become_an_input_device", pages_become_an_input_device},
    {"events_go_both_ways", events_go_both_ways},
    {"a_buffer_without_a_whole_event_is_no_answer", a_buffer_without_a_whole_event_is_no_answer},
    {"a_queue_that_is_drained_tells_no_event_of_before", a_queue_that_is_drained_tells_no_event_of_before},
    {"axes_that_trip_the_input_core_are_refused", axes_that_trip_the_input_core_are_refused},
    {"pages_that_the_driver_does_not_know_are_refused", pages_that_the_driver_does_not_know_are_refused},
    {"an_input_device_must_look_like_one", an_input_device_must_look_like_one},
    {"the_largest_touch_screen_works", the_largest_touch_screen_works},
};

}  // namespace

std::span<const named_case> input_cases() {
  return cases;
}

}  // namespace vloop::raw
