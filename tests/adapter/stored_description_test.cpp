// SPDX-License-Identifier: MIT
#include "adapter/stored_description.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <system_error>

using namespace vloop;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

TEST_CASE("a description is one line that gives the same device back") {
  const stored_description disk{
      .device = parse_device_spec("blk=/srv/a,,b c.img,queues=4"), .threads = 2, .poll_max = 70us};
  const auto text = to_text(disk);
  CHECK(text == "vloop/1 threads=2 poll=70 blk=/srv/a,,b c.img,queues=4,queue-size=256,direct=auto");
  const auto again = parse_stored_description(text);
  CHECK(again.threads == 2);
  CHECK(again.poll_max == 70us);
  CHECK(device_spec_text(again.device) == device_spec_text(disk.device));
}

TEST_CASE("threads are left out where the process may choose") {
  CHECK(to_text({.device = parse_device_spec("rng")}) == "vloop/1 poll=50 rng=/dev/urandom,queue-size=8");
  CHECK(parse_stored_description("vloop/1 poll=0 rng").threads == 0);
  CHECK(parse_stored_description("vloop/1 poll=0 rng").poll_max == 0us);
  CHECK(parse_stored_description("vloop/1 rng").poll_max == 50us);
}

TEST_CASE("what is no description of this version is refused") {
  for (const auto* text : {"", "vloop/1", "vloop/2 rng", "vloop/10 rng", "blk=/a", "vloop/1 threads=2", "vloop/1 ",
                           "vloop/1 threads=x rng", "vloop/1 floppy=a", "vloop/1 threads=1rng"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_stored_description(text), usage_error);
  }
}

TEST_CASE("a path that cannot be stored is refused with the reason") {
  const auto refused = [](const std::string& path, const std::string& why) {
    CHECK_THROWS_MATCHES(to_text({.device = blk_options{.path = path}}), std::system_error,
                         MessageMatches(ContainsSubstring(why)));
  };
  refused("/a\nb", "control character");
  refused("/a\x7f", "control character");
  refused("/" + std::string(4000, 'a'), "there is room for 4000");
  CHECK_NOTHROW(to_text({.device = blk_options{.path = "/" + std::string(3900, 'a')}}));
  CHECK_NOTHROW(to_text({.device = blk_options{.path = "/\xc3\xa4"}}));
}
