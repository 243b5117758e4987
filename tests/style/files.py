#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every file of the repository says its licence, and every C++ file is formatted as .clang-format says.

usage: files.py ROOT [CLANG_FORMAT]
The files are those that git knows, or, in an unpacked release, all that lie there. Newer versions of clang-format
break a few lines differently: the one of Debian 12 is the reference, others are not asked.
"""
import os
import re
import subprocess
import sys

REFERENCE = range(14, 15)
# What has no place for a comment, or is a text for people.
NO_LICENCE_LINE = re.compile(r"(\.(md|json|png|svg|wrap|img|bin|txt|cast)|(^|/)(LICENSE|COPYING|\.gitignore|\.gitattributes)"
                             r"|/fixtures/.*|(^|/)LICENSES/.*|(^|/)corpus/.*|packagefiles/.*|debian/(control|changelog|copyright|rules|"
                             r"compat|install|source/format|.*\.(install|dkms|docs|manpages)))$")
FORMATTED = re.compile(r"^(src|include|tests|examples|bench)/.*\.(cpp|hpp|h)$")


def files_of(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached"], capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return sorted(name.decode() for name in listed.stdout.split(b"\0") if name)
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if not f.startswith(".") and not f.startswith("build") and f != "subprojects"]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


def has_licence(path):
    with open(path, "rb") as file:
        head = file.read(2048)
    return b"\0" in head or b"SPDX-License-Identifier: " in head


def format_version(program):
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"version (\d+)", text)
    return int(match.group(1)) if match else 0


def main(root, clang_format=None):
    wrong = []
    names = [name for name in files_of(root) if os.path.isfile(os.path.join(root, name))]
    for name in names:
        path = os.path.join(root, name)
        if not os.path.islink(path) and not NO_LICENCE_LINE.search(name) and not has_licence(path):
            wrong.append(f"{name}: no SPDX-License-Identifier line")
    if clang_format is None or format_version(clang_format) not in REFERENCE:
        print("clang-format 14 is not here: formatting not checked")
    else:
        sources = [name for name in names if FORMATTED.match(name) and "/fixtures/" not in name]
        done = subprocess.run([clang_format, "--dry-run", "--Werror", *sources], cwd=root, capture_output=True, text=True,
                              timeout=300, check=False)
        misformatted = sorted({line.split(":")[0] for line in done.stderr.split("\n") if "[-Wclang-format" in line})
        wrong += [f"{name}: run clang-format -i on it" for name in misformatted]
        if done.returncode != 0 and not misformatted:
            wrong.append(done.stderr)
    print(f"{len(names)} files")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
