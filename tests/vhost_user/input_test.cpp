// SPDX-License-Identifier: MIT
// An input device behind a daemon: its pages are asked for one by one, and an event is whole or none.
#include <linux/input-event-codes.h>
#include <linux/virtio_input.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "vhost_user/served.hpp"

namespace vloop::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using vhost_user::request_code;

constexpr std::uint64_t features = (std::uint64_t{1} << VIRTIO_F_VERSION_1) | vhost_user::has_protocol_features;

using page_table = std::map<std::pair<std::uint8_t, std::uint8_t>, std::vector<std::uint8_t>>;

// Assigned one by one: GCC 14 takes the copy of a one-byte vector in an initializer list for an overrun.
page_table mouse() {
  page_table pages;
  pages[{VIRTIO_INPUT_CFG_ID_NAME, 0}] = {'m', 'o', 'u', 's', 'e', 0, 0};
  pages[{VIRTIO_INPUT_CFG_ID_DEVIDS, 0}] = {3, 0, 1, 0, 2, 0, 4, 0};
  pages[{VIRTIO_INPUT_CFG_EV_BITS, EV_KEY}] = std::vector<std::uint8_t>(35, 1);
  pages[{VIRTIO_INPUT_CFG_EV_BITS, EV_ABS}] = {0x03};
  pages[{VIRTIO_INPUT_CFG_ABS_INFO, ABS_X}] = std::vector<std::uint8_t>(20, 0);
  pages[{VIRTIO_INPUT_CFG_ABS_INFO, ABS_Y}] = std::vector<std::uint8_t>(20, 1);
  return pages;
}

// A daemon with these pages. `lie` may change the window that it shows.
fake_daemon::script that_has(page_table pages, std::function<void(virtio_input_config&)> lie = {}) {
  const auto selected = std::make_shared<virtio_input_config>();
  return {.on_message =
              [=](fake_daemon& d, const fake_daemon::message& m) {
                constexpr std::size_t head_bytes = sizeof(vhost_user::config_head);
                const auto code = static_cast<request_code>(m.header.code);
                if (code == request_code::get_features) {
                  d.reply_number(code, features);
                  return true;
                }
                if (code == request_code::set_config) std::memcpy(selected.get(), m.payload.data() + head_bytes, 2);
                if (code != request_code::get_config) return false;
                virtio_input_config window{};
                window.select = selected->select;
                window.subsel = selected->subsel;
                if (const auto found = pages.find({window.select, window.subsel}); found != pages.end()) {
                  window.size = static_cast<std::uint8_t>(found->second.size());
                  std::copy(found->second.begin(), found->second.end(), window.u.bitmap);
                }
                if (lie) lie(window);
                std::vector<std::byte> payload(head_bytes + sizeof window);
                std::copy_n(m.payload.begin(), head_bytes, payload.begin());
                std::memcpy(payload.data() + head_bytes, &window, sizeof window);
                d.reply(code, payload);
                return true;
              },
          .on_request =
              [](fake_daemon::taken& t) {
                std::uint32_t written = 0;
                for (const auto part : t.writable) {
                  std::ranges::fill(part, std::byte{0x42});
                  written += static_cast<std::uint32_t>(part.size());
                }
                t.give_back(written);
                t.daemon.interrupt(written > 0 ? 0 : 1);
                return true;
              },
          .queues = 2};
}

void refused(fake_daemon::script how, const std::string& text) {
  fake_daemon daemon(std::move(how));
  CHECK_THROWS_WITH(vhost_user::external_device({.path = daemon.path(), .type = "input"}), ContainsSubstring(text));
}

TEST_CASE("the pages of an input device are those that the daemon shows, and no others") {
  served s(that_has(mouse()), {.type = "input"});
  const auto& d = s.external->describe();
  CHECK(d.config.empty());
  CHECK(d.queues.size() == 2);
  REQUIRE(d.pages.size() == 6);
  CHECK(d.pages[0].bytes.size() == 5);
  for (const auto& page : d.pages) CHECK(mouse().contains({page.select, page.subsel}));
}

TEST_CASE("events come from the daemon, and what the driver says goes there") {
  served s(that_has(mouse()), {.type = "input"});
  auto& events = s.rig->queue(0);
  const auto event = events.finish(events.submit({}, 8));
  CHECK(event.written == 8);
  CHECK(std::ranges::count(event.writable, std::byte{0x42}) == 8);
  auto& status = s.rig->queue(1);
  const std::vector<std::byte> led(8, std::byte{1});
  CHECK(status.finish(status.submit(led, 0)).written == 0);
}

TEST_CASE("half an event ends the device, and the driver does not see it") {
  auto how = that_has(mouse());
  how.on_request = [](fake_daemon::taken& t) {
    t.give_back(4);
    t.daemon.interrupt();
    return true;
  };
  served s(how, {.type = "input"});
  const auto ticket = s.rig->queue(0).submit({}, 8);
  CHECK_THAT(s.watched->failure(), ContainsSubstring("its answer of 4 bytes is too short for a driver of its class"));
  s.rig->stop();
  CHECK_FALSE(s.rig->queue(0).finished(ticket));
}

TEST_CASE("no entropy ends an entropy source, since its driver would not ask again") {
  auto how = that_has({});
  how.on_request = [](fake_daemon::taken& t) {
    t.give_back(0);
    t.daemon.interrupt();
    return true;
  };
  served s(how, {.type = "rng"});
  s.rig->queue(0).submit({}, 64);
  CHECK_THAT(s.watched->failure(), ContainsSubstring("its answer of 0 bytes is too short"));
}

TEST_CASE("a daemon without a single page is refused") {
  refused(that_has({}), "it has no page of an input device");
}

TEST_CASE("a page that is larger than the window is refused") {
  refused(that_has(mouse(), [](virtio_input_config& window) { window.size = 200; }), "has 200 bytes");
}

TEST_CASE("another page than was selected is refused") {
  refused(that_has(mouse(), [](virtio_input_config& window) { window.subsel = 9; }),
          "it shows page 1/9 instead of page 1/0");
}

TEST_CASE("an input device that cannot tell its configuration is refused") {
  auto how = that_has(mouse());
  how.without_protocol_features = vhost_user::bit(vhost_user::protocol_feature::config);
  refused(how, "it cannot tell its configuration; is it an input device");
}

}  // namespace
}  // namespace vloop::test
