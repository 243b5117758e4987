#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns what 'vloop bench --json' says of a file, vloop and qemu, a line for each point, into the table of
bench/vhost_user.

usage: vhost_user_report.py PEER'S-VERSION <POINTS"""
import json
import statistics
import sys

HEADING = ["", "raw/s", "vloop/s", "(range)", "qemu/s", "(range)", "vloop/raw", "qemu/raw", "vloop/qemu", "(range)", ""]


def rates(target):
    """Requests a second, by round."""
    return [r["count"] / r["time_ns"] * 1e9 for r in target["rounds"]]


def median_ratio(some, others):
    """Of rounds of the same number."""
    return statistics.median(a / b for a, b in zip(some, others))


def verdict(ours, theirs):
    if min(ours) > max(theirs):
        return "vloop is ahead"
    return "qemu is ahead" if min(theirs) > max(ours) else "ranges overlap"


def span(values, form):
    return f"({min(values):{form}}..{max(values):{form}})"


def row(point):
    raw, ours, theirs = (rates(target) for target in point["targets"])
    size = f'{point["block_bytes"] >> 10}k' if point["block_bytes"] >= 1024 else str(point["block_bytes"])
    return [f'{point["pattern"]} {size} depth {point["depth"]}', f"{statistics.median(raw):,.0f}",
            f"{statistics.median(ours):,.0f}", span(ours, ",.0f"),
            f"{statistics.median(theirs):,.0f}", span(theirs, ",.0f"),
            f"{median_ratio(ours, raw):.3f}", f"{median_ratio(theirs, raw):.3f}", f"{median_ratio(ours, theirs):.2f}",
            span([a / b for a, b in zip(ours, theirs)], ".2f"), verdict(ours, theirs)]


def print_table(rows):
    widths = [max(len(r[i]) for r in rows) for i in range(len(HEADING))]
    for cells in rows:
        words = {0, len(widths) - 1}
        print("  ".join(c.ljust(w) if i in words else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths))).rstrip())


def main():
    points = [json.loads(line) for line in sys.stdin if line.strip()]
    if not points or any(not t["rounds"] for p in points for t in p["targets"]):
        sys.exit("vhost_user_report.py: nothing was measured")
    print(f"vloop beside {sys.argv[1]}; requests a second, medians of {points[0]['rounds']} rounds")
    print_table([HEADING] + [row(point) for point in points])


if __name__ == "__main__":
    main()
