#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The lines of a folder that programs built with --coverage have reached, as gcov counted them.

A header is compiled into many objects: a line counts as reached if it was in any of them.
usage: coverage.py BUILD_DIRECTORY TREE FOLDER [--least PERCENT] [--lines]
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys


def counts_of(data, tree, folder):
    """(file, line) -> how often, for one .gcda file."""
    # One line of JSON for each input.
    done = subprocess.run(["gcov", "--json-format", "--stdout", data.name], cwd=data.parent, capture_output=True,
                          text=True, check=True)
    for document in map(json.loads, done.stdout.splitlines()):
        for file in document["files"]:
            path = os.path.normpath(os.path.join(document["current_working_directory"], file["file"]))
            # Headers are reached through the build folder's links to the source folders.
            name = os.path.relpath(os.path.realpath(path), tree)
            if name.startswith(folder + os.sep):
                for line in file["lines"]:
                    yield (name, line["line_number"]), line["count"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("tree")
    parser.add_argument("folder")
    parser.add_argument("--least", type=float, default=0)
    parser.add_argument("--lines", action="store_true")
    options = parser.parse_args()
    tree = os.path.realpath(options.tree)

    counts = collections.Counter()
    for data in pathlib.Path(options.build).rglob("*.gcda"):
        for where, count in counts_of(data, tree, options.folder):
            counts[where] += count
    if not counts:
        sys.exit(f"no line of {options.folder} was counted in {options.build}")

    print(f"{'file':32} {'lines':>6} {'reached':>8}")
    for file in sorted({file for file, _ in counts}):
        of_file = [count for (name, _), count in counts.items() if name == file]
        reached = sum(count > 0 for count in of_file)
        print(f"{file:32} {len(of_file):6} {100 * reached / len(of_file):7.1f}%")
    percent = 100 * sum(count > 0 for count in counts.values()) / len(counts)
    print(f"{'together':32} {len(counts):6} {percent:7.1f}%")
    if options.lines:
        for file, line in sorted(where for where, count in counts.items() if count == 0):
            text = pathlib.Path(tree, file).read_text(encoding="utf-8").splitlines()[line - 1].strip()
            print(f"not reached: {file}:{line}: {text}")
    if percent < options.least:
        sys.exit(f"fewer than {options.least:g} % of the lines of {options.folder} were reached")


main()
