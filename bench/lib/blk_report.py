#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns the facts that blk_in_guest prints into the table, or JSON, of bench/blk.

usage: blk_report.py table|json <FACTS
Warns on standard error of every point whose rounds differ by more than 3 %. Status 1 if nothing was measured."""
import json
import statistics
import sys

NOISE = 0.03
PATTERNS = {"randread": "rand read", "randwrite": "rand write", "read": "seq read", "write": "seq write",
            "randrw": "rand mixed", "rw": "seq mixed", "ddread": "dd read", "ddwrite": "dd write"}
UNITS = {"k": 2**10, "K": 2**10, "m": 2**20, "M": 2**20}
PEERS = {"loop": "loop", "vloop": "vloop", "window": "vloop window", "daemon": "daemon"}
COSTS = ["system_calls", "io_uring_enter", "sched_yield", "context_switches", "kicks", "interrupts"]


def read_facts(lines):
    """Returns (machine, {point: {peer: [rates]}}, {point: {cost: per request}})."""
    machine, rates, costs = {}, {}, {}
    for line in lines:
        kind, *words = line.split() or [""]
        if kind == "machine":
            machine = dict(zip(("kernel", "backing"), words))
        elif kind == "rate":
            _, point, peer, value = words
            rates.setdefault(point, {}).setdefault(peer, []).append(float(value))
        elif kind == "cost":
            point, requests, name, count = words
            if count.isdigit():
                costs.setdefault(point, {})[name] = int(count) / int(requests)
        elif line.strip():
            print(line.rstrip(), file=sys.stderr)
    return machine, rates, costs


def ratios(raw, values):
    """A round is compared with the raw figure of the same round."""
    return [value / reference for value, reference in zip(values, raw)]


def bytes_of(size):
    return int(size.rstrip("kKmM")) * UNITS.get(size[-1], 1)


def summarise(point, peers, costs):
    pattern, size, depth = point.split(":")
    by_dd = pattern.startswith("dd")
    row = {"point": point, "name": f"{PATTERNS[pattern]} {size}" + ("" if by_dd else f" qd{depth}"),
           "raw_iops": statistics.median(peers["raw"]), "ratio": {}, "spread": {}, "vloop_per_request": costs}
    row["raw_mb_per_second"] = row["raw_iops"] * bytes_of(size) / 1e6
    for peer, values in peers.items():
        shares = ratios(peers["raw"], values) if peer != "raw" else values
        middle = statistics.median(shares)
        row["spread"][peer] = (max(shares) - min(shares)) / middle
        if peer != "raw":
            row["ratio"][peer] = middle
    return row


def warn_of_noise(rows):
    for row in rows:
        for peer, spread in row["spread"].items():
            if spread > NOISE:
                print(f"warning: {row['name']}, {peer}: rounds differ by {spread:.1%}", file=sys.stderr)


def print_table(machine, rows):
    costs = any(row["vloop_per_request"] for row in rows)
    by_dd = all(row["point"].startswith("dd") for row in rows)
    print(f"Linux {machine.get('kernel')}, backing {machine.get('backing')}; ratio to raw" +
          (", and vloop's costs per request" if costs else ""))
    peers = [peer for peer in PEERS if any(peer in row["ratio"] for row in rows)]
    heads = ["", "raw MB/s" if by_dd else "raw/s", *(PEERS[peer] for peer in peers), *(COSTS if costs else [])]
    table = [[head.replace("_", " ") for head in heads]]
    for row in rows:
        cells = [row["name"], f"{row['raw_mb_per_second' if by_dd else 'raw_iops']:,.0f}"]
        cells += [f"{row['ratio'][peer]:.3f}" if peer in row["ratio"] else "-" for peer in peers]
        for cost in heads[2 + len(peers):]:
            value = row["vloop_per_request"].get(cost)
            cells.append("-" if value is None else f"{value:.3f}")
        table.append(cells)
    widths = [max(len(line[i]) for line in table) for i in range(len(heads))]
    for line in table:
        print("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(line, widths))).rstrip())


def main():
    machine, rates, costs = read_facts(sys.stdin)
    rows = [summarise(point, peers, costs.get(point, {})) for point, peers in rates.items() if "raw" in peers]
    if not rows:
        return 1
    warn_of_noise(rows)
    if sys.argv[1] == "json":
        print(json.dumps({**machine, "points": rows}))
    else:
        print_table(machine, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
