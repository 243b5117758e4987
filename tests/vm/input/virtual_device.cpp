// SPDX-License-Identifier: MIT
#include "virtual_device.hpp"

#include <fcntl.h>
#include <linux/uinput.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <stdexcept>
#include <thread>

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto node_wait_max = 10s;

void must(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what + ": " + std::strerror(errno));
}

void have(int fd, unsigned long request, unsigned long type, std::initializer_list<int> codes) {
  must(::ioctl(fd, UI_SET_EVBIT, type) == 0, "UI_SET_EVBIT");
  for (const int code : codes) must(::ioctl(fd, request, code) == 0, "a code of uinput");
}

void have_axis(int fd, std::uint16_t code, std::int32_t max, std::int32_t fuzz = 0, std::int32_t resolution = 0) {
  must(::ioctl(fd, UI_SET_EVBIT, EV_ABS) == 0, "UI_SET_EVBIT");
  uinput_abs_setup axis{};
  axis.code = code;
  axis.absinfo.maximum = max;
  axis.absinfo.fuzz = fuzz;
  axis.absinfo.resolution = resolution;
  must(::ioctl(fd, UI_ABS_SETUP, &axis) == 0, "UI_ABS_SETUP");
}

void have_keys(int fd, int first, int last) {
  must(::ioctl(fd, UI_SET_EVBIT, EV_KEY) == 0, "UI_SET_EVBIT");
  for (int code = first; code <= last; ++code) must(::ioctl(fd, UI_SET_KEYBIT, code) == 0, "UI_SET_KEYBIT");
}

std::string set_up(int fd, const std::string& kind) {
  if (kind == "mixed") {
    have_keys(fd, KEY_ESC, KEY_KPDOT);
    have_keys(fd, BTN_LEFT, BTN_MIDDLE);
    have(fd, UI_SET_RELBIT, EV_REL, {REL_X, REL_Y, REL_WHEEL});
    have(fd, UI_SET_MSCBIT, EV_MSC, {MSC_SCAN});
    have(fd, UI_SET_SWBIT, EV_SW, {SW_LID});
    have(fd, UI_SET_LEDBIT, EV_LED, {LED_NUML, LED_CAPSL});
    have_axis(fd, ABS_X, mixed_axis_max);
    have_axis(fd, ABS_Y, mixed_axis_max);
    return "A mixed device";
  }
  if (kind == "keyboard") {
    have_keys(fd, KEY_ESC, KEY_MICMUTE);
    have(fd, UI_SET_LEDBIT, EV_LED, {LED_NUML, LED_CAPSL, LED_SCROLLL});
    have(fd, UI_SET_SNDBIT, EV_SND, {SND_BELL});
    have(fd, UI_SET_MSCBIT, EV_MSC, {MSC_SCAN});
    must(::ioctl(fd, UI_SET_EVBIT, EV_REP) == 0, "UI_SET_EVBIT");
    return "A keyboard";
  }
  if (kind == "touch") {
    must(::ioctl(fd, UI_SET_PROPBIT, INPUT_PROP_DIRECT) == 0, "UI_SET_PROPBIT");
    have_keys(fd, BTN_TOUCH, BTN_TOUCH);
    have_axis(fd, ABS_X, 1919, 0, 12);
    have_axis(fd, ABS_Y, 1079, 0, 12);
    have_axis(fd, ABS_MT_SLOT, 9);
    have_axis(fd, ABS_MT_TRACKING_ID, 65535);
    have_axis(fd, ABS_MT_POSITION_X, 1919, 4, 12);
    have_axis(fd, ABS_MT_POSITION_Y, 1079, 4, 12);
    return "A touch screen";
  }
  throw std::runtime_error("no device of the kind " + kind);
}

std::string event_node_of(int fd) {
  char name[64] = {};
  must(::ioctl(fd, UI_GET_SYSNAME(sizeof name), name) >= 0, "UI_GET_SYSNAME");
  const auto deadline = std::chrono::steady_clock::now() + node_wait_max;
  while (std::chrono::steady_clock::now() < deadline) {
    for (const auto& entry : fs::directory_iterator(fs::path("/sys/class/input") / name)) {
      const std::string node = "/dev/input/" + entry.path().filename().string();
      if (entry.path().filename().string().starts_with("event") && fs::exists(node)) return node;
    }
    std::this_thread::sleep_for(5ms);
  }
  throw std::runtime_error(std::string("no event node of ") + name);
}

}  // namespace

virtual_device::virtual_device(const std::string& kind) : fd_(::open("/dev/uinput", O_RDWR | O_NONBLOCK | O_CLOEXEC)) {
  must(fd_ >= 0, "/dev/uinput");
  uinput_setup setup{};
  const std::string name = set_up(fd_, kind);
  setup.id = {.bustype = BUS_USB, .vendor = 0x1209, .product = 0x0001, .version = 0x0102};
  std::memcpy(setup.name, name.data(), name.size());
  must(::ioctl(fd_, UI_DEV_SETUP, &setup) == 0, "UI_DEV_SETUP");
  must(::ioctl(fd_, UI_DEV_CREATE) == 0, "UI_DEV_CREATE");
  node_ = event_node_of(fd_);
}

virtual_device::~virtual_device() {
  ::close(fd_);
}

void virtual_device::tell(std::span<const event> events) const {
  std::vector<input_event> raw(events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    raw[i].type = events[i].type;
    raw[i].code = events[i].code;
    raw[i].value = events[i].value;
  }
  const auto bytes = raw.size() * sizeof(input_event);
  must(::write(fd_, raw.data(), bytes) == static_cast<ssize_t>(bytes), "write to uinput");
}

event virtual_device::heard(int seconds) const {
  pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
  if (::poll(&p, 1, seconds * 1000) != 1) throw std::runtime_error("nothing heard");
  input_event raw{};
  must(::read(fd_, &raw, sizeof raw) == sizeof raw, "read from uinput");
  return {raw.type, raw.code, raw.value};
}
