#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Must fail to compile: a folder of src/ that includes what it may not see.

Takes the real command line of a file of each folder from compile_commands.json and gives the compiler a
one-line source instead, so what is tested is what the build does.
usage: layers.py BUILD_DIRECTORY
"""
import json
import os
import shlex
import subprocess
import sys

# folder -> folders whose headers it may include
MAY_SEE = {
    "vring": {"vring"},
    "runtime": {"runtime"},
    "devices": {"devices", "runtime", "vring"},
    "vhost_user": {"vhost_user", "devices", "runtime", "vring"},
    "adapter": {"adapter", "vhost_user", "devices", "runtime", "vring"},
    "bench": {"bench", "adapter", "vhost_user", "devices", "runtime", "vring"},
}


def folder_of(path):
    parts = os.path.normpath(path).split(os.sep)
    return parts[-2] if len(parts) >= 3 and parts[-3] == "src" else None


def compiles(entry, text):
    """Whether `text`, put where the entry's source stands, passes the compiler."""
    words = shlex.split(entry["command"])
    source = entry["file"]
    out = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MQ"):
            skip = True
        elif word in ("-c", "-MD", source):
            pass
        else:
            out.append(word)
    out += ["-fsyntax-only", "-x", "c++", "-"]
    done = subprocess.run(out, cwd=entry["directory"], input=text, text=True, capture_output=True, timeout=60)
    return done.returncode == 0, done.stderr


def main(build):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    wrong = []
    for folder, visible in MAY_SEE.items():
        entry = next((e for e in commands if folder_of(e["file"]) == folder), None)
        if entry is None:
            print(f"{folder}: no source yet")
            continue
        source_root = os.path.dirname(os.path.dirname(os.path.normpath(os.path.join(build, entry["file"]))))
        for other in MAY_SEE:
            headers = sorted(h for h in os.listdir(os.path.join(source_root, other)) if h.endswith(".hpp"))
            if not headers:
                continue
            include = f"{other}/{headers[0]}"
            ok, text = compiles(entry, f'#include "{include}"\n')
            expected = other in visible
            print(f"{folder:8} includes {include:24} -> {'compiles' if ok else 'refused'}")
            if ok != expected:
                wrong.append(f"{folder} includes {include}: expected {'to compile' if expected else 'a refusal'}\n{text}")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
