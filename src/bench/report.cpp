// SPDX-License-Identifier: MIT
#include "bench/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "adapter/device_text.hpp"
#include "adapter/json_text.hpp"

namespace vloop::bench {
namespace {

using adapter::json_string;

constexpr double bytes_per_mib = 1 << 20;
constexpr double percentiles[] = {50, 99, 99.9};

template <class Value>
std::optional<spread> over_rounds(const target_figures& of, Value value) {
  if (of.rounds.empty()) return std::nullopt;
  std::vector<double> values;
  for (const auto& round : of.rounds) values.push_back(value(round));
  return spread_of(std::move(values));
}

std::optional<spread> per_second(const target_figures& of) {
  return over_rounds(of, [](const round_figures& r) { return r.per_second(); });
}

// Nanoseconds for each request.
std::optional<spread> process_time(const target_figures& of) {
  return over_rounds(of, [](const round_figures& r) {
    return static_cast<double>(r.process_time.count()) / static_cast<double>(r.count);
  });
}

std::optional<spread> daemon_time(const target_figures& of) {
  const bool known = std::ranges::all_of(of.rounds, [](const round_figures& r) { return r.daemon_time.has_value(); });
  if (!known) return std::nullopt;
  return over_rounds(of, [](const round_figures& r) {
    return static_cast<double>(r.daemon_time->count()) / static_cast<double>(r.count);
  });
}

std::optional<spread> enters(const target_figures& of) {
  return over_rounds(
      of, [](const round_figures& r) { return static_cast<double>(r.enters) / static_cast<double>(r.count); });
}

// Of the requests a second of a target and of its base.
std::optional<bool> ranges_overlap(const figures& all, std::size_t target) {
  if (!ratio_to_base(all, target)) return std::nullopt;
  return per_second(all.targets[target])->overlaps(*per_second(all.targets[*all.base]));
}

// ---- for a person ----

std::string with_commas(double value) {
  const std::string digits = fmt::format("{:.0f}", value);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string plural(std::uint64_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

std::string time_text(std::chrono::milliseconds time) {
  return time.count() % 1000 == 0 ? fmt::format("{} s", time.count() / 1000) : fmt::format("{} ms", time.count());
}

std::string heading(const figures& all) {
  const options& o = all.asked;
  const std::string each = o.count ? plural(*o.count, "request") : time_text(o.duration);
  return fmt::format("{} {}, depth {}, {}, {} of {}, over {}, seed {}", to_string(o.what),
                     bytes_text(o.load.block_bytes), o.load.depth, plural(o.load.queues, "queue"),
                     plural(o.rounds, "round"), each, bytes_text(all.span_bytes), o.seed);
}

std::string microseconds(double nanoseconds) {
  return fmt::format("{:.1f}", nanoseconds / 1000);
}

using row = std::vector<std::string>;

row row_of(const figures& all, std::size_t number) {
  const target_figures& of = all.targets[number];
  const auto speed = per_second(of);
  row cells{printable(of.name)};
  if (!speed) {
    cells.resize(11, "-");
    return cells;
  }
  cells.push_back(with_commas(speed->median));
  cells.push_back(with_commas(speed->least) + ".." + with_commas(speed->most));
  cells.push_back(with_commas(speed->median * all.asked.load.block_bytes / bytes_per_mib));
  for (const double percent : percentiles)
    cells.push_back(microseconds(static_cast<double>(of.latency.percentile(percent))));
  cells.push_back(microseconds(static_cast<double>(of.latency.max())));
  const auto daemon = daemon_time(of);
  cells.push_back(microseconds(process_time(of)->median));
  if (daemon) cells.back() += fmt::format("+{}", microseconds(daemon->median));
  cells.push_back(fmt::format("{:.2f}", enters(of)->median));
  const auto ratio = ratio_to_base(all, number);
  cells.push_back(ratio ? fmt::format("{:.3f} ({:.3f}..{:.3f}){}", ratio->median, ratio->least, ratio->most,
                                      *ranges_overlap(all, number) ? " ranges overlap" : "")
                        : "-");
  return cells;
}

// The first column and the last are words, the others numbers.
std::string table_of(const std::vector<row>& rows) {
  std::string text;
  for (const auto& cells : rows) {
    std::string line;
    for (std::size_t column = 0; column < cells.size(); ++column) {
      std::size_t width = 0;
      for (const auto& other : rows) width = std::max(width, other[column].size());
      if (column == 0) {
        line += fmt::format("{:<{}}", cells[column], width);
      } else if (column + 1 == cells.size()) {
        line += "  " + cells[column];
      } else {
        line += fmt::format("  {:>{}}", cells[column], width);
      }
    }
    text += "\n" + line;
  }
  return text;
}

// ---- for a script ----

std::string json_of(const std::optional<spread>& s) {
  if (!s) return "null";
  return fmt::format(R"({{"median":{:.6g},"least":{:.6g},"most":{:.6g}}})", s->median, s->least, s->most);
}

std::string json_of(const std::optional<bool>& b) {
  if (!b) return "null";
  return *b ? "true" : "false";
}

std::string json_of(const round_figures& r) {
  return fmt::format(R"({{"count":{},"time_ns":{},"process_time_ns":{},"daemon_time_ns":{},"enters":{}}})", r.count,
                     r.time.count(), r.process_time.count(),
                     r.daemon_time ? std::to_string(r.daemon_time->count()) : "null", r.enters);
}

std::string json_of_target(const figures& all, std::size_t number) {
  const target_figures& of = all.targets[number];
  const auto speed = per_second(of);
  auto bytes = speed;
  if (bytes) {
    const double block = all.asked.load.block_bytes;
    bytes = spread{.median = speed->median * block, .least = speed->least * block, .most = speed->most * block};
  }
  std::string rounds;
  for (const auto& one : of.rounds) {
    if (!rounds.empty()) rounds += ',';
    rounds += json_of(one);
  }
  return fmt::format(R"({{"target":{},"requests":{},"iops":{},"bytes_per_second":{},)"
                     R"("latency_ns":{{"p50":{},"p99":{},"p99_9":{},"max":{}}},)"
                     R"("process_time_ns_per_request":{},"daemon_time_ns_per_request":{},"enters_per_request":{},)"
                     R"("ratio_to_base":{},"ranges_overlap":{},"verified":{},"rounds":[{}]}})",
                     json_string(of.name), of.latency.count(), json_of(speed), json_of(bytes),
                     of.latency.percentile(50), of.latency.percentile(99), of.latency.percentile(99.9),
                     of.latency.max(), json_of(process_time(of)), json_of(daemon_time(of)), json_of(enters(of)),
                     json_of(ratio_to_base(all, number)), json_of(ranges_overlap(all, number)), of.verified, rounds);
}

}  // namespace

std::optional<spread> ratio_to_base(const figures& all, std::size_t target) {
  if (!all.base || *all.base == target) return std::nullopt;
  const auto& own = all.targets[target].rounds;
  const auto& base = all.targets[*all.base].rounds;
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(own.size(), base.size()); ++i)
    ratios.push_back(own[i].per_second() / base[i].per_second());
  if (ratios.empty()) return std::nullopt;
  return spread_of(std::move(ratios));
}

std::string report_text(const figures& all) {
  std::string text = heading(all);
  std::vector<row> rows{
      {"TARGET", "IOPS", "RANGE", "MiB/s", "P50 us", "P99 us", "P99.9 us", "MAX us", "CPU us", "ENTERS", "OF RAW"}};
  for (std::size_t i = 0; i < all.targets.size(); ++i) rows.push_back(row_of(all, i));
  text += table_of(rows);
  for (const auto& of : all.targets)
    if (of.verified > 0)
      text += fmt::format("\n{}: {} compared, all as they should be", printable(of.name), plural(of.verified, "block"));
  if (all.signal != 0) text += "\nended by a signal: this is what was measured until then";
  return text;
}

std::string report_json(const figures& all) {
  const options& o = all.asked;
  std::string targets;
  for (std::size_t i = 0; i < all.targets.size(); ++i) {
    if (i > 0) targets += ',';
    targets += json_of_target(all, i);
  }
  return fmt::format(
      R"({{"pattern":{},"block_bytes":{},"depth":{},"queues":{},"rounds":{},"duration_ms":{},"count":{},)"
      R"("warm_up_ms":{},"seed":{},"span_bytes":{},"verify":{},"base":{},"signal":{},"targets":[{}]}})",
      json_string(to_string(o.what)), o.load.block_bytes, o.load.depth, o.load.queues, o.rounds,
      o.count ? "null" : std::to_string(o.duration.count()), o.count ? std::to_string(*o.count) : "null",
      o.warm_up.count(), o.seed, all.span_bytes, o.verify ? "true" : "false",
      all.base ? json_string(all.targets[*all.base].name) : "null", all.signal ? std::to_string(all.signal) : "null",
      targets);
}

}  // namespace vloop::bench
