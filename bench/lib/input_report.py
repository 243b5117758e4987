#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns the facts that input_in_guest prints into the table, or JSON, of bench/input.

usage: input_report.py table|json <FACTS
Warns on standard error where the medians of rounds differ by more than 3 %. Status 1 if nothing was measured."""
import json
import statistics
import sys

NOISE = 0.03
PEERS = ("uinput", "vloop")


def read_facts(lines):
    """Returns (kernel, {rate: {peer: [(median, p99, max) in us of each round]}})."""
    kernel, rates = None, {}
    for line in lines:
        kind, *words = line.split() or [""]
        if kind == "machine":
            kernel = words[0]
        elif kind == "latency":
            _, rate, peer, *values = words
            rates.setdefault(int(rate), {}).setdefault(peer, []).append([int(value) / 1000 for value in values])
        elif line.strip():
            print(line.rstrip(), file=sys.stderr)
    return kernel, rates


def summarise(rate, peers):
    row = {"reports_per_second": rate}
    for peer in PEERS:
        medians, p99s, longest = zip(*peers[peer])
        row[peer] = {"median_us": statistics.median(medians), "p99_us": statistics.median(p99s), "max_us": max(longest)}
        spread = (max(medians) - min(medians)) / row[peer]["median_us"]
        if spread > NOISE:
            print(f"warning: {rate}/s, {peer}: rounds differ by {spread:.1%}", file=sys.stderr)
    row["added_us"] = round(row["vloop"]["median_us"] - row["uinput"]["median_us"], 3)
    return row


def print_table(kernel, rows):
    print(f"Linux {kernel}; microseconds from the injection of a report to its reader")
    heads = ["reports/s"] + [f"{peer} {what}" for peer in PEERS for what in ("median", "p99", "max")] + ["added by vloop"]
    table = [heads]
    for row in rows:
        cells = [f"{row['reports_per_second']:,}"]
        for peer in PEERS:
            cells += [f"{row[peer][what]:.1f}" for what in ("median_us", "p99_us", "max_us")]
        table.append(cells + [f"{row['added_us']:.1f}"])
    widths = [max(len(line[i]) for line in table) for i in range(len(heads))]
    for line in table:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths)))


def main():
    kernel, rates = read_facts(sys.stdin)
    rows = [summarise(rate, peers) for rate, peers in rates.items() if all(peer in peers for peer in PEERS)]
    if not rows:
        return 1
    if sys.argv[1] == "json":
        print(json.dumps({"kernel": kernel, "points": rows}))
    else:
        print_table(kernel, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
