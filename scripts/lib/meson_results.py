#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints a line per test of a meson test log, the output of those that failed, and 'N passed, N failed'.

usage: meson_results.py PART testlog.json
"""
import json
import sys


def shown(test):
    """The end of what a failed test printed."""
    text = test.get("stdout", "") + test.get("stderr", "")
    return "".join(f"    | {line}\n" for line in text.splitlines()[-80:])


def main():
    part, log = sys.argv[1:]
    passed = failed = 0
    with open(log, encoding="utf-8", errors="replace") as lines:
        for test in map(json.loads, lines):
            name = part + "/" + test["name"].rsplit(" / ", 1)[-1]
            time = f'({test["duration"]:.1f} s)'
            if test["result"] in ("OK", "EXPECTEDFAIL"):
                passed += 1
                print(f"PASS  {name} {time}")
            elif test["result"] == "SKIP":
                print(f"SKIP  {name}: it said that it cannot run here\n{shown(test)}", end="")
            else:
                failed += 1
                print(f'{shown(test)}FAIL  {name} {time}: {test["result"]}, status {test.get("returncode")}')
    print(f"{passed} passed, {failed} failed")


main()
