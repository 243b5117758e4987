// SPDX-License-Identifier: MIT
#include "adapter/listen_options.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

namespace vloop::adapter {
namespace {

using Catch::Matchers::ContainsSubstring;

device_request parsed(std::string_view text, const std::optional<listen_options>& listens = {}) {
  return parse_device_request(text, listens);
}

TEST_CASE("a device without listen= is this kernel's") {
  CHECK_FALSE(parsed("blk=disk.img").listen);
}

TEST_CASE("listen= and socket-mode= are taken from among a device's options") {
  const auto request = parsed("blk=disk.img,listen=a,,b.sock,readonly,socket-mode=600");
  REQUIRE(request.listen);
  CHECK(request.listen->path == "a,b.sock");
  CHECK(request.listen->mode == 0600);
  CHECK(std::get<blk_options>(request.spec).read_only);
}

TEST_CASE("a disk that listens fits rings of 128 entries unless it is told otherwise") {
  CHECK(std::get<blk_options>(parsed("blk=d,listen=s").spec).queue_size == 128);
  CHECK(std::get<blk_options>(parsed("blk=d,listen=s,queue-size=512").spec).queue_size == 512);
  CHECK(std::get<blk_options>(parsed("blk=d").spec).queue_size == 256);
}

TEST_CASE("the place for all is that of a device that names none") {
  CHECK(parsed("rng", parse_listen("all.sock")).listen->path == "all.sock");
  CHECK(parsed("rng,listen=own.sock", parse_listen("all.sock")).listen->path == "own.sock");
}

TEST_CASE("a descriptor may stand for a path") {
  CHECK(parse_listen("fd:3").inherited_fd == 3);
  CHECK(parse_listen("fd:3").path.empty());
  CHECK_THROWS_WITH(parse_listen("fd:2"), ContainsSubstring("with N from 3"));
  CHECK_THROWS_WITH(parse_listen("fd:x"), ContainsSubstring("is no descriptor"));
  CHECK_THROWS_WITH(parse_listen(""), ContainsSubstring("listen=PATH"));
}

TEST_CASE("what cannot be meant is refused") {
  CHECK_THROWS_WITH(parsed("rng,listen"), ContainsSubstring("listen has no value"));
  CHECK_THROWS_WITH(parsed("rng,socket-mode=660"), ContainsSubstring("add listen=PATH"));
  CHECK_THROWS_WITH(parsed("rng,listen=fd:3,socket-mode=660"), ContainsSubstring("needs a socket"));
  CHECK_THROWS_WITH(parsed("rng,listen=s,socket-mode=668"), ContainsSubstring("no mode"));
  CHECK_THROWS_WITH(parsed("rng,listen=s,socket-mode=1660"), ContainsSubstring("no mode"));
  CHECK_THROWS_WITH(parsed("blk=d,access=window,listen=s"), ContainsSubstring("access is for drivers of this kernel"));
  CHECK_THROWS_WITH(parsed("vhost-user=a,listen=b"), ContainsSubstring("connect to the first"));
}

}  // namespace
}  // namespace vloop::adapter
