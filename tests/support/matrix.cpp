// SPDX-License-Identifier: MIT
#include "support/matrix.hpp"

#include <catch2/catch_test_case_info.hpp>
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>

#include <cstdlib>
#include <fstream>
#include <map>
#include <utility>

namespace vloop::test {
namespace {

std::string transport_now;  // of the part of a test case that runs; empty: it is about none

class matrix_listener final : public Catch::EventListenerBase {
 public:
  using EventListenerBase::EventListenerBase;

  void testCaseStarting(const Catch::TestCaseInfo& info) override { behaviour_ = info.name; }
  void testCasePartialStarting(const Catch::TestCaseInfo&, std::uint64_t) override { transport_now.clear(); }
  void testCasePartialEnded(const Catch::TestCaseStats& stats, std::uint64_t) override {
    if (transport_now.empty()) return;
    auto& passed = cells_.try_emplace({behaviour_, transport_now}, true).first->second;
    passed = passed && stats.totals.assertions.allOk();
  }
  void testRunEnded(const Catch::TestRunStats&) override {
    const char* const path = std::getenv("VLOOP_MATRIX");
    if (!path) return;
    std::ofstream out(path);
    for (const auto& [cell, passed] : cells_)
      out << cell.second << '\t' << (passed ? "passed" : "failed") << '\t' << cell.first << '\n';
  }

 private:
  std::string behaviour_;
  std::map<std::pair<std::string, std::string>, bool> cells_;
};

CATCH_REGISTER_LISTENER(matrix_listener)

}  // namespace

void note_transport(const std::string& name) {
  transport_now = name;
}

}  // namespace vloop::test
