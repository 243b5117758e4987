# SPDX-License-Identifier: MIT
"""The four tests of random data of FIPS 140-2 (as of its change notice 1), on each 20,000 bits of a file.

usage: fips_140_2.py FILE FAILURES_ALLOWED
Of good data about one block in 1250 fails. Prints a line; exit status 1 if more failed.
"""
import itertools
import sys

BLOCK = 2500
RUNS = {1: (2315, 2685), 2: (1114, 1386), 3: (527, 723), 4: (240, 384), 5: (103, 209), 6: (103, 209)}
LONGEST = 26


def monobit(bits):
    return 9725 < bits.count("1") < 10275


def poker(bits):
    counts = [0] * 16
    for at in range(0, len(bits), 4):
        counts[int(bits[at:at + 4], 2)] += 1
    return 2.16 < 16 / 5000 * sum(n * n for n in counts) - 5000 < 46.17


def runs(bits):
    found = {(value, length): 0 for value in "01" for length in RUNS}
    longest = 0
    for value, group in itertools.groupby(bits):
        length = len(list(group))
        longest = max(longest, length)
        found[value, min(length, 6)] += 1
    return longest < LONGEST and all(RUNS[length][0] <= n <= RUNS[length][1] for (_, length), n in found.items())


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    blocks = [data[at:at + BLOCK] for at in range(0, len(data) - BLOCK + 1, BLOCK)]
    failed = 0
    for block in blocks:
        bits = "".join(f"{byte:08b}" for byte in block)
        failed += not (monobit(bits) and poker(bits) and runs(bits))
    print(f"FIPS 140-2: {len(blocks)} blocks, {failed} failed")
    return not blocks or failed > int(sys.argv[2])


sys.exit(main())
