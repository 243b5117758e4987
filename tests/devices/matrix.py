#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the suite of devices over every transport and prints the matrix of behaviours and transports.

usage: matrix.py TEST_DEVICES KERNEL_CELLS VM_SUITE

In-process and vhost-user are run here. Over the kernel a device can only be reached through the kernel's own drivers, in
a virtual machine: KERNEL_CELLS names for each behaviour the test in VM_SUITE that shows it there, or why none can. A cell
that is neither run nor explained is a failure, and so is an explanation of what is not there.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

RUN_HERE = ("in-process", "vhost-user")


def read_cells(path):
    """{behaviour: {transport: passed}}"""
    rows = {}
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        transport, verdict, behaviour = line.split("\t")
        rows.setdefault(behaviour, {})[transport] = verdict == "passed"
    return rows


def read_explanations(path):
    """{(transport, behaviour): (test or None, reason or None)}"""
    found = {}
    for number, line in enumerate(pathlib.Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("|")]
        if len(parts) != 3 or (parts[0], parts[1]) in found:
            raise SystemExit(f"{path}:{number}: not 'TRANSPORT | BEHAVIOUR | TEST or not: REASON', or twice")
        transport, behaviour, rest = parts
        reason = rest.removeprefix("not: ") if rest.startswith("not: ") else None
        found[(transport, behaviour)] = (None if reason else rest, reason)
    return found


def main():
    program, explanations_path, suite = sys.argv[1:]
    with tempfile.NamedTemporaryFile() as cells:
        status = subprocess.run([program], env=os.environ | {"VLOOP_MATRIX": cells.name}, check=False).returncode
        rows = read_cells(cells.name)
    explained = read_explanations(explanations_path)

    wrong, counts = [], dict.fromkeys(RUN_HERE + ("kernel",), 0)
    print(f"{'in-process':12}{'vhost-user':12}{'kernel':8}behaviour")
    for behaviour, cells in sorted(rows.items()):
        words = []
        for transport in RUN_HERE + ("kernel",):
            test, reason = explained.pop((transport, behaviour), (None, None))
            if transport in cells:
                counts[transport] += 1
                words.append("yes" if cells[transport] else "FAILED")
                if test or reason:
                    wrong.append(f"{transport}: '{behaviour}' is run, and explained as well")
            elif test and transport == "kernel" and (pathlib.Path(suite) / f"{test}.sh").exists():
                counts[transport] += 1
                words.append("VM")
            elif reason:
                words.append("-")
            else:
                words.append("?")
                wrong.append(f"{transport}: '{behaviour}' is neither run nor explained" + (f" (no test {test})" if test else ""))
        print(f"{words[0]:12}{words[1]:12}{words[2]:8}{behaviour}")
    wrong += [f"{transport}: there is no behaviour '{behaviour}'" for transport, behaviour in explained]
    print(f"{len(rows)} behaviours: " + ", ".join(f"{transport} {count}" for transport, count in counts.items()))
    for line in wrong:
        print("WRONG: " + line)
    return 1 if status or wrong or not rows else 0


sys.exit(main())
