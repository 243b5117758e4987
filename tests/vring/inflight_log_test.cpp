// SPDX-License-Identifier: MIT
// A device dies at any step between taking a request and having given it back: what does the next one find?
#include "vring/inflight_log.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstring>

namespace vloop {
namespace {

constexpr std::uint16_t size = 8;

struct region {
  alignas(64) std::byte bytes[16 + 8 * 16 + 48] = {};
  inflight_log log() { return {std::span(bytes).first(inflight_log::bytes(size)), size}; }
  inflight_head head() const {
    inflight_head copy;
    std::memcpy(&copy, bytes, sizeof copy);
    return copy;
  }
  template <class Change>
  void change_head(Change how) {
    inflight_head copy = head();
    how(copy);
    std::memcpy(bytes, &copy, sizeof copy);
  }
  void change_next(std::size_t index, std::uint16_t next) {
    std::memcpy(
        bytes + sizeof(inflight_head) + index * sizeof(inflight_descriptor) + offsetof(inflight_descriptor, next),
        &next, sizeof next);
  }
};

using heads = std::vector<std::uint16_t>;

TEST_CASE("each queue's region is as large as the specification says, on cache lines of its own") {
  CHECK(inflight_log::bytes(1) == 64);
  CHECK(inflight_log::bytes(3) == 64);
  CHECK(inflight_log::bytes(4) == 128);
  CHECK(inflight_log::bytes(128) == 64 + 128 * 16);
}

TEST_CASE("a region that nobody wrote is a fresh one, whatever lies in it") {
  region r;
  std::memset(r.bytes + sizeof(inflight_head), 0xff, 8 * sizeof(inflight_descriptor));
  auto log = r.log();
  const auto found = log.resume(5);
  CHECK(found.heads.empty());
  CHECK(found.next_available == 5);
  CHECK(r.head().version == 1);
  CHECK(r.head().descriptors == size);
  CHECK(r.head().used_index == 5);
  CHECK(r.log().resume(5).heads.empty());
}

TEST_CASE("what was taken is found again, in the order in which it was taken") {
  region r;
  auto log = r.log();
  log.resume(0);
  for (const std::uint16_t head : {6, 1, 4}) log.take(head);
  const auto found = r.log().resume(0);
  CHECK(found.heads == heads{6, 1, 4});
  CHECK(found.next_available == 3);
}

TEST_CASE("what was given back is not found again") {
  region r;
  auto log = r.log();
  log.resume(0);
  for (const std::uint16_t head : {6, 1, 4}) log.take(head);
  log.giving_back(1);
  log.gave_back(1);
  const auto found = r.log().resume(1);
  CHECK(found.heads == heads{6, 4});
  CHECK(found.next_available == 3);
}

TEST_CASE("dead before the used index moved: the request is done again") {
  region r;
  auto log = r.log();
  log.resume(0);
  log.take(2);
  log.giving_back(2);
  CHECK(r.log().resume(0).heads == heads{2});
}

TEST_CASE("dead after the used index moved: the request is not done again") {
  region r;
  auto log = r.log();
  log.resume(0);
  log.take(2);
  log.take(3);
  log.giving_back(2);
  const auto found = r.log().resume(1);
  CHECK(found.heads == heads{3});
  CHECK(found.next_available == 2);
  CHECK(r.head().used_index == 1);
}

TEST_CASE("dead in the middle of a batch: all of it was given back") {
  region r;
  auto log = r.log();
  log.resume(0);
  for (const std::uint16_t head : {0, 1, 2, 3}) log.take(head);
  for (const std::uint16_t head : {3, 0, 2}) log.giving_back(head);
  CHECK(r.log().resume(3).heads == heads{1});
}

TEST_CASE("a batch is given back as one") {
  region r;
  auto log = r.log();
  log.resume(0);
  for (const std::uint16_t head : {0, 1, 2}) log.take(head);
  log.giving_back(2);
  log.giving_back(0);
  log.gave_back(2);
  CHECK(r.log().resume(2).heads == heads{1});
}

TEST_CASE("the used index may wrap around") {
  region r;
  auto log = r.log();
  log.resume(0xffff);
  log.take(5);
  log.take(7);
  log.giving_back(5);
  const auto found = r.log().resume(0);
  CHECK(found.heads == heads{7});
  CHECK(found.next_available == 1);
}

TEST_CASE("the order goes on where the last device was") {
  region r;
  auto first = r.log();
  first.resume(0);
  first.take(5);
  first.take(0);
  auto second = r.log();
  CHECK(second.resume(0).heads == heads{5, 0});
  second.take(1);
  CHECK(r.log().resume(0).heads == heads{5, 0, 1});
}

TEST_CASE("a used index that moved by more than the ring ends after the ring") {
  region r;
  auto log = r.log();
  log.resume(0);
  log.take(0);
  log.take(1);
  CHECK(r.log().resume(30000).heads.size() <= size);
}

TEST_CASE("a list of heads that leads out of the ring, or round in it, ends") {
  region r;
  auto log = r.log();
  log.resume(0);
  for (const std::uint16_t head : {0, 1, 2}) log.take(head);
  r.change_head([](inflight_head& h) { h.last_batch_head = 0x1234; });
  CHECK(r.log().resume(2).heads == heads{0, 1, 2});
  r.change_head([](inflight_head& h) { h.last_batch_head = 1; });
  r.change_next(1, 1);
  CHECK(r.log().resume(7).heads == heads{0, 2});
}

}  // namespace
}  // namespace vloop
