#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns what recovery_in_guest prints into the table, or JSON, of bench/recovery.

usage: recovery_report.py table|json MODULE_LIMIT WAIT_LIMIT <FACTS
What is not a fact goes to standard error. Status 1 if nothing was measured or a limit is exceeded."""
import json
import statistics
import sys

ROWS = [("dying", "death of the server"),
        ("until_attach", "start of vloop recover to ATTACH"),
        ("module", "ATTACH to the first completion"),
        ("gap", "what a reader waits"),
        ("gap_without_version", "the same without vloop --version")]


def read_facts(lines):
    """Returns (kernel, {"version": milliseconds, "rounds": [...]} or None)."""
    kernel, facts = "?", None
    for line in lines:
        if line.startswith("machine "):
            kernel = line.split()[1]
        elif line.startswith("{"):
            facts = json.loads(line)
        elif line.strip():
            print(line.rstrip(), file=sys.stderr)
    return kernel, facts


def summarise(rounds):
    table = {}
    for key, _ in ROWS:
        values = [one[key] for one in rounds]
        table[key] = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return table


def print_table(kernel, version, rounds, table):
    kills = sum(1 + one["more_kills"] for one in rounds)
    print(f"Linux {kernel}; {len(rounds)} rounds, {kills} kills; milliseconds")
    print(f"{'':34}{'median':>8}{'least':>9}{'most':>9}")
    for key, name in ROWS:
        row = table[key]
        print(f"{name:34}{row['median']:8.1f}{row['least']:9.1f}{row['most']:9.1f}")
    print(f"{'vloop --version':34}{version:8.1f}")


def main():
    style, module_limit, wait_limit = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    kernel, facts = read_facts(sys.stdin)
    if not facts:
        return 1
    table = summarise(facts["rounds"])
    if style == "json":
        print(json.dumps({"kernel": kernel, "summary": table, **facts}))
    else:
        print_table(kernel, facts["version"], facts["rounds"], table)
    exceeded = [name for key, name, limit in (("module", "ATTACH to the first completion", module_limit),
                                              ("gap_without_version", "the wait without vloop --version", wait_limit))
                if table[key]["median"] >= limit]
    for name in exceeded:
        print(f"the limit is exceeded: {name}", file=sys.stderr)
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
